#include "couplet/io/checksum.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace couplet;

TEST(IoChecksum, IsFnv1aOverWords) {
  EXPECT_EQ(io::checksum(std::string_view()), 0xcbf29ce484222325ULL);
  const std::uint64_t word = 1;
  EXPECT_EQ(io::checksum_bytes(&word, sizeof word), (0xcbf29ce484222325ULL ^ 1) * 0x100000001b3ULL);
  EXPECT_EQ(io::checksum("abcdefghij"), io::checksum("ij", io::checksum("abcdefgh")));
  EXPECT_EQ(io::checksum_text(0xab), "fnv1a64:ab");
  EXPECT_EQ(io::checksum_text(~std::uint64_t{0}), "fnv1a64:ffffffffffffffff");
}

TEST(IoChecksum, NoticesEveryBit) {
  std::vector<unsigned char> bytes(19, 7);
  const std::uint64_t before = io::checksum_bytes(bytes.data(), bytes.size());
  for (std::size_t i = 0; i < 8 * bytes.size(); ++i) {
    bytes[i / 8] ^= static_cast<unsigned char>(1U << i % 8);
    EXPECT_NE(io::checksum_bytes(bytes.data(), bytes.size()), before) << i;
    bytes[i / 8] ^= static_cast<unsigned char>(1U << i % 8);
  }
}

}  // namespace
