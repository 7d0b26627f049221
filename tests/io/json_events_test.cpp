#include "couplet/io/json_events.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <new>
#include <string>
#include <vector>

#include "support/file_errors.hpp"

namespace couplet::io {
namespace {

using test::file_error_of;
using namespace std::string_literals;

/// Writes down what it is told.
struct Recorder final : JsonVisitor {
  std::vector<std::string> seen;
  std::vector<double> numbers;
  std::string refused;  // the text of a string that is not wanted
  void visit(JsonToken& token) override {
    if (token.kind == JsonToken::Kind::string && !refused.empty() && token.text == refused) reject("not wanted");
    if (token.kind == JsonToken::Kind::number) numbers.push_back(token.number);
    seen.push_back(detail::describe(token));
  }
};

std::vector<std::string> tokens(const std::string& text) {
  Recorder recorder;
  parse_json_events(text, "f.json", recorder);
  return recorder.seen;
}

std::string error(const std::string& text, const JsonLimits& limits = {}) {
  Recorder recorder;
  return file_error_of([&] { parse_json_events(text, "f.json", recorder, limits); });
}

TEST(JsonEvents, TellsTheTokensInOrder) {
  EXPECT_EQ(tokens(R"( {"a": [null, true, -3, 1.5, "x"], "b": {}} )"),
            (std::vector<std::string>{"an object", "the key \"a\"", "an array", "null", "true", "-3", "the number 1.5",
                                      "\"x\"", "the end of an array", "the key \"b\"", "an object",
                                      "the end of an object", "the end of an object"}));
}

TEST(JsonEvents, UnescapesStrings) {
  struct Last final : JsonVisitor {
    std::string text;
    void visit(JsonToken& token) override { text = token.text; }
  } last;
  parse_json_events(R"("\u00e9\ud83d\udc31\n\"\\\/\u0000")", "f.json", last);
  EXPECT_EQ(last.text, "\xc3\xa9\xf0\x9f\x90\xb1\n\"\\/\0"s);
}

TEST(JsonEvents, CallsOnlyExactIntegersIntegers) {
  EXPECT_EQ(tokens("[0,-1,9007199254740993,9223372036854775807,-9223372036854775808]"),
            (std::vector<std::string>{"an array", "0", "-1", "9007199254740993", "9223372036854775807",
                                      "-9223372036854775808", "the end of an array"}));
  for (const char* number : {"1.0", "1e3", "1E3", "-0", "-0.0", "9223372036854775808", "18446744073709551615",
                             "18446744073709551616", "18446744073709551617", "-9223372036854775809"}) {
    EXPECT_EQ(tokens(number).at(0).substr(0, 10), "the number") << number;
  }
}

TEST(JsonEvents, RoundsNumbersToTheNearestDouble) {
  Recorder recorder;
  parse_json_events("[0.1,-0,1e-400,4.9e-324,1.7976931348623157e308,0.1000000000000000055511151231257827]", "f.json",
                    recorder);
  EXPECT_EQ(recorder.numbers,
            (std::vector<double>{0.1, 0.0, 0.0, 4.9406564584124654e-324, 1.7976931348623157e308, 0.1}));
  EXPECT_EQ(std::bit_cast<std::uint64_t>(recorder.numbers.at(1)), std::uint64_t{1} << 63);  // the sign of -0
}

TEST(JsonEvents, RefusesWhatIsNotStrictJson) {
  const std::string cases[] = {
      "",
      " ",
      "x",
      "{",
      "[",
      "}",
      "[1,]",
      "[,1]",
      "{\"a\":1,}",
      "{\"a\"}",
      "{\"a\":}",
      "{a:1}",
      "{'a':1}",
      "{1:1}",
      "[1}",
      "[1]]",
      "1 2",
      "{} {}",
      "[1] x",
      "// c\n1",
      "/* c */ 1",
      "[1 // c\n]",
      "NaN",
      "[Infinity]",
      "[-Infinity]",
      "[+1]",
      "[01]",
      "[.5]",
      "[5.]",
      "[1e]",
      "[0x1]",
      "[1e999]",
      "[-1e999]",
      "tru",
      "TRUE",
      "\"a",
      "\"\\x\"",
      "\"\\u12\"",
      "\"a\nb\"",
      "\"\t\"",
      "\xef\xbb\xbf{}",      // byte order mark
      "\xff\xfe{\0}\0"s,     // UTF-16
      "\"\xff\"",            // not UTF-8
      "\"\xc0\x80\"",        // overlong
      "\"\xed\xa0\x80\"",    // a surrogate in UTF-8
      "\"\\ud800\"",         // half a pair
      "\"\\ud800\\u0041\"",  // half a pair
      "\"\\udc00\"",         // the other half
      "\"\xe2\x82\"",        // cut short
      "{}\0"s,               // NUL after, inside and before
      "{}\0\0 {}"s,
      "\"a\0b\""s,
      "\0{}"s,
      "{}\xc2\xa0",  // a space that JSON does not know
      "\v1",
  };
  for (const std::string& text : cases) {
    const std::string message = error(text);
    EXPECT_EQ(message.substr(0, 8), "f.json: ") << "accepted: " << printable(text);
    for (const char c : message) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << printable(message);
  }
}

TEST(JsonEvents, AcceptsWhatJsonAllows) {
  for (const char* text : {"null", " \t\r\n1 \t\r\n", "[]", "{}", "\"\"", "[[[]]]", "\"\x7f\"", "\"\xf4\x8f\xbf\xbf\"",
                           "1E+2", "-0.0e-0", "{\"\":0}"}) {
    EXPECT_EQ(error(text), "") << text;
  }
}

TEST(JsonEvents, NamesLineAndByte) {
  EXPECT_EQ(error("{\n \"a\": 1,\n \"b\": ?\n}"),
            "f.json: line 3, byte 18: syntax error while parsing value - invalid literal; last read: '\"b\": ?'");
  EXPECT_EQ(error("1 1").substr(0, 23), "f.json: line 1, byte 3:");
  Recorder recorder;
  recorder.refused = "no";
  EXPECT_EQ(file_error_of([&] { parse_json_events("[\"yes\",\n\"no\"]", "f.json", recorder); }),
            "f.json: line 2, byte 12: not wanted");
}

TEST(JsonEvents, KeepsMessagesShort) { EXPECT_LT(error("\"" + std::string(1'000'000, 'a')).size(), 400U); }

TEST(JsonEvents, AllowsThirtyTwoLevelsAndNoMore) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_EQ(error(nested(32)), "");
  EXPECT_EQ(error(nested(33)), "f.json: line 1, byte 33: nested deeper than 32 levels");
  EXPECT_EQ(error("[[],[[]]]", JsonLimits{2, 99}), "f.json: line 1, byte 6: nested deeper than 2 levels");
}

TEST(JsonEvents, RefusesAMillionLevelsAtTheThirtyThird) {
  for (const std::string& level : {"["s, "{\"a\":"s}) {
    std::string text;
    for (int i = 0; i < 1'000'000; ++i) text += level;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_NE(error(text).find("nested deeper than 32 levels"), std::string::npos);
    RecordProperty(
        "microseconds",
        std::to_string(
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start).count()));
  }
}

TEST(JsonEvents, LimitsTheNumberOfValues) {
  EXPECT_EQ(error("[1,2,3]", JsonLimits{32, 5}), "");  // the two ends of the array count too
  EXPECT_EQ(error("[1,2,3]", JsonLimits{32, 3}), "f.json: line 1, byte 7: more than 3 values");
}

TEST(JsonEvents, ReportsMemoryThatRanOutAsAFileError) {
  struct Hungry final : JsonVisitor {
    void visit(JsonToken&) override { throw std::bad_alloc(); }
  } hungry;
  EXPECT_EQ(file_error_of([&] { parse_json_events("[1]", "f.json", hungry); }),
            "f.json: line 1, byte 1: out of memory while reading JSON");
}

}  // namespace
}  // namespace couplet::io
