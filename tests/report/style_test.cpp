#include "couplet/report/style.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace couplet::report {
namespace {

TEST(Style, IsCompleteInItself) {
  const std::string css = style_sheet;
  EXPECT_EQ(std::count(css.begin(), css.end(), '{'), std::count(css.begin(), css.end(), '}'));
  for (const char* outside : {"url(", "@import", "http", "</style"}) EXPECT_EQ(css.find(outside), std::string::npos);
  EXPECT_NE(css.find("prefers-color-scheme:dark"), std::string::npos);
}

TEST(Style, DefinesEveryColourItUses) {
  const std::string css = style_sheet;
  for (std::size_t at = css.find("var(--"); at != std::string::npos; at = css.find("var(--", at + 1)) {
    const std::size_t end = css.find_first_of("),", at);
    const std::string name = css.substr(at + 4, end - at - 4);
    if (name == "--width") continue;  // set by the page
    EXPECT_NE(css.find(name + ":"), std::string::npos) << name;
  }
}

}  // namespace
}  // namespace couplet::report
