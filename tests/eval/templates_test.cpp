#include "couplet/eval/templates.hpp"

#include <gtest/gtest.h>

namespace couplet::eval {
namespace {

std::string refusal(std::string_view text) {
  try {
    (void)format_template(text, "cat");
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(FormatTemplate, PutsTheLabelInPlaceOfTheBraces) {
  EXPECT_EQ(format_template("a photo of a {}.", "cat"), "a photo of a cat.");
  EXPECT_EQ(format_template("{}", "cat"), "cat");
  EXPECT_EQ(format_template("{} and more", ""), " and more");
}

TEST(FormatTemplate, TakesTheLabelAsItIs) { EXPECT_EQ(format_template("a {}!", "{} {0} %s"), "a {} {0} %s!"); }

TEST(FormatTemplate, RefusesATemplateWithoutExactlyOnePlace) {
  EXPECT_EQ(refusal("a photo"), "[format_template] no {} for the label in \"a photo\"");
  EXPECT_EQ(refusal("a {0}"), "[format_template] no {} for the label in \"a {0}\"");
  EXPECT_EQ(refusal(""), "[format_template] no {} for the label in \"\"");
  EXPECT_EQ(refusal("{} and {}"), "[format_template] more than one {} for the label in \"{} and {}\"");
}

TEST(FormatTemplate, AcceptsTheDefaultTemplates) {
  EXPECT_FALSE(default_templates().empty());
  for (const std::string& text : default_templates()) EXPECT_EQ(refusal(text), "");
}

}  // namespace
}  // namespace couplet::eval
