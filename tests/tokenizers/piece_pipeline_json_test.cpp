#include "couplet/tokenizers/piece_pipeline_json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "couplet/tokenizers/context_length.hpp"
#include "support/file_errors.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::file_error_of;
using Ids = std::vector<std::int64_t>;

const std::string unigrams = R"({
  "added_tokens": [{"id": 1, "content": "</s>", "rstrip": true}],
  "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "Strip", "strip_left": false, "strip_right": true},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]},
  "pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "add_prefix_space": true},
  "post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "E"}}],
    "special_tokens": {"E": {"id": "E", "ids": [1], "tokens": ["</s>"]}}},
  "padding": {"pad_id": 0},
  "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": false,
    "vocab": [["<pad>", 0], ["</s>", 0.0], ["<unk>", 0], ["▁a", -1.5], ["b", -2], ["▁", -3]]}})";

/// 0 <unk>, 1 </s>, 2..257 bytes, 258 a, 259 b, 260 ▁, 261 ab, 262 ab▁
std::string character_bpe() {
  std::string vocabulary = R"("<unk>": 0, "</s>": 1)";
  int id = 2;
  for (unsigned byte = 0; byte < 256; ++byte) vocabulary += ", \"" + byte_piece(byte) + "\": " + std::to_string(id++);
  for (const char* const token : {"a", "b", "▁", "ab", "ab▁"}) {
    vocabulary += std::string(", \"") + token + "\": " + std::to_string(id++);
  }
  return R"({"added_tokens": [], "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
    "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": false},
    "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null,
      "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
      "vocab": {)" +
         vocabulary + R"(}, "merges": [["a", "b"], ["ab", "▁"]]}})";
}

io::JsonField parse(const std::string& text) { return io::JsonField(io::Json::parse(text, "f"), "f"); }

Ids encode(const std::string& text, std::u32string_view words) {
  Ids ids;
  make_pipeline(read_piece_pipeline(parse(text)), "f")->append(words, no_limit, ids);
  return ids;
}

std::string error_with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
  return file_error_of([&] { static_cast<void>(make_pipeline(read_piece_pipeline(parse(text)), "f")); });
}

TEST(PiecePipelineJson, ReadsUnigrams) {
  const PiecePipelineJson json = read_piece_pipeline(parse(unigrams));
  EXPECT_TRUE(json.unigram);
  EXPECT_EQ(json.unknown, 2);
  EXPECT_EQ(json.start, std::nullopt);
  EXPECT_EQ(json.end, 1);
  EXPECT_EQ(json.pad, 0);
  EXPECT_FALSE(json.parts.whitespace_split);
  EXPECT_EQ(encode(unigrams, U"A   b </s>b  "), (Ids{3, 5, 4, 1, 5, 4}));
}

TEST(PiecePipelineJson, ReadsCharacterBpe) {
  const std::string text = character_bpe();
  EXPECT_FALSE(read_piece_pipeline(parse(text)).unigram);
  EXPECT_EQ(encode(text, U"ab ba\u20ac"), (Ids{262, 259, 258, 2 + 0xe2, 2 + 0x82, 2 + 0xac}));
}

TEST(PiecePipelineJson, KnowsItsKind) {
  EXPECT_TRUE(is_piece_pipeline(parse(unigrams)));
  EXPECT_TRUE(is_piece_pipeline(parse(character_bpe())));
  EXPECT_FALSE(is_piece_pipeline(parse(R"({"model": {"type": "BPE", "byte_fallback": false}})")));
  EXPECT_FALSE(is_piece_pipeline(parse(R"({"model": {"type": "WordPiece"}})")));
  EXPECT_NE(file_error_of([] { static_cast<void>(is_piece_pipeline(parse("{}"))); }), "");
}

TEST(PiecePipelineJson, RefusesPartsThatWouldMakeOtherIds) {
  const struct {
    const char *from, *to, *expected;
  } cases[] = {
      {R"("type": "Lowercase")", R"("type": "Nmt9")", "found \"Nmt9\""},
      {R"({"type": "Lowercase"})", R"({"type": "Sequence", "normalizers": []})", "found \"Sequence\""},
      {R"({"type": "Lowercase"})", "1", "normalizer.normalizers[0]"},
      {R"("Regex": " {2,}")", R"("Regex": " +")", "pattern: expected a String"},
      {R"("content": "▁"})", R"("content": 1})", "content: expected a string"},
      {R"({"type": "Lowercase"})", R"({"type": "Precompiled", "precompiled_charsmap": "!"})", "not base64"},
      {R"({"type": "Lowercase"})", R"({"type": "Precompiled", "precompiled_charsmap": "AAAA"})",
       "character map: cut off"},
      {R"({"type": "Lowercase"})", R"({"type": "Replace", "pattern": {"String": ""}, "content": ""})", "pattern"},
      {R"("add_prefix_space": true)", R"("add_prefix_space": false)", "found \"Metaspace\""},
      {R"("add_prefix_space": true)", R"("prepend_scheme": "first")", "found \"Metaspace\""},
      {R"("add_prefix_space": true)", R"("prepend_scheme": "always", "split": false)", "found \"Metaspace\""},
      {R"("type": "Metaspace")", R"("type": "ByteLevel")", "found \"ByteLevel\""},
      {R"("type": "TemplateProcessing")", R"("type": "Other")", "found \"Other\""},
      {R"("ids": [1])", R"("ids": [9])", "expected an integer in [0, 5]"},
      {R"("ids": [1])", R"("ids": [2])", "is not the id of \"</s>\""},
      {R"("pad_id": 0)", R"("pad_id": 6)", "pad_id"},
      {R"("unk_id": 2)", R"("unk_id": 6)", "unk_id"},
      {R"("byte_fallback": false)", R"("byte_fallback": true)", "256 tokens"},
      {R"(["b", -2])", R"(["b"])", "vocab: [4]: expected a piece and its score"},
      {R"(["b", -2])", R"(["b", "-2"])", "vocab: [4]"},
      {R"(["b", -2])", R"(["", -2])", "token 4 \"\": expected a text"},
      {R"(["b", -2])", R"(["▁a", -2])", "twice"},
      {R"("id": 1, "content": "</s>")", R"("id": 8, "content": "<x>")", "expected an id in [0, 6]"},
      {R"("type": "Unigram")", R"("type": "WordPiece")", "found \"WordPiece\""},
  };
  for (const auto& c : cases) {
    EXPECT_NE(error_with(unigrams, c.from, c.to).find(c.expected), std::string::npos)
        << c.to << ": " << error_with(unigrams, c.from, c.to);
  }
  EXPECT_EQ(error_with(unigrams, R"("add_prefix_space": true)", R"("prepend_scheme": "always", "split": true)"), "");
}

TEST(PiecePipelineJson, RefusesBpeThatIsNotGemmas) {
  const struct {
    const char *from, *to, *expected;
  } cases[] = {
      {R"("dropout": null)", R"("dropout": 0.5)", "dropout"},
      {R"("fuse_unk": true)", R"("fuse_unk": false)", "fuse_unk: expected true"},
      {R"("ignore_merges": false)", R"("ignore_merges": true)", "ignore_merges"},
      {R"("end_of_word_suffix": null)", R"("end_of_word_suffix": "</w>")", "end_of_word_suffix: expected none"},
      {R"("unk_token": "<unk>")", R"("unk_token": "<x>")", "not in the vocabulary"},
      {R"(["ab", "▁"])", R"(["a", "▁"])", "merges: [1]"},
      {R"(["ab", "▁"])", R"(["a", "b"])", "the same as merge 0"},
      {R"("<0x00>": 2)", R"("<0x0>": 2)", "256 tokens"},
      {R"("<0x00>": 2)", R"("<0x00>": 900)", "expected an id in"},
      {R"("content": "▁")", R"("content": "_ ")", "found \"Split\""},
      {R"("type": "Split", "pattern": {"String": " "})", R"("type": "Split", "pattern": {"Regex": " "})",
       "found \"Split\""},
  };
  for (const auto& c : cases) {
    EXPECT_NE(error_with(character_bpe(), c.from, c.to).find(c.expected), std::string::npos)
        << c.to << ": " << error_with(character_bpe(), c.from, c.to);
  }
}

}  // namespace
