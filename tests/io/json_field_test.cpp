#include "couplet/io/json_field.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/file_errors.hpp"

namespace couplet::io {
namespace {

using test::file_error_of;

JsonField field(const std::string& text) { return JsonField(Json::parse(text, "config.json"), "config.json"); }

TEST(JsonField, ReadsValuesByPath) {
  const JsonField root = field(R"({"vision_config": {"hidden_size": 768, "eps": 1e-05, "act": "gelu", "on": true}})");
  const JsonField vision = root.at("vision_config");
  EXPECT_EQ(vision.at("hidden_size").integer(1, 65536), 768);
  EXPECT_EQ(vision.at("hidden_size").number(0, 1e9), 768.0);
  EXPECT_EQ(vision.at("eps").number(0, 1), 1e-05);
  EXPECT_EQ(vision.at("act").string(), "gelu");
  EXPECT_TRUE(vision.at("on").boolean());
  EXPECT_EQ(vision.at("act").path(), "vision_config.act");
  EXPECT_EQ(root.path(), "");
  EXPECT_EQ(root.file(), "config.json");
}

TEST(JsonField, NamesFileAndKeyInEveryError) {
  const JsonField root = field(R"({"vision_config": {"hidden_size": "x", "list": [1, [true]]}, "n": null})");
  const JsonField vision = root.at("vision_config");
  EXPECT_EQ(file_error_of([&] { (void)vision.at("hidden_size").integer(1, 65536); }),
            "config.json: vision_config.hidden_size: expected an integer in [1, 65536], found \"x\"");
  EXPECT_EQ(file_error_of([&] { (void)vision.at("hidden_size").number(0, 0.5); }),
            "config.json: vision_config.hidden_size: expected a number in [0, 0.5], found \"x\"");
  EXPECT_EQ(file_error_of([&] { (void)vision.boolean(); }),
            "config.json: vision_config: expected true or false, found an object");
  EXPECT_EQ(file_error_of([&] { (void)vision.string(); }),
            "config.json: vision_config: expected a string, found an object");
  EXPECT_EQ(file_error_of([&] { (void)vision.items(); }),
            "config.json: vision_config: expected an array, found an object");
  EXPECT_EQ(file_error_of([&] { (void)vision.at("width"); }), "config.json: vision_config.width: missing");
  EXPECT_EQ(file_error_of([&] { (void)vision.at("list").at("x"); }),
            "config.json: vision_config.list: expected an object, found an array");
  EXPECT_EQ(file_error_of([&] { (void)vision.at("list").find("x"); }),
            "config.json: vision_config.list: expected an object, found an array");
  EXPECT_EQ(file_error_of([&] { (void)vision.at("list").items().at(1).items().at(0).string(); }),
            "config.json: vision_config.list[1][0]: expected a string, found true");
  EXPECT_EQ(file_error_of([&] { (void)root.at("n").integer(0, 1); }),
            "config.json: n: expected an integer in [0, 1], found null");
  EXPECT_EQ(file_error_of([&] { root.fail("of another family"); }), "config.json: of another family");
}

TEST(JsonField, HoldsIntegersToTheirRange) {
  for (const char* good : {"1", "7", "10"}) EXPECT_EQ(field(good).integer(1, 10), std::stoi(good));
  for (const char* bad : {"0", "11", "-1", "-0", "1.0", "1e0", "2147483648", "9007199254740993", "18446744073709551617",
                          "true", "null", "\"1\"", "[1]", "{}"}) {
    EXPECT_NE(file_error_of([&] { (void)field(bad).integer(1, 10); }), "") << bad;
  }
}

TEST(JsonField, HoldsNumbersToTheirRange) {
  for (const char* good : {"0", "0.5", "1", "1.0", "-0"}) EXPECT_EQ(field(good).number(0, 1), std::stod(good));
  for (const char* bad : {"-1e-300", "1.0000000000000002", "1e300", "\"0\"", "null", "false", "[]"}) {
    EXPECT_NE(file_error_of([&] { (void)field(bad).number(0, 1); }), "") << bad;
  }
}

TEST(JsonField, TakesNullForAbsentOnlyInFind) {
  const JsonField root = field(R"({"n": null, "z": 0})");
  EXPECT_FALSE(root.find("n"));
  EXPECT_FALSE(root.find("x"));
  EXPECT_EQ(root.find("z").value().integer(0, 0), 0);
  EXPECT_TRUE(root.at("n").value().is_null());
}

TEST(JsonField, ListsMembersInOrder) {
  std::string seen;
  for (const auto& [key, member] : field(R"({"b": 1, "a": 2})").members()) {
    seen += key + std::to_string(member.integer(0, 9)) + member.path();
  }
  EXPECT_EQ(seen, "b1ba2a");
  EXPECT_NE(file_error_of([] { (void)field("[]").members(); }), "");
}

TEST(JsonField, EscapesKeysInErrors) {
  EXPECT_EQ(file_error_of([] { (void)field(R"({"a\nb": 1})").at("a\nb").string(); }),
            "config.json: a\\x0ab: expected a string, found 1");
}

}  // namespace
}  // namespace couplet::io
