#include "couplet/simd/activation_kind.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace couplet {
namespace {

TEST(ActivationKind, IsOneTypeInEveryRoom) {
  EXPECT_TRUE((std::is_same_v<simd::Activation, ops::Activation>));
  EXPECT_TRUE((std::is_same_v<simd::Activation, Activation>));
  EXPECT_NE(Activation::gelu, Activation::gelu_tanh);
}

}  // namespace
}  // namespace couplet
