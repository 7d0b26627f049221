#include "couplet/checkpoint/safetensors.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "checkpoint/raw_safetensors.hpp"
#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/shared_directory.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::checkpoint {
namespace {

using test::entry;
using test::file_error_of;
using test::raw_file;
using test::TemporaryDirectory;

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

class SafetensorsFileTest : public testing::Test {
 protected:
  SafetensorsFile open(const std::string& bytes) {
    io::write_file(path(), bytes);
    return SafetensorsFile(path());
  }
  /// A file with one tensor "t" of these elements.
  template <class T>
  SafetensorsFile one(const std::string& dtype, const std::vector<T>& values) {
    const std::string data = bytes_of(values);
    return open(raw_file(
        "{" + entry("t", dtype, std::to_string(values.size()), "0," + std::to_string(data.size())) + "}", data));
  }
  [[nodiscard]] std::string path() const { return folder_.path("m.safetensors"); }

 private:
  TemporaryDirectory folder_;
};

TEST_F(SafetensorsFileTest, ListsAndFindsItsTensors) {
  const SafetensorsFile file =
      open(raw_file("{\"__metadata__\":{\"format\":\"pt\"}," + entry("b", "BF16", "2,1", "4,8") + "," +
                        entry("a", "F32", "", "0,4") + "}",
                    std::string(8, '\0')));
  EXPECT_EQ(file.path(), path());
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.data_bytes(), 8U);
  const TensorInfo* b = file.find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b, &file.tensors()[0]);
  EXPECT_EQ(b->dtype, DType::bf16);
  EXPECT_EQ(b->shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(b->count(), 2U);
  EXPECT_EQ(b->bytes(), 4U);
  EXPECT_EQ(file.find("a")->count(), 1U);
  EXPECT_EQ(file.find("c"), nullptr);
  EXPECT_EQ(file.find("__metadata__"), nullptr);
  ASSERT_NE(file.find_metadata("format"), nullptr);
  EXPECT_EQ(*file.find_metadata("format"), "pt");
  EXPECT_EQ(file.find_metadata("Format"), nullptr);
}

TEST_F(SafetensorsFileTest, ReadsEveryFloatingTypeAsFloatAndDouble) {
  const std::vector<double> expected = {1.0, -2.5, 0x1p-14};
  const std::vector<float> expected_float = {1.0F, -2.5F, 0x1p-14F};
  const SafetensorsFile files[] = {one("F64", expected), one("F32", expected_float),
                                   one("F16", std::vector<std::uint16_t>{0x3c00, 0xc100, 0x0400}),
                                   one("BF16", std::vector<std::uint16_t>{0x3f80, 0xc020, 0x3880})};
  for (const SafetensorsFile& file : files) {
    const TensorInfo& t = file.tensors()[0];
    EXPECT_EQ(file.read<double>(t), expected) << dtype_name(t.dtype);
    EXPECT_EQ(file.read<float>(t), expected_float) << dtype_name(t.dtype);
  }
}

TEST_F(SafetensorsFileTest, ReadsIntegersAsSixtyFourBits) {
  EXPECT_EQ(one("I8", std::vector<std::int8_t>{-1, 2}).read<std::int64_t>({"t", DType::i8, {2}, 0, 2}),
            (std::vector<std::int64_t>{-1, 2}));
  const SafetensorsFile file = one("I64", std::vector<std::int64_t>{-9007199254740993});
  EXPECT_EQ(file.read<std::int64_t>(file.tensors()[0]), (std::vector<std::int64_t>{-9007199254740993}));
  const SafetensorsFile truth = one("BOOL", std::vector<std::uint8_t>{0, 1, 2, 255});
  EXPECT_EQ(truth.read<std::int64_t>(truth.tensors()[0]), (std::vector<std::int64_t>{0, 1, 1, 1}));
}

TEST_F(SafetensorsFileTest, KeepsThePayloadOfANan) {
  const SafetensorsFile file = one("F32", std::vector<std::uint32_t>{0x7f812345U, 0xffc00001U});
  std::vector<float> out(2);
  file.read(file.tensors()[0], out.data(), 2);
  std::uint32_t bits[2];
  std::memcpy(bits, out.data(), sizeof bits);
  EXPECT_EQ(bits[0], 0x7f812345U);
  EXPECT_EQ(bits[1], 0xffc00001U);
}

TEST_F(SafetensorsFileTest, ReadsTensorsThatTakeManySteps) {
  std::vector<std::uint16_t> bits(200'003);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i % 0x7c00);
  const std::string data = "x" + bytes_of(bits);  // at an odd address
  const SafetensorsFile file =
      open(raw_file("{" + entry("x", "U8", "1", "0,1") + "," + entry("t", "F16", "200003", "1,400007") + "}", data));
  const std::vector<float> out = file.read<float>(*file.find("t"));
  for (std::size_t i = 0; i < bits.size(); ++i) ASSERT_EQ(out[i], float_from_float16(bits[i])) << i;
}

TEST_F(SafetensorsFileTest, RefusesATypeThatIsNotConverted) {
  const SafetensorsFile integers = one("I32", std::vector<std::int32_t>{1});
  EXPECT_EQ(file_error_of([&] { (void)integers.read<float>(integers.tensors()[0]); }),
            path() + ": tensor \"t\": expected F64, F32, F16 or BF16, found I32");
  const SafetensorsFile floats = one("F32", std::vector<float>{1});
  EXPECT_EQ(file_error_of([&] { (void)floats.read<std::int64_t>(floats.tensors()[0]); }),
            path() + ": tensor \"t\": expected an integer type, found F32");
  const SafetensorsFile complex = one("C64", std::vector<double>{1});
  EXPECT_NE(file_error_of([&] { (void)complex.read<double>(complex.tensors()[0]); }), "");
}

TEST_F(SafetensorsFileTest, NamesTheIntegerThatDoesNotFit) {
  std::vector<std::uint64_t> values(10'000, 1);
  values[9'876] = ~std::uint64_t{0};
  const SafetensorsFile file = one("U64", values);
  EXPECT_EQ(file_error_of([&] { (void)file.read<std::int64_t>(file.tensors()[0]); }),
            path() + ": tensor \"t\": element 9876 does not fit a signed 64-bit integer");
}

TEST_F(SafetensorsFileTest, RefusesRoomOfAnotherSize) {
  const SafetensorsFile file = one("F32", std::vector<float>{1, 2});
  std::vector<float> out(3);
  EXPECT_THROW(file.read(file.tensors()[0], out.data(), 3), std::invalid_argument);
  EXPECT_THROW(file.read(file.tensors()[0], out.data(), 1), std::invalid_argument);
  EXPECT_THROW(file.read_bytes(file.tensors()[0], out.data(), 12), std::invalid_argument);
}

TEST_F(SafetensorsFileTest, ReportsAFileCutShortAfterItWasOpened) {
  const SafetensorsFile file = one("F32", std::vector<float>(1000, 1.0F));
  std::filesystem::resize_file(path(), 1000);
  EXPECT_NE(file_error_of([&] { (void)file.read<float>(file.tensors()[0]); }).find("the file ends at byte 1000"),
            std::string::npos);
}

TEST_F(SafetensorsFileTest, IsReadByManyThreadsAtOnce) {
  std::vector<std::uint16_t> bits(50'000);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<std::uint16_t>(i % 0x7c00);
  const SafetensorsFile file = one("F16", bits);
  const std::vector<float> expected = file.read<float>(file.tensors()[0]);
  std::vector<std::vector<float>> seen(8);
  std::vector<std::thread> threads;
  for (auto& out : seen) threads.emplace_back([&] { out = file.read<float>(*file.find("t")); });
  for (std::thread& thread : threads) thread.join();
  for (const auto& out : seen) EXPECT_EQ(out, expected);
}

TEST_F(SafetensorsFileTest, CanBeMoved) {
  std::optional<SafetensorsFile> source = one("F32", std::vector<float>{1, 2});
  const SafetensorsFile file = std::move(*source);
  source.reset();
  EXPECT_EQ(file.read<float>(*file.find("t")), (std::vector<float>{1, 2}));
}

// How long it takes is recorded for people (--gtest_output=xml); it decides nothing.
TEST_F(SafetensorsFileTest, OpensTenThousandTensors) {
  std::string json = "{";
  for (int i = 0; i < 10'000; ++i) {
    json += (i ? "," : "") + entry("model.layers." + std::to_string(i) + ".self_attn.in_proj_weight", "F32", "2,1",
                                   std::to_string(i * 8) + "," + std::to_string(i * 8 + 8));
  }
  io::write_file(path(), raw_file(json + "}", std::string(80'000, '\0')));
  const auto start = std::chrono::steady_clock::now();
  const SafetensorsFile file(path());
  const auto time = std::chrono::steady_clock::now() - start;
  RecordProperty("microseconds", std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(time).count()));
  ASSERT_EQ(file.tensors().size(), 10'000U);
  for (const TensorInfo& t : file.tensors()) ASSERT_EQ(file.find(t.name), &t);
}

TEST(SafetensorsFile, NamesAFileThatIsNotThere) {
  EXPECT_EQ(file_error_of([] { SafetensorsFile file("no/such/file"); }),
            "no/such/file: cannot open: No such file or directory (errno 2)");
}

TEST(SafetensorsFile, OpensEveryGoldenFile) {
  const std::string shared = test::shared_directory();
  if (shared.empty()) GTEST_SKIP() << test::no_shared_directory;
  int files = 0;
  for (const auto& found : std::filesystem::recursive_directory_iterator(shared + "/golden/models")) {
    if (found.path().extension() != ".safetensors") continue;
    const SafetensorsFile file(found.path().string());
    EXPECT_FALSE(file.tensors().empty()) << found.path();
    for (const TensorInfo& t : file.tensors()) {
      if (is_floating(t.dtype)) (void)file.read<double>(t);
      if (is_integer(t.dtype)) (void)file.read<std::int64_t>(t);
    }
    ++files;
  }
  EXPECT_GE(files, 17);
}

}  // namespace
}  // namespace couplet::checkpoint
