#include "couplet/image/checksum.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace couplet::image {
namespace {

std::span<const std::uint8_t> bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Checksum, HasThePublishedValues) {
  EXPECT_EQ(crc32(bytes("123456789")), 0xCBF43926u);
  EXPECT_EQ(crc32(bytes("")), 0u);
  EXPECT_EQ(crc32(bytes("IEND")), 0xAE426082u);
  EXPECT_EQ(adler32(bytes("Wikipedia")), 0x11E60398u);
  EXPECT_EQ(adler32(bytes("")), 1u);
}

TEST(Checksum, ContinuesAndTakesAnyLength) {
  const std::string_view text = "The quick brown fox jumps over the lazy dog";
  EXPECT_EQ(crc32(bytes(text)), 0x414FA339u);
  for (std::size_t cut = 0; cut <= text.size(); ++cut)
    EXPECT_EQ(crc32(bytes(text.substr(cut)), crc32(bytes(text.substr(0, cut)))), 0x414FA339u);
}

TEST(Checksum, AdlerDoesNotOverflow) {
  const std::vector<std::uint8_t> ones(1000000, 255);
  std::uint64_t a = 1, b = 0;
  for (const std::uint8_t byte : ones) b = (b + (a = (a + byte) % 65521)) % 65521;
  EXPECT_EQ(adler32(ones), b << 16 | a);
}

}  // namespace
}  // namespace couplet::image
