#include "couplet/image/exif.hpp"

#include <gtest/gtest.h>

#include "image/golden.hpp"
#include "image/samples.hpp"

namespace couplet::image {
namespace {

TEST(Exif, ReadsTheOrientationInBothByteOrders) {
  for (int orientation = 0; orientation < 12; ++orientation)
    for (const bool little : {true, false})
      EXPECT_EQ(exif_orientation(test::bytes(test::exif_tiff(orientation, little))),
                orientation >= 1 && orientation <= 8 ? orientation : 1);
}

TEST(Exif, TakesDamagedBlocksForUpright) {
  const std::string whole = test::exif_tiff(6, true);
  EXPECT_EQ(exif_orientation({}), 1);
  for (std::size_t size = 0; size < 22; ++size) EXPECT_EQ(exif_orientation(test::bytes(whole).first(size)), 1) << size;
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {  // never outside the block (seen by the sanitizers)
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const int found = exif_orientation(test::bytes(damaged));
    EXPECT_TRUE(found >= 1 && found <= 8);
  }
}

TEST(Exif, TurnsByHand) {
  //  1 2 3
  //  4 5 6
  Image image{3, 2, {}};
  for (const int v : {1, 2, 3, 4, 5, 6}) image.pixels.insert(image.pixels.end(), 3, static_cast<std::uint8_t>(v));
  image.alpha = {1, 2, 3, 4, 5, 6};
  const std::vector<std::vector<std::uint8_t>> expected{{1, 2, 3, 4, 5, 6}, {3, 2, 1, 6, 5, 4}, {6, 5, 4, 3, 2, 1},
                                                        {4, 5, 6, 1, 2, 3}, {1, 4, 2, 5, 3, 6}, {4, 1, 5, 2, 6, 3},
                                                        {6, 3, 5, 2, 4, 1}, {3, 6, 2, 5, 1, 4}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Image out = upright(image, orientation);
    EXPECT_EQ(out.width, orientation < 5 ? 3 : 2);
    EXPECT_EQ(out.alpha, expected[static_cast<std::size_t>(orientation - 1)]) << orientation;
    for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(out.pixels[3 * i + 1], out.alpha[i]);
  }
}

}  // namespace
}  // namespace couplet::image
