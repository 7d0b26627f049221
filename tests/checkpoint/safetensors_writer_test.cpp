#include "couplet/checkpoint/safetensors_writer.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/raw_safetensors.hpp"
#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/shared_directory.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::checkpoint {
namespace {

using test::file_error_of;
using test::TemporaryDirectory;

constexpr std::uint64_t everything = std::uint64_t{1} << 30;

/// The std::invalid_argument of saving these.
std::string mistake(const std::vector<TensorRecord>& tensors, const Metadata& metadata = {}) {
  const TemporaryDirectory folder;
  std::string message;
  try {
    save_safetensors(folder.path("m"), tensors, metadata);
  } catch (const std::invalid_argument& error) {
    message = error.what();
  }
  EXPECT_EQ(folder.entries(), message.empty() ? 1U : 0U);
  return message;
}

TEST(SaveSafetensors, WritesTheBytesOfTheFormat) {
  const TemporaryDirectory folder;
  const float w[] = {1.0F, 2.0F};
  const std::int64_t ids[] = {7};
  save_safetensors(folder.path("m"),
                   {tensor_record("w", DType::f32, {2, 1}, w), tensor_record("a.scale", DType::bf16, {}, w),
                    tensor_record("ids", DType::i64, {1}, ids), tensor_record("none", DType::f32, {0, 3}, w)},
                   {{"format", "pt"}});
  const std::string json = R"({"__metadata__":{"format":"pt"},"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},)"
                           R"("none":{"dtype":"F32","shape":[0,3],"data_offsets":[8,8]},)"
                           R"("w":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},)"
                           R"("a.scale":{"dtype":"BF16","shape":[],"data_offsets":[16,18]}})";
  const std::string data("\7\0\0\0\0\0\0\0\0\0\x80\x3f\0\0\0\x40\x80\x3f", 18);
  const std::string padded = json + std::string((8 - json.size() % 8) % 8, ' ');
  EXPECT_EQ(io::read_file(folder.path("m"), everything), test::raw_file(padded, data));
}

TEST(SaveSafetensors, WritesTheSameBytesInWhateverOrderTheTensorsAreGiven) {
  const TemporaryDirectory folder;
  const std::vector<float> values(100, 0.5F);
  std::vector<TensorRecord> tensors;
  for (int i = 0; i < 20; ++i) {
    tensors.push_back(tensor_record("t" + std::to_string(i), i % 2 ? DType::f16 : DType::f32, {i}, values.data()));
  }
  save_safetensors(folder.path("a"), tensors);
  std::reverse(tensors.begin(), tensors.end());
  save_safetensors(folder.path("b"), tensors);
  EXPECT_EQ(io::read_file(folder.path("a"), everything), io::read_file(folder.path("b"), everything));
}

TEST(SaveSafetensors, AlignsEveryElement) {
  const TemporaryDirectory folder;
  const std::vector<float> values(9, 1.0F);
  for (int length = 1; length < 9; ++length) {
    save_safetensors(folder.path("m"),
                     {tensor_record(std::string(static_cast<std::size_t>(length), 'n'), DType::f16, {3}, values.data()),
                      tensor_record("d", DType::f64, {1}, values.data())});
    const std::string bytes = io::read_file(folder.path("m"), everything);
    EXPECT_EQ((bytes.size() - 14) % 8, 0U);
    EXPECT_EQ(SafetensorsFile(folder.path("m")).find("d")->begin, 0U);
  }
}

TEST(SaveSafetensors, IsReadBack) {
  const TemporaryDirectory folder;
  std::vector<float> values(300'001);  // more than one step of the writer and of the reader
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 2048) - 1000.0F;
  const std::vector<double> doubles = {0.1, -1e300};
  const std::vector<std::int64_t> integers = {-5, 2147483647};
  const std::string name = "strange \"\\/\n\t\x01 caf\xc3\xa9 \xf0\x9f\x90\xb1" + std::string(1, '\0');
  const Metadata metadata = {{"z", "1"}, {"", ""}, {"items", "[\"a\\n\"]"}};
  save_safetensors(folder.path("m"),
                   {tensor_record(name, DType::f32, {300'001}, values.data()),
                    tensor_record("half", DType::f16, {300'001}, values.data()),
                    tensor_record("bytes", DType::f64, {2}, doubles.data()),
                    tensor_record("integers", DType::i32, {1, 2}, integers.data()),
                    tensor_record_of_bytes("raw", DType::f8_e4m3, {3}, "abc")},
                   metadata);
  const SafetensorsFile file(folder.path("m"));
  ASSERT_EQ(file.tensors().size(), 5U);
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_EQ(file.read<float>(*file.find(name)), values);
  EXPECT_EQ(file.read<float>(*file.find("half")), values);  // integers up to 2048 are exact
  EXPECT_EQ(file.read<double>(*file.find("bytes")), doubles);
  EXPECT_EQ(file.read<std::int64_t>(*file.find("integers")), integers);
  EXPECT_EQ(file.find("integers")->shape, (std::vector<std::int64_t>{1, 2}));
  std::string raw(3, ' ');
  file.read_bytes(*file.find("raw"), raw.data(), 3);
  EXPECT_EQ(raw, "abc");
}

TEST(SaveSafetensors, AsksForAscendingRangesThatCoverTheTensor) {
  const TemporaryDirectory folder;
  std::size_t next = 0;
  TensorRecord record{"t", DType::u8, {3'000'000}, [&](std::size_t first, std::size_t count, void* out) {
                        EXPECT_EQ(first, next);
                        next += count;
                        std::memset(out, 'x', count);
                      }};
  save_safetensors(folder.path("m"), {record});
  EXPECT_EQ(next, 3'000'000U);
}

TEST(SaveSafetensors, WritesAnEmptyFileOfNoTensors) {
  const TemporaryDirectory folder;
  save_safetensors(folder.path("m"), {});
  EXPECT_EQ(io::read_file(folder.path("m"), 99), test::raw_file("{}      "));
  EXPECT_TRUE(SafetensorsFile(folder.path("m")).tensors().empty());
}

TEST(SaveSafetensors, RefusesWhatCouldNotBeReadBack) {
  const float v[] = {1.0F};
  const auto named = [&](const std::string& name) { return tensor_record(name, DType::f32, {1}, v); };
  const auto shaped = [&](std::vector<std::int64_t> shape) {
    return tensor_record("t", DType::f32, std::move(shape), v);
  };
  EXPECT_EQ(mistake({named("a"), named("b"), named("a")}), "[save_safetensors] tensor \"a\" is given twice");
  EXPECT_EQ(mistake({named("__metadata__")}), "[save_safetensors] a tensor cannot be called __metadata__");
  EXPECT_EQ(mistake({named("\xff")}), "[save_safetensors] the name \"\\xff\" is not UTF-8");
  EXPECT_EQ(mistake({}, {{"\xff", ""}}), "[save_safetensors] the metadata key \"\\xff\" is not UTF-8");
  EXPECT_EQ(mistake({}, {{"k", "\xed\xa0\x80"}}),
            "[save_safetensors] the metadata value \"\\xed\\xa0\\x80\" is not UTF-8");
  EXPECT_EQ(mistake({}, {{"k", "1"}, {"k", "2"}}), "[save_safetensors] the metadata key \"k\" is given twice");
  EXPECT_EQ(mistake({shaped({2, -1})}), "[save_safetensors] tensor \"t\" has the shape (2, -1)");
  EXPECT_NE(mistake({shaped({1, 1, 1, 1, 1, 1, 1, 1, 1})}), "");
  EXPECT_NE(mistake({shaped({std::int64_t{1} << 40, std::int64_t{1} << 40})}), "");
  EXPECT_NE(mistake({shaped({(std::int64_t{1} << 48) + 1, 0})}), "");
  EXPECT_EQ(mistake({TensorRecord{"t", DType::f32, {1}, nullptr}}), "[save_safetensors] tensor \"t\" has no data");
  EXPECT_EQ(mistake({shaped({1})}), "");
}

TEST(SaveSafetensors, RefusesValuesThatTheTypeCannotHold) {
  std::vector<float> values(600'000, 1.0F);
  values[599'999] = 70000.0F;
  EXPECT_EQ(mistake({tensor_record("t", DType::f16, {600'000}, values.data())}),
            "[save_safetensors] tensor \"t\": element 599999 (70000) does not fit F16");
  EXPECT_EQ(mistake({tensor_record("t", DType::bf16, {600'000}, values.data())}), "");
  const double large = 1e39, infinite = std::numeric_limits<double>::infinity();
  EXPECT_NE(mistake({tensor_record("t", DType::f32, {}, &large)}), "");
  EXPECT_EQ(mistake({tensor_record("t", DType::f32, {}, &infinite)}), "");
  EXPECT_THROW((void)tensor_record("t", DType::i64, {1}, values.data()), std::invalid_argument);
  EXPECT_THROW((void)tensor_record("t", DType::f16, {}, &large), std::invalid_argument);
}

TEST(SaveSafetensors, LeavesTheOldFileWhenTheDiskIsFull) {
  const TemporaryDirectory folder;
  const std::vector<float> values(100'000, 1.0F);
  save_safetensors(folder.path("m"), {tensor_record("old", DType::f32, {1}, values.data())});
  const std::string old = io::read_file(folder.path("m"), everything);

  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit limit{65'536, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string message = file_error_of(
      [&] { save_safetensors(folder.path("m"), {tensor_record("new", DType::f32, {100'000}, values.data())}); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);

  EXPECT_EQ(message.substr(0, folder.path("m").size() + 15), folder.path("m") + ": cannot write ") << message;
  EXPECT_EQ(io::read_file(folder.path("m"), everything), old);
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(SaveSafetensors, LeavesTheOldFileWhenTheDataCannotBeHad) {
  const TemporaryDirectory folder;
  const float v[] = {1.0F};
  save_safetensors(folder.path("m"), {tensor_record("old", DType::f32, {1}, v)});
  const TensorRecord bad{"t", DType::f32, {1}, [](std::size_t, std::size_t, void*) { throw std::bad_alloc(); }};
  EXPECT_THROW(save_safetensors(folder.path("m"), {bad}), std::bad_alloc);
  EXPECT_NE(SafetensorsFile(folder.path("m")).find("old"), nullptr);
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(SaveSafetensors, RefusesAFolderAsTarget) {
  const TemporaryDirectory folder;
  std::filesystem::create_directory(folder.path("d"));
  EXPECT_NE(file_error_of([&] { save_safetensors(folder.path("d"), {}); }).find("found a folder"), std::string::npos);
}

/// Records that copy the tensors of an open file.
std::vector<TensorRecord> copies_of(const SafetensorsFile& file) {
  std::vector<TensorRecord> records;
  for (const TensorInfo& t : file.tensors()) {
    std::vector<unsigned char> bytes(static_cast<std::size_t>(t.bytes()));
    file.read_bytes(t, bytes.data(), bytes.size());
    auto fill = [bytes = std::move(bytes), size = dtype_bytes(t.dtype)](std::size_t first, std::size_t n, void* out) {
      std::memcpy(out, bytes.data() + first * size, n * size);
    };
    records.push_back({t.name, t.dtype, t.shape, std::move(fill)});
  }
  return records;
}

TEST(SaveSafetensors, SavesOverAFileThatIsOpenAndStillBeingRead) {
  const TemporaryDirectory folder;
  std::vector<float> values(500'000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  save_safetensors(folder.path("m"), {tensor_record("t", DType::f32, {500'000}, values.data())});
  const SafetensorsFile file(folder.path("m"));
  std::vector<float> now;
  const TensorRecord negated{"t", DType::f32, {500'000}, [&](std::size_t first, std::size_t count, void* out) {
                               now = file.read<float>(file.tensors()[0]);
                               for (float& value : now) value = -value;
                               std::memcpy(out, now.data() + first, count * sizeof(float));
                             }};
  save_safetensors(folder.path("m"), {negated});
  EXPECT_EQ(file.read<float>(file.tensors()[0]), values);  // the open file is the old one
  const SafetensorsFile saved(folder.path("m"));
  for (float& value : values) value = -value;
  EXPECT_EQ(saved.read<float>(saved.tensors()[0]), values);
}

// The golden files were written by the safetensors library: the copies must have the same bytes throughout.
TEST(SaveSafetensors, WritesTheBytesThatTheSafetensorsLibraryWrites) {
  const std::string shared = test::shared_directory();
  if (shared.empty()) GTEST_SKIP() << test::no_shared_directory;
  const TemporaryDirectory folder;
  int files = 0;
  for (const auto& found : std::filesystem::recursive_directory_iterator(shared + "/golden/models")) {
    if (found.path().extension() != ".safetensors") continue;
    const SafetensorsFile file(found.path().string());
    save_safetensors(folder.path("m"), copies_of(file), file.metadata());
    EXPECT_TRUE(io::read_file(folder.path("m"), everything) == io::read_file(file.path(), everything)) << found.path();
    ++files;
  }
  EXPECT_GE(files, 17);
}

}  // namespace
}  // namespace couplet::checkpoint
