#include "couplet/nn/init.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace {

using namespace couplet;

struct Moments {
  double mean = 0, std = 0, largest = 0;
};

Moments moments(const Parameter<double>& p) {
  Moments m;
  for (Index i = 0; i < p.size(); ++i) m.mean += p.value.data()[i] / static_cast<double>(p.size());
  for (Index i = 0; i < p.size(); ++i) {
    const double x = p.value.data()[i];
    m.std += (x - m.mean) * (x - m.mean) / static_cast<double>(p.size());
    m.largest = std::max(m.largest, std::abs(x));
  }
  m.std = std::sqrt(m.std);
  return m;
}

TEST(Init, DistributionsHaveTheirMoments) {
  Parameter<double> p(Shape{200, 100});
  nn::init::normal(p, 0.02, Random(1));
  EXPECT_NEAR(moments(p).std, 0.02, 0.0005);
  nn::init::torch_default(p, 100, Random(1));
  EXPECT_NEAR(moments(p).std, 0.1 / std::sqrt(3.0), 0.001);
  EXPECT_LE(moments(p).largest, 0.1);
  nn::init::xavier_uniform(p, 100, 200, Random(1));
  EXPECT_LE(moments(p).largest, std::sqrt(6.0 / 300));
  nn::init::lecun_normal(p, 100, Random(1));
  EXPECT_NEAR(moments(p).std, 0.1, 0.002);
  EXPECT_LE(moments(p).largest, 0.2 / 0.8796);
}

TEST(Init, StreamsOfNamesDiffer) {
  EXPECT_NE(nn::init::stream_of("visual.proj.weight"), nn::init::stream_of("text_projection.weight"));
  EXPECT_EQ(nn::init::stream_of(""), 0xcbf29ce484222325U);  // FNV-1a's offset basis
}

}  // namespace
