// A program that compiles stb_image for itself, before and around couplet's copy.
#define STB_IMAGE_IMPLEMENTATION
#define STBI_ASSERT(x) static_cast<void>(x)
#include <stb/stb_image.h>
// couplet's header comes second on purpose
#include "couplet/image/stb.hpp"

#include <gtest/gtest.h>

#include "couplet/image/encode.hpp"
#include "image/golden.hpp"

namespace couplet::image {
namespace {

std::span<const std::uint8_t> bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Stb, StandsBesideAUsersImplementation) {
  const Image image = test::smooth_image(5, 6);
  const std::string png = encode_png(image);
  int width = 0, height = 0, channels = 0;
  stbi_uc* theirs =
      ::stbi_load_from_memory(bytes(png).data(), static_cast<int>(png.size()), &width, &height, &channels, 0);
  ASSERT_NE(theirs, nullptr);
  const stb::Decoded ours = stb::decode(bytes(png), 0, 1 << 20);
  ASSERT_NE(ours.pixels, nullptr);
  EXPECT_EQ(ours.channels, 3);
  EXPECT_TRUE(std::equal(image.pixels.begin(), image.pixels.end(), theirs));
  EXPECT_TRUE(std::equal(image.pixels.begin(), image.pixels.end(), ours.pixels.get()));
  ::stbi_image_free(theirs);
}

TEST(Stb, StaysInsideItsBudgetAndGivesMemoryBack) {
  const std::string png = encode_png(test::noise_image(100, 100, 1));
  EXPECT_EQ(stb::decode(bytes(png), 0, 20000).pixels, nullptr);
  for (std::uint64_t limit = 30000; limit < 200000; limit += 10000) {
    stb::Decoded decoded = stb::decode(bytes(png), 0, limit);
    if (decoded.pixels == nullptr) {
      EXPECT_NE(decoded.error, nullptr);
    } else {
      EXPECT_EQ(stb::budget.left, limit - 30000);  // the pixels alone
      decoded.pixels.reset();
    }
    EXPECT_EQ(stb::budget.left, limit);
  }
}

TEST(Stb, ZeroesWhatItAllocates) {
  stb::budget = {1000};
  auto* block = static_cast<unsigned char*>(stb::allocate(100));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(std::count(block, block + 100, 0), 100);
  block[99] = 7;
  block = static_cast<unsigned char*>(stb::reallocate(block, 100, 200));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(block[99], 7);
  EXPECT_EQ(std::count(block, block + 200, 0), 199);
  EXPECT_EQ(stb::allocate(900), nullptr);
  EXPECT_TRUE(stb::budget.exhausted);
  stb::release(block);
  EXPECT_EQ(stb::budget.left, 1000u);
  stb::release(nullptr);
}

TEST(Stb, RefusedMemoryIsAnException) {
  const std::string png = encode_png(test::noise_image(4, 4, 1));
  stb::budget = {~std::uint64_t{0}};
  EXPECT_EQ(stb::allocate(std::size_t{1} << 63), nullptr);
  EXPECT_TRUE(stb::budget.out_of_memory);  // decode() turns this into std::bad_alloc
  EXPECT_NO_THROW(stb::decode(bytes(png), 0, 1 << 20));
}

}  // namespace
}  // namespace couplet::image
