#include "couplet/checkpoint/safetensors_header.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "checkpoint/raw_safetensors.hpp"
#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::checkpoint {
namespace {

using test::entry;
using test::file_error_of;
using test::length_bytes;
using test::raw_file;
using test::TemporaryDirectory;
using test::zeros;
using namespace std::string_literals;

/// A file and words that must stand in the message that refuses it.
struct Malformed {
  std::string what, bytes;
  std::vector<std::string> words;
};

const std::string sound = "{" + entry("a", "F32", "2", "0,8") + "}";  // 8 bytes of data
const std::string tensor_a = "tensor \"a\": ";

std::string repeated(const std::string& text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// The file itself: lengths and ends.
std::vector<Malformed> file_cases() {
  const std::string whole = raw_file(sound, zeros(8));
  const auto with_length = [&](std::uint64_t n) { return length_bytes(n) + sound + zeros(8); };
  std::string big_endian = whole;
  std::reverse(big_endian.begin(), big_endian.begin() + 8);
  return {
      {"empty", "", {"expected at least 8 bytes, found 0"}},
      {"7 bytes", whole.substr(0, 7), {"expected at least 8 bytes, found 7"}},
      {"length only", whole.substr(0, 8), {"expected a header of 54 bytes, found 0"}},
      {"N = 0", raw_file("", zeros(8)), {"header: ", "expected"}},
      {"N = 2^64-1", with_length(~std::uint64_t{0}), {"at most 25000000 bytes, found 18446744073709551615"}},
      {"N = 2^64-8", with_length(~std::uint64_t{7}), {"at most 25000000 bytes, found 18446744073709551608"}},
      {"N = 2^63", with_length(std::uint64_t{1} << 63), {"at most 25000000 bytes, found 9223372036854775808"}},
      {"N = 100,000,001", with_length(100'000'001), {"at most 25000000 bytes, found 100000001"}},
      {"N one too large", with_length(sound.size() + 1), {"header: line 1, byte 55: ", "NUL"}},
      {"N one too small", with_length(sound.size() - 1), {"header: line 1, byte 53: ", "unexpected end of input"}},
      {"bytes after the data", whole + "PK\x03\x04", {"end after 8 bytes of data, where tensor \"a\" ends; found 12"}},
      {"data one byte short", whole.substr(0, whole.size() - 1), {tensor_a, "[0, 8] reach past the file's 7 bytes"}},
      {"big-endian length", big_endian, {"at most 25000000 bytes, found 3891110078048108544"}},
  };
}

std::vector<Malformed> json_cases() {
  const std::string bom = "\xef\xbb\xbf", dtype = "{\"a\":{\"dtype\":\"F32",
                    rest = "\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  const auto with_name = [](const std::string& name) {
    return raw_file("{" + entry(name, "F32", "2", "0,8") + "}", zeros(8));
  };
  return {
      {"not JSON", raw_file("hello"), {"header: line 1, byte 1: ", "invalid literal"}},
      {"an open brace", raw_file("{"), {"header: line 1, byte 1: ", "end of input"}},
      {"an array", raw_file("[]"), {"header: line 1, byte 1: expected an object, found an array"}},
      {"null", raw_file("null"), {"header: line 1, byte 4: expected an object, found null"}},
      {"a byte order mark", raw_file(bom + sound, zeros(8)), {"byte order mark"}},
      {"bad UTF-8", with_name("\xff"), {"UTF-8"}},
      {"overlong UTF-8", with_name("\xc0\xaf"), {"UTF-8"}},
      {"a lone surrogate", with_name("\\ud800"), {"surrogate"}},
      {"NUL padding", raw_file(sound + zeros(3), zeros(8)), {"byte 55: a NUL byte"}},
      {"two values", raw_file(sound + "{}", zeros(8)), {"header: line 1, byte 55: ", "expected end of input"}},
      {"a comment", raw_file("/* */" + sound, zeros(8)), {"header: line 1, byte 1: ", "invalid literal"}},
      {"a trailing comma", raw_file(sound.substr(0, sound.size() - 1) + ",}", zeros(8)), {"header: line 1, byte 55: "}},
      {"200,000 arrays", raw_file(repeated("[", 200'000)), {"expected an object, found an array"}},
      {"100,000 levels of metadata",
       raw_file("{\"__metadata__\":" + repeated("{\"a\":", 100'000)),
       {"__metadata__.a: expected a string, found an object"}},
      {"NaN", raw_file(dtype + "\",\"shape\":[NaN],\"data_offsets\":[0,8]}}", zeros(8)), {"invalid literal"}},
      {"a string cut short", raw_file(dtype), {"missing closing quote"}},
      {"an exponent too large",
       raw_file("{" + entry("a", "F32", "1e999", "0,8") + rest),
       {"header: line 1, byte ", "number"}},
  };
}

std::vector<Malformed> entry_cases() {
  const auto one = [](const std::string& fields) { return raw_file("{\"a\":{" + fields + "}}", zeros(8)); };
  const std::string dtype = "\"dtype\":\"F32\"", shape = "\"shape\":[2]", offsets = "\"data_offsets\":[0,8]";
  return {
      {"a name twice, with another dtype",
       raw_file("{" + entry("a", "F32", "2", "0,8") + "," + entry("a", "I32", "2", "0,8") + "}", zeros(8)),
       {"header: tensor \"a\" appears twice"}},
      {"a key twice in an entry",
       one(dtype + "," + shape + "," + offsets + "," + shape),
       {tensor_a + "shape appears twice"}},
      {"a name twice after unescaping",
       raw_file("{" + entry("a", "F32", "2", "0,8") + "," + entry("\\u0061", "F32", "2", "8,16") + "}", zeros(16)),
       {"header: tensor \"a\" appears twice"}},
      {"no dtype", one(shape + "," + offsets), {tensor_a + "dtype is missing"}},
      {"no shape", one(dtype + "," + offsets), {tensor_a + "shape is missing"}},
      {"no data_offsets", one(dtype + "," + shape), {tensor_a + "data_offsets is missing"}},
      {"an array as entry", raw_file("{\"a\":[]}"), {tensor_a + "expected an object", "found an array"}},
      {"null as entry", raw_file("{\"a\":null}"), {tensor_a + "expected an object", "found null"}},
  };
}

std::vector<Malformed> dtype_cases() {
  const auto typed = [](const std::string& dtype) {
    return raw_file("{\"a\":{\"dtype\":" + dtype + ",\"shape\":[2],\"data_offsets\":[0,8]}}", zeros(8));
  };
  return {
      {"an unknown dtype", typed("\"F33\""), {tensor_a + "dtype: expected a type", "found \"F33\""}},
      {"a lower-case dtype", typed("\"f32\""), {tensor_a + "dtype: expected a type", "found \"f32\""}},
      {"a number as dtype", typed("32"), {tensor_a + "dtype: expected a type", "found 32"}},
      {"a dtype of another size", typed("\"F16\""), {tensor_a + "expected 4 bytes for F16 (2), found 8"}},
  };
}

std::vector<Malformed> shape_cases() {
  const auto shaped = [](const std::string& shape, std::size_t bytes = 8) {
    return raw_file("{" + entry("a", "F32", shape, "0," + std::to_string(bytes)) + "}", zeros(bytes));
  };
  const std::string expected = tensor_a + "shape: expected integers in [0, 281474976710656], found ";
  const std::string uncountable = "has more bytes than can be counted";
  return {
      {"a string", shaped("\"2\""), {expected + "\"2\""}},
      {"a float", shaped("2.0"), {expected + "the number 2"}},
      {"an exponent", shaped("2e0"), {expected + "the number 2"}},
      {"two negatives", shaped("-1,-2"), {expected + "-1"}},
      {"minus zero", shaped("-0", 0), {expected + "the number -0"}},
      {"a boolean", shaped("true"), {expected + "true"}},
      {"nested", shaped("[2]"), {expected + "an array"}},
      {"a product that wraps to 0", shaped("4294967296,4294967296", 0), {tensor_a, uncountable}},
      {"a product that wraps to 4", shaped("4194305,4194305,211106198978564", 16), {tensor_a, uncountable}},
      {"bytes that wrap", shaped("65536,281474976710656", 0), {tensor_a, uncountable}},
      {"2^64+1", shaped("18446744073709551617"), {expected}},
      {"0 times huge", shaped("0,281474976710656,281474976710656", 0), {tensor_a, uncountable}},
      {"huge times 0", shaped("281474976710656,281474976710656,0", 0), {tensor_a, uncountable}},
      {"rank 4096", shaped(repeated("1,", 4095) + "1", 4), {tensor_a + "shape: expected at most 8 dimensions"}},
      {"smaller than its bytes", shaped("1"), {tensor_a + "expected 4 bytes for F32 (1), found 8"}},
      {"larger than its bytes", shaped("3"), {tensor_a + "expected 12 bytes for F32 (3), found 8"}},
      {"beyond 2^48", shaped("281474976710657", 0), {expected + "281474976710657"}},
      {"a number", raw_file("{\"a\":{\"shape\":2}}"), {tensor_a + "shape: expected an array, found 2"}},
  };
}

std::vector<Malformed> offset_cases() {
  const auto placed = [](const std::string& offsets) {
    return raw_file("{" + entry("a", "F32", "2", offsets) + "}", zeros(8));
  };
  const auto two = [](const std::string& first, const std::string& second, std::size_t bytes) {
    return raw_file("{" + entry("a", "F32", "2", first) + "," + entry("b", "F32", "2", second) + "}", zeros(bytes));
  };
  std::string aliases = "{";
  for (int i = 0; i < 100'000; ++i) aliases += (i ? "," : "") + entry("t" + std::to_string(i), "F32", "2", "0,8");
  const std::string offsets = tensor_a + "data_offsets";
  return {
      {"reversed", placed("8,0"), {offsets + " [8, 0] end before they begin"}},
      {"negative", placed("-8,0"), {offsets + ": expected integers >= 0, found -8"}},
      {"past the end", placed("8,16"), {offsets + " [8, 16] reach past the file's 8 bytes of data"}},
      {"a hole at the start", two("8,16", "16,24", 24), {offsets + " [8, 16] leave a hole", "at byte 0"}},
      {"a hole in the middle",
       two("0,8", "12,20", 20),
       {"tensor \"b\": data_offsets [12, 20] leave a hole", "at byte 8"}},
      {"an overlap", two("0,8", "4,12", 12), {"tensor \"b\": data_offsets [4, 12] overlap", "at byte 8"}},
      {"an alias", two("0,8", "0,8", 8), {"data_offsets [0, 8] overlap", "at byte 8"}},
      {"three", placed("0,4,8"), {offsets + ": expected 2 integers, found more"}},
      {"one", placed("8"), {offsets + ": expected 2 integers, found 1"}},
      {"2^64-1",
       placed("0,18446744073709551615"),
       {offsets + ": expected integers >= 0, found the number 1.8446744073709552e+19"}},
      {"4 MiB declared, 1 byte there",
       raw_file("{" + entry("a", "F32", "1048576", "0,4194304") + "}", "x"),
       {offsets + " [0, 4194304] reach past the file's 1 bytes of data"}},
      {"100,000 aliases", raw_file(aliases + "}", zeros(8)), {"overlap"}},
      {"a fraction", placed("0,8.0"), {offsets + ": expected integers >= 0, found the number 8"}},
      {"a tensor of no bytes inside another",
       raw_file("{" + entry("a", "F32", "2", "0,8") + "," + entry("z", "F32", "0", "4,4") + "}", zeros(8)),
       {"tensor \"z\": data_offsets [4, 4] overlap"}},
  };
}

std::vector<Malformed> metadata_cases() {
  const auto with = [](const std::string& metadata) {
    return raw_file("{\"__metadata__\":" + metadata + "," + sound.substr(1), zeros(8));
  };
  return {
      {"a number", with("{\"n\":1}"), {"__metadata__.n: expected a string, found 1"}},
      {"an array", with("[]"), {"__metadata__: expected an object, found an array"}},
      {"a key twice", with("{\"n\":\"1\",\"n\":\"2\"}"), {"__metadata__: the key \"n\" appears twice"}},
      {"given twice", with("{},\"__metadata__\":{}"), {"the key \"__metadata__\" appears twice"}},
  };
}

void expect_refused(const std::vector<Malformed>& cases) {
  const TemporaryDirectory folder;
  const std::string path = folder.path("m.safetensors");
  for (const Malformed& bad : cases) {
    io::write_file(path, bad.bytes);
    const std::string message = file_error_of([&] { SafetensorsFile file(path); });
    EXPECT_EQ(message.substr(0, path.size() + 2), path + ": ") << "accepted: " << bad.what;
    for (const std::string& words : bad.words)
      EXPECT_NE(message.find(words), message.npos) << bad.what << ": " << message;
    EXPECT_LT(message.size(), 600U) << bad.what;
  }
}

TEST(SafetensorsHeader, RefusesDamagedFiles) { expect_refused(file_cases()); }
TEST(SafetensorsHeader, RefusesDamagedJson) { expect_refused(json_cases()); }
TEST(SafetensorsHeader, RefusesDamagedEntries) { expect_refused(entry_cases()); }
TEST(SafetensorsHeader, RefusesDamagedDTypes) { expect_refused(dtype_cases()); }
TEST(SafetensorsHeader, RefusesDamagedShapes) { expect_refused(shape_cases()); }
TEST(SafetensorsHeader, RefusesDamagedOffsets) { expect_refused(offset_cases()); }
TEST(SafetensorsHeader, RefusesDamagedMetadata) { expect_refused(metadata_cases()); }

/// What the file on the left gives when it is opened.
SafetensorsFile opened(const TemporaryDirectory& folder, const std::string& bytes) {
  io::write_file(folder.path("g.safetensors"), bytes);
  return SafetensorsFile(folder.path("g.safetensors"));
}

TEST(SafetensorsHeader, AcceptsEveryUnusualButRightFile) {
  const TemporaryDirectory folder;
  const std::string long_name(70'000, 'n'), odd = entry("o", "U8", "1", "0,1") + "," + entry("d", "F64", "1", "1,9");
  const struct {
    const char* what;
    std::string bytes;
    std::size_t tensors;
  } cases[] = {
      {"no tensors", raw_file("{}"), 0},
      {"only metadata", raw_file("{\"__metadata__\":{\"format\":\"pt\"}}"), 0},
      {"a scalar", raw_file("{" + entry("a", "F32", "", "0,4") + "}", zeros(4)), 1},
      {"a zero extent", raw_file("{" + entry("a", "F32", "3,0,2", "0,0") + "}"), 1},
      {"no bytes at a shared offset",
       raw_file("{" + entry("a", "F32", "1", "0,4") + "," + entry("y", "F32", "0", "0,0") + "," +
                    entry("z", "F32", "0", "4,4") + "," + entry("x", "I8", "0", "4,4") + "}",
                zeros(4)),
       4},
      {"padding before the header", raw_file("  \n\t" + sound, zeros(8)), 1},
      {"padding after the header", raw_file(sound + "   \r\n", zeros(8)), 1},
      {"names and offsets out of order",
       raw_file("{" + entry("b", "F32", "1", "4,8") + "," + entry("a", "F32", "1", "0,4") + "}", zeros(8)), 2},
      {"F64 at an odd address", raw_file("{" + odd + "}", zeros(9)), 2},
      {"a NaN with a payload", raw_file("{" + entry("a", "F32", "1", "0,4") + "}", "\x01\x02\x80\x7f"), 1},
      {"BOOL bytes 2 and 255", raw_file("{" + entry("a", "BOOL", "2", "0,2") + "}", "\x02\xff"), 1},
      {"a surrogate pair", raw_file("{" + entry("\\ud83d\\udc31", "F32", "1", "0,4") + "}", zeros(4)), 1},
      {"a name of 70 kB", raw_file("{" + entry(long_name, "F32", "1", "0,4") + "}", zeros(4)), 1},
      {"control characters in a name",
       raw_file("{" + entry("\\u0000\\n\\u001b[31m", "F32", "1", "0,4") + "}", zeros(4)), 1},
      {"an extent of 2^48", raw_file("{" + entry("a", "U8", "281474976710656,0", "0,0") + "}"), 1},
      {"rank 8", raw_file("{" + entry("a", "U8", "1,1,1,1,1,1,1,1", "0,1") + "}", "x"), 1},
  };
  for (const auto& good_case : cases) {
    std::size_t tensors = 99;
    const std::string message = file_error_of([&] { tensors = opened(folder, good_case.bytes).tensors().size(); });
    EXPECT_EQ(message, "") << good_case.what;
    EXPECT_EQ(tensors, good_case.tensors) << good_case.what;
  }
}

// Where the format leaves it open: a field that we do not know could change the meaning of the others; null says
// nothing.
TEST(SafetensorsHeader, RefusesAnUnknownFieldAndTakesNullForNoMetadata) {
  const TemporaryDirectory folder;
  const std::string extra = sound.substr(0, sound.size() - 2) + ",\"order\":\"F\"}}";
  const std::string message = file_error_of([&] { opened(folder, raw_file(extra, zeros(8))); });
  EXPECT_NE(message.find(tensor_a + "expected only dtype, shape and data_offsets, found the key \"order\""),
            message.npos)
      << message;
  const SafetensorsFile file = opened(folder, raw_file("{\"__metadata__\":null," + sound.substr(1), zeros(8)));
  EXPECT_TRUE(file.metadata().empty());
  EXPECT_EQ(file.tensors().size(), 1U);
}

TEST(SafetensorsHeader, HoldsToItsLimits) {
  const std::string two = "{" + entry("a", "U8", "1,1", "0,1") + "," + entry("b", "U8", "1", "1,2") + "}";
  const std::string metadata = "{\"__metadata__\":{\"a\":\"\",\"b\":\"\"}}";
  const auto message = [](const std::string& json, std::uint64_t bytes, SafetensorsLimits limits) {
    return file_error_of([&] { (void)parse_safetensors_header(json, bytes, "m", limits); });
  };
  SafetensorsLimits limits;
  limits.tensors = limits.rank = limits.metadata_entries = 2;
  limits.extent = 1;
  EXPECT_EQ(message(two, 2, limits), "");
  EXPECT_EQ(message(metadata, 0, limits), "");
  limits.tensors = 1;
  EXPECT_NE(message(two, 2, limits).find("more than 1 tensors"), std::string::npos);
  limits.rank = 1;
  EXPECT_NE(message(two, 2, limits).find("shape: expected at most 1 dimensions"), std::string::npos);
  limits.extent = 0;
  EXPECT_NE(message(two, 2, limits).find("shape: expected integers in [0, 0], found 1"), std::string::npos);
  limits.metadata_entries = 1;
  EXPECT_NE(message(metadata, 0, limits).find("__metadata__: more than 1 entries"), std::string::npos);
}

TEST(SafetensorsHeader, EscapesNamesInMessages) {
  const std::string name = "\\u001b[31m" + std::string(100'000, 'x');
  const std::string message =
      file_error_of([&] { (void)parse_safetensors_header("{" + entry(name, "F32", "1", "0,8") + "}", 8, "m"); });
  EXPECT_NE(message.find("tensor \"\\x1b[31mxxx"), std::string::npos);
  EXPECT_LT(message.size(), 500U);
}

TEST(SafetensorsHeader, KeepsNamesAndMetadataInTheirOrder) {
  const std::string json = "{" + entry("b", "U8", "1", "1,2") + ",\"__metadata__\":{\"z\":\"1\",\"a\":\"2\"}," +
                           entry("a", "U8", "1", "0,1") + "}";
  const SafetensorsHeader header = parse_safetensors_header(json, 2, "m");
  ASSERT_EQ(header.tensors.size(), 2U);
  EXPECT_EQ(header.tensors[0].name, "b");
  EXPECT_EQ(header.tensors[0].begin, 1U);
  EXPECT_EQ(header.tensors[1].name, "a");
  EXPECT_EQ(header.metadata, (Metadata{{"z", "1"}, {"a", "2"}}));
}

TEST(TensorBytes, DoesNotDependOnTheOrderOfTheExtents) {
  const std::int64_t huge = std::int64_t{1} << 40;
  EXPECT_EQ(tensor_bytes(DType::f32, {}), 4U);
  EXPECT_EQ(tensor_bytes(DType::bf16, {3, 5}), 30U);
  EXPECT_EQ(tensor_bytes(DType::f32, {0, huge}), 0U);
  EXPECT_EQ(tensor_bytes(DType::f32, {huge, 0}), 0U);
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{0, huge, huge}, {huge, 0, huge}, {huge, huge, 0}}) {
    EXPECT_EQ(tensor_bytes(DType::f32, shape), std::nullopt);
  }
  EXPECT_EQ(tensor_bytes(DType::u8, {std::int64_t{1} << 31, std::int64_t{1} << 31}), std::uint64_t{1} << 62);
  EXPECT_EQ(tensor_bytes(DType::u8, {std::int64_t{1} << 31, (std::int64_t{1} << 31) + 1}), std::nullopt);
}

// Changed, dropped and doubled bytes: a file is refused with file_error or has the properties that were promised.
TEST(SafetensorsHeader, SurvivesRandomDamage) {
  const std::string json = "{\"__metadata__\":{\"format\":\"pt\"}," + entry("a.b", "F32", "2,3", "0,24") + "," +
                           entry("c", "BF16", "", "24,26") + "," + entry("d", "I64", "0,7", "26,26") + "}";
  const char* const pieces[] = {"0", "-1", "1e3", "4294967296", "18446744073709551616", "[", "]", "{",
                                "}", "\"", ",",   ":"};
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = json;
    for (std::size_t edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % bad.size();
      switch (random() % 4) {
        case 0:
          bad[at] = static_cast<char>(random() % 256);
          break;
        case 1:
          bad.erase(at, 1 + random() % 4);
          break;
        case 2:
          bad.insert(at, bad.substr(random() % bad.size(), random() % 40));
          break;
        default:
          bad.insert(at, pieces[random() % std::size(pieces)]);
      }
    }
    try {
      const SafetensorsHeader header = parse_safetensors_header(bad, 26, "m");
      std::uint64_t bytes = 0;
      for (const TensorInfo& t : header.tensors) {
        ASSERT_LE(t.end, 26U) << bad;
        ASSERT_EQ(t.bytes(), tensor_bytes(t.dtype, t.shape)) << bad;
        bytes += t.bytes();
      }
      ASSERT_EQ(bytes, 26U) << bad;
      ++accepted;
    } catch (const file_error& error) {
      ASSERT_EQ(std::string(error.what()).substr(0, 3), "m: ");
    }
  }
  EXPECT_GT(accepted, 100);  // letters of names may change
}

}  // namespace
}  // namespace couplet::checkpoint
