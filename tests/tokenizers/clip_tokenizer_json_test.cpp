#include "couplet/tokenizers/clip_tokenizer_json.hpp"

#include <gtest/gtest.h>

#include <string>

#include "couplet/tokenizers/tokenizer_json.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"
#include "tokenizers/golden.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::file_error_of;

/// A tokenizer.json as it is written, with every occurrence of `from` replaced.
class TokenizerJson : public testing::Test {
 protected:
  void SetUp() override {
    write_clip_tokenizer_json(test::small_tokenizer(), path_);
    text_ = io::read_file(path_, 1 << 20);
  }

  ClipTokenizerJson read() const { return read_clip_tokenizer_json(read_tokenizer_json(path_)); }

  std::string error_with(const std::string& from, const std::string& to) {
    const std::size_t at = text_.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    std::string changed = text_;
    changed.replace(at, from.size(), to);
    io::write_file(path_, changed);
    return file_error_of([&] { read(); });
  }

  const test::TemporaryDirectory folder_;
  const std::string path_ = folder_.path("tokenizer.json");
  std::string text_;
};

TEST_F(TokenizerJson, ReadsWhatItWrote) {
  const auto tokenizer = test::small_tokenizer();
  const ClipTokenizerJson file = read();
  ASSERT_EQ(file.tokens.size(), static_cast<std::size_t>(tokenizer.vocab_size()));
  for (std::int64_t id = 0; id < tokenizer.vocab_size(); ++id) {
    EXPECT_EQ(file.tokens[static_cast<std::size_t>(id)], tokenizer.bpe().token(id));
  }
  EXPECT_EQ(file.merges.size(), tokenizer.bpe().merge_count());
  EXPECT_EQ(file.added_tokens, tokenizer.added_tokens());
  EXPECT_EQ(file.start, "<|startoftext|>");
  EXPECT_EQ(file.end, "<|endoftext|>");
  EXPECT_EQ(file.unknown, "<|endoftext|>");
}

TEST_F(TokenizerJson, NamesWhatItDoesNotSupport) {
  const struct {
    std::string from, to, expected;
  } cases[] = {
      {R"("type":"BPE")", R"("type":"Unigram")", "model.type: expected a model of type BPE, found \"Unigram\""},
      {R"("type":"NFC")", R"("type":"NFKC")", "normalizer.normalizers[0]: expected CLIP's normalizer"},
      {R"("type":"Lowercase")", R"("type":"Strip")", "found \"Strip\""},
      {R"("Regex":"\\s+")", R"("Regex":"\\s")", "normalizer.normalizers[1]: expected CLIP's normalizer"},
      {R"('s|'t|)", R"('t|'s|)", "pre_tokenizer.pretokenizers[0].pattern: expected CLIP's pattern"},
      {R"("type":"Split")", R"("type":"Whitespace")", "found \"Whitespace\""},
      {R"("behavior":"Removed")", R"("behavior":"Isolated")", "pre_tokenizer.pretokenizers[0]: expected CLIP's"},
      {R"("add_prefix_space":false)", R"("add_prefix_space":true)", "pre_tokenizer.pretokenizers[1]: expected CLIP's"},
      {R"("type":"RobertaProcessing")", R"("type":"BertProcessing")", "post_processor: expected a post-processor"},
      {R"("sep":["<|endoftext|>",)", R"("sep":["<|startoftext|>",)", "is not the id of"},
      {R"("dropout":null)", R"("dropout":0.1)", "model.dropout: expected none"},
      {R"("fuse_unk":false)", R"("fuse_unk":true)", "model.fuse_unk: expected false"},
      {R"("byte_fallback":false)", R"("byte_fallback":true)", "model.byte_fallback: expected false"},
      {R"("continuing_subword_prefix":"")", R"("continuing_subword_prefix":"##")", "model.continuing_subword_prefix"},
      {R"("end_of_word_suffix":"</w>")", R"("end_of_word_suffix":null)",
       "model.end_of_word_suffix: expected \"</w>\", found null"},
      {R"("unk_token":"<|endoftext|>")", R"("unk_token":"<unk>")", "\"<unk>\" is not in the vocabulary"},
      {R"("lstrip":false)", R"("lstrip":true)", "added_tokens[0].lstrip: expected false"},
      {R"("merges":[[)", R"("merges":["a b",[)", "model.merges[1]: pairs and strings in one list"},
      {R"("model":)", R"("models":)", "model: missing"},
      {R"("version":"1.0")", R"("version":"1.0","version":"1.0")", "twice"},
  };
  for (const auto& c : cases) {
    const std::string error = error_with(c.from, c.to);
    EXPECT_NE(error.find(c.expected), std::string::npos) << c.to << "\n  says: " << error;
    EXPECT_EQ(error.find(path_), 0U) << error;
  }
}

TEST_F(TokenizerJson, ReadsTemplateProcessing) {
  const std::size_t begin = text_.find(R"({"type":"RobertaProcessing")"), end = text_.find('}', begin) + 1;
  const auto size = std::to_string(test::small_tokenizer().vocab_size());
  const auto last = std::to_string(test::small_tokenizer().eos_token_id());
  const auto start = std::to_string(test::small_tokenizer().bos_token_id());
  const std::string processor =
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|startoftext|>","type_id":0}},)"
      R"({"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<|endoftext|>","type_id":0}}],"special_tokens":{)"
      R"("<|endoftext|>":{"id":"<|endoftext|>","ids":[)" +
      last +
      R"(],"tokens":["<|endoftext|>"]},)"
      R"("<|startoftext|>":{"id":"<|startoftext|>","ids":[)" +
      start + R"(],"tokens":["<|startoftext|>"]}}})";
  text_.replace(begin, end - begin, processor);
  io::write_file(path_, text_);
  EXPECT_EQ(read().start, "<|startoftext|>");
  EXPECT_EQ(read().end, "<|endoftext|>");
  EXPECT_NE(error_with("\"ids\":[" + last, "\"ids\":[" + size), "");
  EXPECT_NE(error_with("\"ids\":[" + last, "\"ids\":[0"), "");
}

TEST(AddedTokens, TakeTheirPlaceOrTheNext) {
  std::vector<std::string> tokens = {"a", "b"};
  place_added_token({.content = "b", .id = 1}, tokens, "f");
  place_added_token({.content = "<x>", .id = 2}, tokens, "f");
  EXPECT_EQ(tokens, (std::vector<std::string>{"a", "b", "<x>"}));
  const auto error = [&](const std::string& content, std::int64_t id) {
    return file_error_of([&] { place_added_token({.content = content, .id = id}, tokens, "f"); });
  };
  EXPECT_EQ(error("<y>", 0), "f: added token \"<y>\": its id 0 is that of \"a\"");
  EXPECT_EQ(error("<y>", 4), "f: added token \"<y>\": expected an id in [0, 3], found 4");
  EXPECT_NE(error("<y>", -1), "");
}

}  // namespace
