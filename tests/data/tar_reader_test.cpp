#include "couplet/data/tar_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "data/tar_bytes.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::data {
namespace {

using test::file_error_of;
using test::pax_record;
using test::tar_end;
using test::tar_header;
using test::tar_member;
using test::with_checksum;

class TarReaderTest : public testing::Test {
 protected:
  TarReader open(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary) << bytes;  // io::write_file syncs, which takes 10 ms
    return TarReader(path_);
  }
  /// The message for a bad archive; it must name the file.
  std::string refusal(const std::string& bytes) {
    const std::string message = file_error_of([&] { open(bytes); });
    EXPECT_EQ(message.compare(0, path_.size(), path_), 0) << message;
    return message.substr(std::min(message.size(), path_.size()));
  }

  test::TemporaryDirectory folder_;
  std::string path_ = folder_.path("shard.tar");
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_F(TarReaderTest, IndexesMembersInOrderAndReadsThem) {
  const TarReader tar = open(tar_member("a.png", "pixels") + tar_member("folder/", "", '5') +
                             tar_member("./b/c.txt", "") + tar_member("d", std::string(1000, 'x')) + tar_end());
  ASSERT_EQ(tar.members().size(), 3u);
  EXPECT_EQ(tar.members()[0].name, "a.png");
  EXPECT_EQ(tar.members()[1].name, "b/c.txt");
  EXPECT_EQ(tar.read(tar.members()[0], 6), "pixels");
  EXPECT_EQ(tar.read(tar.members()[1], 0), "");
  EXPECT_EQ(tar.read(tar.members()[2], 1000), std::string(1000, 'x'));
}

TEST_F(TarReaderTest, ReadsAnEmptyArchive) { EXPECT_TRUE(open(tar_end()).members().empty()); }

TEST_F(TarReaderTest, RefusesToReadMoreThanAllowed) {
  const TarReader tar = open(tar_member("a.png", "pixels") + tar_end());
  const std::string message = file_error_of([&] { (void)tar.read(tar.members()[0], 5); });
  EXPECT_TRUE(has(message, "member 'a.png': expected at most 5 bytes, found 6")) << message;
}

TEST_F(TarReaderTest, ReadsFromSeveralThreads) {
  std::string bytes;
  for (int i = 0; i < 50; ++i) bytes += tar_member(std::to_string(i), std::string(static_cast<std::size_t>(i), 'a'));
  const TarReader tar = open(bytes + tar_end());
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < wrong.size(); ++t) {
    threads.emplace_back([&tar, &wrong, t] {
      for (const TarMember& member : tar.members()) {
        if (tar.read(member, 100) != std::string(static_cast<std::size_t>(std::stoi(member.name)), 'a')) ++wrong[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST_F(TarReaderTest, TakesLongNamesFromGnuAndPaxHeaders) {
  const std::string gnu = std::string(150, 'g') + ".png", pax = std::string(300, 'p') + ".txt";
  const TarReader tar =
      open(tar_member("././@LongLink", gnu + std::string(1, '\0'), 'L') + tar_member("short", "1") +
           tar_member("header", pax_record("mtime", "12.5") + pax_record("path", pax), 'x') + tar_member("short", "2") +
           tar_member("short", "3") + tar_member("comment", pax_record("comment", "c"), 'g') + tar_end());
  ASSERT_EQ(tar.members().size(), 3u);
  EXPECT_EQ(tar.members()[0].name, gnu);
  EXPECT_EQ(tar.members()[1].name, pax);
  EXPECT_EQ(tar.members()[2].name, "short");
  EXPECT_EQ(tar.read(tar.members()[1], 10), "2");
}

TEST_F(TarReaderTest, TakesTheSizeFromAPaxHeader) {
  std::string member = tar_member("a", "four");
  member.replace(124, 11, "00000000000");
  with_checksum(member);
  const TarReader tar = open(tar_member("header", pax_record("size", "4"), 'x') + member + tar_end());
  EXPECT_EQ(tar.read(tar.members()[0], 10), "four");
}

TEST_F(TarReaderTest, RefusesChangedHeaders) {
  const std::string good = tar_member("a.png", "pixels") + tar_end();
  for (const std::size_t at : {0u, 100u, 124u, 130u, 156u, 260u, 345u}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_TRUE(has(refusal(bad), "expected the checksum")) << at;
  }
  std::string bad = good;
  bad.replace(148, 8, "abcdefgh");
  EXPECT_TRUE(has(refusal(bad), "found no number"));
}

TEST_F(TarReaderTest, RefusesTruncationAtEveryBlock) {
  const std::string good = tar_member("a.png", std::string(700, 'x')) + tar_member("b.txt", "y") + tar_end();
  for (std::size_t size = 0; size < good.size(); size += 256) {
    EXPECT_NE(refusal(good.substr(0, size)), "") << size;
  }
  EXPECT_TRUE(has(refusal(good.substr(0, 1000)), "member 'a.png': expected 700 bytes"));
}

TEST_F(TarReaderTest, RefusesSizesThatLeaveTheFile) {
  for (const char* size : {"77777777777", "00000010000", "zzzzzzzzzzz"}) {
    std::string bad = tar_header("big.png", 0);
    bad.replace(124, 11, size);
    EXPECT_TRUE(has(refusal(with_checksum(bad) + tar_end()), "member 'big.png': ")) << size;
  }
  for (const std::string& size : {std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12),
                                  std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12)}) {
    std::string bad = tar_header("big.png", 0);
    bad.replace(124, 12, size);
    EXPECT_TRUE(has(refusal(with_checksum(bad) + tar_end()), "member 'big.png': "));
  }
}

TEST_F(TarReaderTest, RefusesPathsThatLeaveTheArchive) {
  for (const char* name : {"/etc/passwd", "../a.png", "a/../b.png", "a/..", "a//b", "a/./b", "a/", "./", ".."}) {
    const std::string message = refusal(tar_member(name, "x") + tar_end());
    EXPECT_TRUE(has(message, "member '")) << name << ": " << message;
  }
  EXPECT_TRUE(has(refusal(tar_member("", "x") + tar_end()), "a name of 0 bytes"));
  const std::string nul = pax_record("path", std::string("a.png\0.txt", 10));
  EXPECT_TRUE(has(refusal(tar_member("h", nul, 'x') + tar_member("a", "") + tar_end()), "NUL"));
}

TEST_F(TarReaderTest, EscapesNamesInMessages) {
  EXPECT_TRUE(has(refusal(tar_member("/\x1b[31m", "x") + tar_end()), "'/\\x1b[31m'"));
}

TEST_F(TarReaderTest, RefusesDuplicates) {
  EXPECT_TRUE(has(refusal(tar_member("a.png", "1") + tar_member("./a.png", "2") + tar_end()), "two members"));
}

TEST_F(TarReaderTest, RefusesLinksDevicesAndSparseFiles) {
  for (const char type : {'1', '2', '3', '4', '6', 'S', 'K', 'V', 'D', '\x01'}) {
    EXPECT_TRUE(has(refusal(tar_member("a", "", type) + tar_end()), "expected a regular file")) << type;
  }
  const std::string sparse = tar_member("h", pax_record("GNU.sparse.major", "1"), 'x') + tar_member("a", "x");
  EXPECT_TRUE(has(refusal(sparse + tar_end()), "sparse"));
  EXPECT_TRUE(has(refusal(tar_member("folder", "data", '5') + tar_end()), "a folder with data"));
}

TEST_F(TarReaderTest, RefusesMalformedExtendedHeaders) {
  for (const std::string text :
       {"", "5", "99999999 path=a\n", "11 path=a.b", "x path=a\n", "7 path=\n", "4 =\n\n", "0 path=a\n", "9 path=ab\n",
        "18 size=123456789x\n", "8 size=\n", "27 size=18446744073709551617\n"}) {
    const std::string bytes = tar_member("h", text, 'x') + tar_member("a", "") + tar_end();
    if (text.empty()) {
      EXPECT_EQ(open(bytes).members().size(), 1u);
    } else {
      EXPECT_TRUE(has(refusal(bytes), "member 'h': ")) << text;
    }
  }
  EXPECT_TRUE(has(refusal(tar_member("h", pax_record("path", "a"), 'x') + tar_end()), "belongs to no member"));
  EXPECT_TRUE(
      has(refusal(tar_member("h", std::string(5000, 'n'), 'L') + tar_member("a", "") + tar_end()), "long name"));
}

TEST_F(TarReaderTest, RefusesDataBehindTheEnd) {
  const std::string one = tar_member("a", "1") + tar_end();
  EXPECT_TRUE(has(refusal(one + one), "found data at byte 2048"));
  EXPECT_EQ(open(one + std::string(10240, '\0')).members().size(), 1u);
}

TEST_F(TarReaderTest, RefusesOtherFiles) {
  EXPECT_TRUE(has(refusal(""), "expected a header"));
  EXPECT_TRUE(has(refusal(std::string(2048, 'x')), "expected the checksum"));
  std::string v7 = tar_header("a", 0);
  v7.replace(257, 8, std::string(8, '\0'));
  EXPECT_TRUE(has(refusal(with_checksum(v7) + tar_end()), "expected a ustar archive"));
  EXPECT_NE(file_error_of([&] { TarReader(folder_.path()); }), "");
  EXPECT_NE(file_error_of([&] { TarReader(folder_.path("missing.tar")); }), "");
}

TEST_F(TarReaderTest, RefusesEveryFlippedByteOfAHeaderOrReadsTheSameContent) {
  const std::string good = tar_member("a.png", "pixels") + tar_end();
  for (std::size_t at = 0; at < 512; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x40);
    std::string content;
    const std::string message = file_error_of([&] {
      const TarReader tar = open(bad);
      content = tar.read(tar.members().at(0), 100);
    });
    EXPECT_TRUE(!message.empty() || content == "pixels") << at;
    EXPECT_FALSE(message.empty() && (at < 148 || at >= 156)) << at;
  }
}

}  // namespace
}  // namespace couplet::data
