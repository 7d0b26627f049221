#include "couplet/tokenizers/tokenizer_json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/file_errors.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::file_error_of;

io::JsonField field_of(const std::string& text) { return io::JsonField(io::Json::parse(text, "f"), "f"); }

TEST(TokenizerJsonParts, ReadsTheFlagsOfAnAddedToken) {
  const AddedToken plain = parse_added_token(field_of(R"({"content": "<a>"})"));
  EXPECT_EQ(plain, (AddedToken{.content = "<a>"}));
  const AddedToken other = parse_added_token(field_of(R"({"content": "<a>", "normalized": true, "special": false})"));
  EXPECT_TRUE(other.normalized && !other.special);
  EXPECT_NE(file_error_of([] { parse_added_token(field_of(R"({"content": ""})")); }).find("without text"),
            std::string::npos);
}

TEST(TokenizerJsonParts, StrippingCountsWhereSpacesMatter) {
  const auto field = field_of(R"({"content": "<a>", "lstrip": true, "rstrip": true})");
  EXPECT_EQ(file_error_of([&] { parse_added_token(field); }), "f: lstrip: expected false (not supported), found true");
  EXPECT_EQ(parse_added_token(field, SpacesMatter::no).content, "<a>");
  const auto single = field_of(R"({"content": "<a>", "single_word": true})");
  EXPECT_NE(file_error_of([&] { parse_added_token(single, SpacesMatter::no); }), "");
}

TEST(TokenizerJsonParts, AnAddedTokenIsThereOrTheNext) {
  std::vector<std::string> tokens{"a", "b"};
  place_added_token({.content = "b", .id = 1}, tokens, "f");
  EXPECT_EQ(tokens.size(), 2U);
  place_added_token({.content = "c", .id = 2}, tokens, "f");
  EXPECT_EQ(tokens, (std::vector<std::string>{"a", "b", "c"}));
  const auto error = [&](std::int64_t id) {
    return file_error_of([&] { place_added_token({.content = "x", .id = id}, tokens, "f"); });
  };
  EXPECT_EQ(error(1), "f: added token \"x\": its id 1 is that of \"b\"");
  EXPECT_EQ(error(4), "f: added token \"x\": expected an id in [0, 3], found 4");
  EXPECT_NE(error(-1), "");
}

TEST(TokenizerJsonParts, ReadsListsOfAddedTokensById) {
  std::vector<std::string> tokens{"a"};
  const auto list = field_of(R"([{"content": "c", "id": 2}, {"content": "b", "id": 1}])");
  EXPECT_EQ(tokenizers::detail::read_added_tokens(list, tokens).at(0).id, 2);  // in the order of the file
  EXPECT_EQ(tokens, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(TokenizerJsonParts, ReadsWhatStandsAroundAText) {
  const std::vector<std::string> tokens{"<s>", "</s>", "x"};
  const std::string special = R"("special_tokens": {"S": {"id": "S", "ids": [0], "tokens": ["<s>"]},
                                  "E": {"id": "E", "ids": [1], "tokens": ["</s>"]}})";
  const auto read = [&](const std::string& single) {
    return tokenizers::detail::read_template(
        field_of(R"({"type": "TemplateProcessing", "single": [)" + single + "], " + special + "}"), tokens);
  };
  const std::string s = R"({"SpecialToken": {"id": "S"}})", e = R"({"SpecialToken": {"id": "E"}})";
  const std::string text = R"({"Sequence": {"id": "A"}})";
  EXPECT_EQ(read(s + "," + text + "," + e).start, 0);
  EXPECT_EQ(read(s + "," + text + "," + e).end, 1);
  EXPECT_EQ(read(text + "," + e).start, std::nullopt);
  EXPECT_EQ(read(text + "," + e).end, 1);
  EXPECT_EQ(read(text).end, std::nullopt);
  for (const std::string& bad :
       {s, e + "," + s + "," + text, text + "," + text, text + "," + e + "," + e, std::string()}) {
    EXPECT_NE(file_error_of([&] { read(bad); }).find("at most one token"), std::string::npos) << bad;
  }
  EXPECT_NE(file_error_of([&] { read(text + R"(,{"SpecialToken": {"id": "X"}})"); }).find("X: missing"),
            std::string::npos);
  EXPECT_NE(file_error_of([&] {
              tokenizers::detail::read_template(field_of(R"({"type": "Other"})"), tokens);
            }).find("found \"Other\""),
            std::string::npos);
}

TEST(TokenizerJsonParts, ReadsMergesOfBothForms) {
  using tokenizers::detail::read_merges;
  const std::vector<ByteLevelBpe::Merge> expected{{"a", "b"}, {"ab", "c"}};
  EXPECT_EQ(read_merges(field_of(R"(["a b", "ab c"])")), expected);
  EXPECT_EQ(read_merges(field_of(R"([["a", "b"], ["ab", "c"]])")), expected);
  EXPECT_EQ(read_merges(field_of(R"([["a", " "]])")).at(0).second, " ");
  for (const char* const bad :
       {R"(["a"])", R"([["a"]])", R"([["a", "b", "c"]])", R"(["a b", ["a", "b"]])", "[1]", "{}"}) {
    EXPECT_NE(file_error_of([&] { read_merges(field_of(bad)); }), "") << bad;
  }
}

TEST(TokenizerJsonParts, RefusesOptionsThatMakeOtherIds) {
  using tokenizers::detail::check_bpe_options;
  check_bpe_options(field_of(R"({"dropout": null, "x": false})"), {"x", "y"});
  check_bpe_options(field_of(R"({"dropout": 0.0})"), {});
  EXPECT_NE(file_error_of([] { check_bpe_options(field_of(R"({"dropout": 0.1})"), {}); }), "");
  EXPECT_NE(file_error_of([] { check_bpe_options(field_of(R"({"x": true})"), {"x"}); }), "");
}

}  // namespace
