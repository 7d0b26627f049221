#include "couplet/report/event_file.hpp"

#include <gtest/gtest.h>

#include "couplet/io/file.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using report::EventFile;

/// RFC 3720, appendix B.4, and the usual check value.
TEST(Crc32c, EqualsThePublishedValues) {
  EXPECT_EQ(report::crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(report::crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(report::crc32c("123456789"), 0xe3069283U);
}

/// Cuts the records of a file apart and checks both checksums of each.
std::vector<std::string> records_of(const std::string& path) {
  const std::string bytes = io::read_file(path, 1U << 20U);
  std::vector<std::string> records;
  const auto number = [&](std::size_t at, int size) {
    std::uint64_t value = 0;
    for (int i = 0; i < size; ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(bytes.at(at + static_cast<std::size_t>(i)))} << (8 * i);
    }
    return value;
  };
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t length = number(at, 8);
    EXPECT_EQ(number(at + 8, 4), report::masked_crc32c(std::string_view(bytes).substr(at, 8)));
    records.push_back(bytes.substr(at + 12, length));
    EXPECT_EQ(number(at + 12 + length, 4), report::masked_crc32c(records.back()));
    at += 16 + length;
  }
  return records;
}

TEST(EventFile, WritesVersionRestartAndScalars) {
  const test::TemporaryDirectory folder;
  EventFile file(folder.path("a/b"), 2.5, 300);
  file.write(3.0, 301, {{"loss", 0.5}});
  const std::vector<std::string> records = records_of(file.path());
  ASSERT_EQ(records.size(), 3U);
  using namespace std::string_literals;
  // field 1, 64 bits: 2.5; field 3, 13 bytes
  EXPECT_EQ(records[0], "\x09\0\0\0\0\0\0\x04\x40\x1a\x0d"s + "brain.Event:2");
  // step 301 = 0b10'0101101; field 7, 2 bytes: field 1, varint: 1 (START)
  EXPECT_EQ(records[1], "\x09\0\0\0\0\0\0\x04\x40\x10\xad\x02\x3a\x02\x08\x01"s);
  // field 5: summary of 13 bytes: field 1: value of 11 bytes: field 1: tag, field 2, 32 bits: 0.5
  EXPECT_EQ(records[2], "\x09\0\0\0\0\0\0\x08\x40\x10\xad\x02\x2a\x0d\x0a\x0b\x0a\x04"s + "loss" + "\x15\0\0\0\x3f"s);
}

TEST(EventFile, NamesTheFileThatCannotBeWritten) {
  const test::TemporaryDirectory folder;
  io::write_file(folder.path("file"), "");
  EXPECT_THROW(EventFile(folder.path("file/below"), 1, 0), file_error);
}

}  // namespace
