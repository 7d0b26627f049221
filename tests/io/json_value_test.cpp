#include "couplet/io/json_value.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "support/file_errors.hpp"

namespace couplet::io {
namespace {

using test::file_error_of;

Json parse(const std::string& text) { return Json::parse(text, "f.json"); }

TEST(Json, HoldsEveryKindOfValue) {
  const Json json =
      parse(R"({"n": null, "b": true, "i": 9223372036854775807, "d": 0.25, "s": "x", "a": [1, 2], "o": {}})");
  ASSERT_TRUE(json.is_object());
  EXPECT_TRUE(json.find("n")->is_null());
  EXPECT_TRUE(json.find("b")->as_boolean());
  EXPECT_EQ(json.find("i")->as_integer(), 9223372036854775807);
  EXPECT_EQ(json.find("d")->as_number(), 0.25);
  EXPECT_EQ(json.find("s")->as_string(), "x");
  EXPECT_EQ(json.find("a")->items().at(1).as_integer(), 2);
  EXPECT_TRUE(json.find("o")->members().empty());
  EXPECT_EQ(json.find("x"), nullptr);
}

TEST(Json, ReadsAnIntegerAsANumberButNotTheReverse) {
  EXPECT_EQ(parse("3").as_number(), 3.0);
  for (const char* text : {"3.0", "3e0", "-0", "9223372036854775808", "18446744073709551616"}) {
    EXPECT_TRUE(parse(text).is_number()) << text;
    EXPECT_FALSE(parse(text).is_integer()) << text;
    EXPECT_THROW((void)parse(text).as_integer(), file_error) << text;
  }
}

TEST(Json, RefusesEveryOtherKind) {
  for (const char* text : {"null", "true", "1", "1.5", "\"x\"", "[]", "{}"}) {
    const Json json = parse(text);
    const auto refuses = [](auto call) { return !file_error_of(call).empty(); };
    EXPECT_EQ(refuses([&] { (void)json.as_boolean(); }), !json.is_boolean()) << text;
    EXPECT_EQ(refuses([&] { (void)json.as_integer(); }), !json.is_integer()) << text;
    EXPECT_EQ(refuses([&] { (void)json.as_number(); }), !json.is_number()) << text;
    EXPECT_EQ(refuses([&] { (void)json.as_string(); }), !json.is_string()) << text;
    EXPECT_EQ(refuses([&] { (void)json.items(); }), !json.is_array()) << text;
    EXPECT_EQ(refuses([&] { (void)json.members(); }), !json.is_object()) << text;
    EXPECT_EQ(refuses([&] { (void)json.find("a"); }), !json.is_object()) << text;
  }
  EXPECT_EQ(file_error_of([] { (void)parse("\"x\"").as_integer(); }), "expected an integer, found \"x\"");
}

TEST(Json, DescribesAnyValueInOneShortLine) {
  EXPECT_EQ(parse("null").describe(), "null");
  EXPECT_EQ(parse("false").describe(), "false");
  EXPECT_EQ(parse("-7").describe(), "-7");
  EXPECT_EQ(parse("1e-05").describe(), "the number 1e-05");
  EXPECT_EQ(parse("18446744073709551615").describe(), "the number 1.8446744073709552e+19");
  EXPECT_EQ(parse("65536.0").describe(), "the number 65536");
  EXPECT_EQ(parse("[1]").describe(), "an array");
  EXPECT_EQ(parse("{}").describe(), "an object");
  EXPECT_EQ(parse("\"a\\n" + std::string(1000, 'b') + "\"").describe(), "\"a\\x0a" + std::string(59, 'b') + "...\"");
}

TEST(Json, KeepsTheOrderOfTheText) {
  std::string order;
  const Json json = parse(R"({"z": 1, "a": 2, "m": 3})");
  for (const auto& member : json.members()) order += member.first;
  EXPECT_EQ(order, "zam");
}

TEST(Json, FindsEachOfManyMembers) {
  std::string text = "{";
  for (int i = 0; i < 5000; ++i)
    text += (i ? ",\"k" : "\"k") + std::to_string(i * 37 % 5000) + "\":" + std::to_string(i);
  const Json json = parse(text + "}");
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(json.find("k" + std::to_string(i * 37 % 5000))->as_integer(), i);
  EXPECT_EQ(json.find("k5000"), nullptr);
}

TEST(Json, RefusesAKeyThatAppearsTwice) {
  EXPECT_EQ(file_error_of([] { parse(R"({"a": 1, "b": 2, "a": 3})"); }),
            "f.json: line 1, byte 24: the key \"a\" appears twice in one object");
  EXPECT_NE(file_error_of([] { parse(R"([{"x": {"key": 1, "\u006bey": 1}}])"); }), "");  // equal after unescaping
  EXPECT_NE(file_error_of([] { parse(R"({"": 1, "": 1})"); }), "");
  EXPECT_EQ(file_error_of([] { parse(R"({"a": {"a": [{"a": 1}, {"a": 2}]}, "A": 1})"); }), "");
}

TEST(Json, OutlivesTheWholeItWasPartOf) {
  std::optional<Json> whole = parse(R"({"a": {"b": ["text long enough for the heap to hold it"]}})");
  const Json part = *whole->find("a");
  whole.reset();
  EXPECT_EQ(part.find("b")->items().at(0).as_string(), "text long enough for the heap to hold it");
}

TEST(Json, IsNullByDefault) { EXPECT_TRUE(Json().is_null()); }

}  // namespace
}  // namespace couplet::io
