#include "couplet/tokenizers/gzip.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/file_errors.hpp"

namespace {

using couplet::test::file_error_of;
using couplet::tokenizers::gunzip;

// gzip -9n of "hello hello hello\n"
const std::string packed(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x90\x5c\x00\x3b\x7c\x8a\xdf\x12\x00\x00"
    "\x00",
    29);

TEST(Gzip, IsRecognised) {
  EXPECT_TRUE(couplet::tokenizers::is_gzip(packed));
  EXPECT_FALSE(couplet::tokenizers::is_gzip("#version"));
  EXPECT_FALSE(couplet::tokenizers::is_gzip("\x1f"));
}

#if defined(COUPLET_HAVE_ZLIB)

TEST(Gzip, Unpacks) { EXPECT_EQ(gunzip(packed, 100, "f.gz"), "hello hello hello\n"); }

TEST(Gzip, RefusesDamageAndBombs) {
  for (std::size_t size = 2; size < packed.size(); ++size) {
    EXPECT_NE(file_error_of([&] { gunzip(packed.substr(0, size), 100, "f.gz"); }), "") << size;
  }
  for (const std::size_t at : {10U, 14U, 21U, 25U}) {  // data, checksum, length
    std::string damaged = packed;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_NE(file_error_of([&] { gunzip(damaged, 100, "f.gz"); }), "") << at;
  }
  EXPECT_EQ(file_error_of([] { gunzip(packed + "x", 100, "f.gz"); }), "f.gz: bytes after the end of the gzip data");
  EXPECT_NE(file_error_of([] { gunzip(packed, 10, "f.gz"); }), "");
}

#else

TEST(Gzip, SaysThatItWasBuiltWithoutZlib) {
  EXPECT_NE(file_error_of([] { gunzip(packed, 100, "f.gz"); }).find("built without zlib"), std::string::npos);
}

#endif

}  // namespace
