#include "couplet/data/tar_format.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

namespace couplet::data::detail {
namespace {

TarHeader header_with(std::size_t offset, std::string_view text) {
  TarHeader header{};
  std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(offset));
  return header;
}

std::optional<std::uint64_t> number(std::string_view text) { return tar_number(header_with(124, text), 124, 12); }

TEST(TarFormat, ReadsOctalNumbers) {
  EXPECT_EQ(number("00000000017"), 15u);
  EXPECT_EQ(number("     17 "), 15u);
  EXPECT_EQ(number("777777777777"), (std::uint64_t{1} << 36) - 1);
}

TEST(TarFormat, RefusesWhatIsNoOctalNumber) {
  for (const char* text : {"", "   ", "8", "12x", "1 2", "-1", "0x10", "+7"}) EXPECT_FALSE(number(text)) << text;
}

TEST(TarFormat, ReadsBase256NumbersBelowTwoToThe63) {
  EXPECT_EQ(number(std::string_view("\x80\0\0\0\0\0\0\0\0\0\x01\x02", 12)), 258u);
  EXPECT_EQ(number(std::string_view("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)), 0x7fffffffffffffffu);
  EXPECT_FALSE(number(std::string_view("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12)));
  EXPECT_FALSE(number(std::string_view("\x80\x01\0\0\0\0\0\0\0\0\0\0", 12)));
  EXPECT_FALSE(number("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));  // -1
}

TEST(TarFormat, CountsTheChecksumFieldAsSpaces) {
  EXPECT_EQ(tar_checksum(TarHeader{}), 8u * ' ');
  EXPECT_EQ(tar_checksum(header_with(148, "0001234")), 8u * ' ');
  EXPECT_EQ(tar_checksum(header_with(156, "\xff")), 8u * ' ' + 255u);
}

TEST(TarFormat, JoinsThePrefixOfPosixHeadersOnly) {
  TarHeader header = header_with(0, "name.png");
  const std::string_view prefix = "folder", posix("ustar\00000", 8), gnu("ustar  \0", 8);
  std::copy(prefix.begin(), prefix.end(), header.begin() + 345);
  std::copy(posix.begin(), posix.end(), header.begin() + 257);
  EXPECT_TRUE(has_posix_magic(header));
  EXPECT_EQ(tar_name(header), "folder/name.png");
  std::copy(gnu.begin(), gnu.end(), header.begin() + 257);
  EXPECT_TRUE(has_gnu_magic(header));
  EXPECT_EQ(tar_name(header), "name.png");
}

TEST(TarFormat, PadsToWholeBlocks) {
  EXPECT_EQ(tar_padded(0), 0u);
  EXPECT_EQ(tar_padded(1), 512u);
  EXPECT_EQ(tar_padded(512), 512u);
  EXPECT_EQ(tar_padded(513), 1024u);
}

}  // namespace
}  // namespace couplet::data::detail
