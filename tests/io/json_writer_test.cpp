#include "couplet/io/json_writer.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>

namespace couplet::io {
namespace {

using namespace std::string_literals;

template <class T>
std::string written(const T& value) {
  return JsonWriter(0).value(value).str();
}

TEST(JsonWriter, IndentsByLevel) {
  JsonWriter json;
  json.begin_object().key("a").value(1).key("b").begin_array().value("x").value(nullptr).end_array();
  json.key("c").begin_object().end_object().key("d").begin_array().end_array().end_object();
  EXPECT_EQ(json.str(), "{\n  \"a\": 1,\n  \"b\": [\n    \"x\",\n    null\n  ],\n  \"c\": {},\n  \"d\": []\n}");
}

TEST(JsonWriter, WritesOneLineWithoutIndentation) {
  JsonWriter json(0);
  json.begin_array().value(true).begin_object().key("k").value(-1).key("l").value(false).end_object().value(2U);
  EXPECT_EQ(json.end_array().str(), R"([true,{"k":-1,"l":false},2])");
}

TEST(JsonWriter, EscapesStringsAndKeepsUtf8) {
  EXPECT_EQ(written("\"\\/\n\t\r\x01\x7f"), R"("\"\\/\n\t\u000d\u0001\u007f")");
  EXPECT_EQ(written("a\0b"s), "\"a\\u0000b\"");
  EXPECT_EQ(written("caf\xc3\xa9 \xf0\x9f\x90\xb1"), "\"caf\xc3\xa9 \xf0\x9f\x90\xb1\"");
  EXPECT_EQ(written("a\xff\xc3"), "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(JsonWriter, WritesIntegersExactly) {
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(std::int8_t{-5}), "-5");
}

TEST(JsonWriter, WritesTheShortestNumberThatReadsBackEqual) {
  EXPECT_EQ(written(0.1), "0.1");
  EXPECT_EQ(written(0.1F), "0.1");
  EXPECT_EQ(written(1e-5), "1e-05");
  EXPECT_EQ(written(1.0), "1.0");
  EXPECT_EQ(written(-0.0), "-0.0");
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t bits = random() & ~(std::uint64_t{1} << 62);  // finite
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    const Json back = Json::parse(written(number), "");
    ASSERT_FALSE(back.is_integer()) << written(number);
    ASSERT_EQ(back.as_number(), number) << written(number);
  }
}

TEST(JsonWriter, CopiesAParsedValue) {
  const std::string text = R"({"z":[1,-0.0,1.5,"\"x",null,true,{}],"a":{"b":[]}})";
  EXPECT_EQ(written(Json::parse(text, "")), text);
}

TEST(JsonWriter, RefusesNumbersThatJsonDoesNotHave) {
  EXPECT_THROW(written(std::numeric_limits<double>::infinity()), std::invalid_argument);
  EXPECT_THROW(written(-std::numeric_limits<float>::infinity()), std::invalid_argument);
  EXPECT_THROW(written(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
}

TEST(JsonWriter, RefusesCallsThatWouldNotGiveJson) {
  EXPECT_THROW((void)JsonWriter().str(), std::invalid_argument);
  EXPECT_THROW((void)JsonWriter().begin_array().str(), std::invalid_argument);
  EXPECT_THROW(JsonWriter().key("a"), std::invalid_argument);
  EXPECT_THROW(JsonWriter().begin_array().key("a"), std::invalid_argument);
  EXPECT_THROW(JsonWriter().begin_object().value(1), std::invalid_argument);
  EXPECT_THROW(JsonWriter().begin_object().key("a").key("b"), std::invalid_argument);
  EXPECT_THROW(JsonWriter().begin_object().key("a").end_object(), std::invalid_argument);
  EXPECT_THROW(JsonWriter().begin_object().end_array(), std::invalid_argument);
  EXPECT_THROW(JsonWriter().end_object(), std::invalid_argument);
  EXPECT_THROW(JsonWriter().value(1).value(2), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::io
