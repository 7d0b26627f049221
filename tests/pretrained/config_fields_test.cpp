#include "couplet/pretrained/config_fields.hpp"

#include <gtest/gtest.h>

namespace {

using namespace couplet;
namespace detail = pretrained::detail;

TEST(ConfigFields, AbsentAndNullTakeTheDefault) {
  const io::JsonField root(io::Json::parse(R"({"a": null, "b": 7, "c": 0.5})", "config.json"), "config.json");
  EXPECT_EQ(detail::size_or(root, "a", 3), 3);
  EXPECT_EQ(detail::size_or(root, "missing", 3), 3);
  EXPECT_EQ(detail::size_or(root, "b", 3), 7);
  EXPECT_EQ(detail::id_or(root, "a", 5), 5);
  EXPECT_EQ(detail::number_or(root, "c", 1.0, 0.0, 1.0), 0.5);
  EXPECT_THROW((void)detail::size_or(root, "b", 3, 8), file_error);
  EXPECT_THROW((void)detail::number_or(root, "b", 1.0, 0.0, 1.0), file_error);
}

TEST(ConfigFields, AContradictionIsAnErrorOfTheFile) {
  ClipConfig config;
  config.vision.heads = 7;
  EXPECT_THROW(detail::validate_file(config, "config.json"), file_error);
  EXPECT_NO_THROW(detail::validate_file(ClipConfig{}, "config.json"));
}

}  // namespace
