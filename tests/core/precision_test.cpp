#include "couplet/core/precision.hpp"

#include <gtest/gtest.h>

namespace couplet {
namespace {

TEST(Precision, NamesAreReadBack) {
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    EXPECT_EQ(parse_precision(to_string(precision)), precision);
  }
  EXPECT_THROW(parse_precision("bf16"), std::invalid_argument);
}

}  // namespace
}  // namespace couplet
