#include "couplet/core/error.hpp"

#include <gtest/gtest.h>

namespace {

TEST(Error, FailPutsTheOperationInBrackets) {
  try {
    couplet::fail("linear", "x (2, 3), weight (4, 5)");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(error.what(), "[linear] x (2, 3), weight (4, 5)");
  }
}

TEST(Error, FileErrorNamesTheFile) {
  const couplet::file_error error("model.safetensors", "too short");
  EXPECT_STREQ(error.what(), "model.safetensors: too short");
  EXPECT_EQ(error.path(), "model.safetensors");
}

TEST(Error, PrintableEscapesAndCutsTextFromFiles) {
  EXPECT_EQ(couplet::printable("a\n\xff"), "a\\x0a\\xff");
  EXPECT_EQ(couplet::printable("abcdef", 3), "abc...");
}

}  // namespace
