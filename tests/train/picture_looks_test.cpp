#include "couplet/train/picture_looks.hpp"

#include <gtest/gtest.h>

#include "support/stripes.hpp"

namespace {

using namespace couplet;
using test::stripes;
using train::PictureLooks;

TEST(PictureLooks, TellsDirectionsApart) {
  const auto share = [](const Eigen::RowVectorXd& looks, int bin) {
    double sum = 0;
    for (Index i = PictureLooks::pixel_count + bin; i < PictureLooks::size; i += PictureLooks::bins) sum += looks[i];
    return sum / looks.tail(PictureLooks::size - PictureLooks::pixel_count).sum();
  };
  EXPECT_GT(share(PictureLooks::of(stripes(true)), 0), 0.99);  // gradients along x: direction 0
  const Eigen::RowVectorXd level = PictureLooks::of(stripes(false));
  EXPECT_GT(share(level, 4) + share(level, 5), 0.99);  // a quarter turn: between bins 4 and 5 of 9
}

TEST(PictureLooks, HoldsThePixelsOfAThumbnail) {
  const Eigen::RowVectorXd looks = PictureLooks::of(stripes(true));
  // Sixteen stripes of four pixels on sixteen pixels: black, white, black, ...
  EXPECT_LT(looks[0], 0.2);
  EXPECT_GT(looks[3], 0.8);
}

}  // namespace
