#include "couplet/tokenizers/clip_tokenizer_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"
#include "tokenizers/golden.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::file_error_of;
using test::TemporaryDirectory;
using Ids = std::vector<std::int64_t>;

Ids ids_of(const ClipTokenizer& tokenizer, std::string_view text) {
  Ids ids;
  tokenizer.encode(text, no_limit, ids);
  return ids;
}

const std::vector<std::string> some_texts = {"a photo of a cat", "It's 12 DOGS!", "caf\u00e9 \u65e5\u672c\U0001f600",
                                             "<|endoftext|> x",  "<|EndOfText|>", "",
                                             "!a ! b",           "\xff\x01"};

void expect_equal(const ClipTokenizer& a, const ClipTokenizer& b) {
  EXPECT_EQ(a.describe(), b.describe());
  for (const std::string& text : some_texts) EXPECT_EQ(ids_of(a, text), ids_of(b, text)) << printable(text);
}

/// A malformed file of the golden data: the verdict, and the ids of what is accepted.
void check_case(const io::Json& row, const io::Json& sentences) {
  const TemporaryDirectory folder;
  const std::string golden = test::golden_tokenizers() + "/malformed/";
  const bool one_file = row.find("format")->as_string() == "tokenizer.json";
  const std::vector<std::string> names =
      one_file ? std::vector<std::string>{"tokenizer.json"} : std::vector<std::string>{"vocab.json", "merges.txt"};
  for (std::size_t k = 0; k < names.size(); ++k) {
    std::filesystem::copy_file(golden + row.find("files")->items()[k].as_string(), folder.path(names[k]));
  }
  const std::string error = file_error_of([&] {
    const ClipTokenizer tokenizer = load_clip_tokenizer(folder.path());
    const io::Json* const expected = row.find("ids");
    if (expected == nullptr) return;
    for (std::size_t k = 0; k < sentences.items().size(); ++k) {
      Ids ids = ids_of(tokenizer, sentences.items()[k].as_string());
      const Ids want = test::integers(expected->items()[k]);
      if (want.size() == 77) ids.resize(77, tokenizer.pad_token_id());  // the file stores padding
      EXPECT_EQ(ids, want) << row.find("name")->as_string();
    }
  });
  const bool accepted = row.find("verdict")->as_string() == "accept";
  EXPECT_EQ(error.empty(), accepted) << row.find("name")->as_string() << ": " << row.find("reason")->as_string() << "\n"
                                     << error;
  EXPECT_TRUE(accepted || error.find(folder.path()) == 0) << "names no file: " << error;
}

TEST(MalformedFiles, GetTheVerdictsOfTheGoldenIndex) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  const std::string path = test::golden_tokenizers() + "/malformed/index.json";
  const io::Json index = io::Json::parse(io::read_file(path, 1 << 24), path);
  int checked = 0;
  for (const io::Json& row : index.find("cases")->items()) {
    const std::string& format = row.find("format")->as_string();
    if (format != "clip" && format != "tokenizer.json") continue;
    check_case(row, *index.find("texts"));
    ++checked;
  }
  EXPECT_EQ(checked, 64);
}

TEST(ClipTokenizerFiles, ComeBackEqualInBothForms) {
  const TemporaryDirectory folder;
  const auto tokenizer = test::small_tokenizer().with_context_length(24);
  save_clip_tokenizer(tokenizer, folder.path());
  EXPECT_EQ(folder.entries(), 5U);
  expect_equal(load_clip_tokenizer(folder.path()), tokenizer);  // vocab.json, merges.txt
  std::filesystem::remove(folder.path("vocab.json"));
  EXPECT_TRUE(has_clip_tokenizer(folder.path()));
  expect_equal(load_clip_tokenizer(folder.path()), tokenizer);  // tokenizer.json
  std::filesystem::remove(folder.path("tokenizer.json"));
  EXPECT_FALSE(has_clip_tokenizer(folder.path()));
}

class ClipDirectory : public testing::Test {
 protected:
  void SetUp() override {
    write_vocab_json(test::small_tokenizer().bpe(), folder_.path("vocab.json"));
    write_merges(test::small_tokenizer().bpe(), folder_.path("merges.txt"));
  }
  void write(const char* name, const std::string& text) const { io::write_file(folder_.path(name), text); }
  ClipTokenizer load() const { return load_clip_tokenizer(folder_.path()); }
  std::string error() const {
    return file_error_of([&] { load(); });
  }

  const TemporaryDirectory folder_;
};

TEST_F(ClipDirectory, NeedsNoConfiguration) {
  expect_equal(load(), test::small_tokenizer());
  EXPECT_EQ(load().context_length(), 77);
}

TEST_F(ClipDirectory, TakesTheLengthFromTheConfiguration) {
  write("tokenizer_config.json", R"({"model_max_length": 64, "tokenizer_class": "CLIPTokenizerFast"})");
  EXPECT_EQ(load().context_length(), 64);
  write("tokenizer_config.json",
        R"({"model_max_length": 1000000000000000019884624838656})");  // transformers for "none"
  EXPECT_EQ(load().context_length(), 77);
  for (const char* const bad : {"0", "-1", "1", "1.5", "\"77\"", "true", "[77]"}) {
    write("tokenizer_config.json", R"({"model_max_length": )" + std::string(bad) + "}");
    EXPECT_NE(error().find("model_max_length: expected an integer"), std::string::npos) << bad << ": " << error();
  }
}

TEST_F(ClipDirectory, RefusesTheTokenizersOfOtherModels) {
  write("tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})");
  EXPECT_NE(error().find("tokenizer_class: expected CLIPTokenizer, found \"T5Tokenizer\""), std::string::npos);
}

TEST_F(ClipDirectory, TheSpecialTokensMapGoesBeforeTheConfiguration) {
  write("tokenizer_config.json", R"({"pad_token": "<|endoftext|>"})");
  write("special_tokens_map.json", R"({"pad_token": "!"})");
  const ClipTokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.pad_token_id(), 0);
  // The padding token is cut out of the raw text like every special token.
  EXPECT_EQ(ids_of(tokenizer, "!!a"),
            (Ids{tokenizer.bos_token_id(), 0, 0, tokenizer.bpe().find("a</w>"), tokenizer.eos_token_id()}));
  // A configuration that lists all added tokens is of the later kind, which is complete.
  write("tokenizer_config.json", R"({"pad_token": "<|endoftext|>", "added_tokens_decoder": {}})");
  EXPECT_EQ(load().pad_token_id(), load().eos_token_id());
}

TEST_F(ClipDirectory, ReadsAddedTokensFromEveryPlace) {
  const auto n = test::small_tokenizer().vocab_size();
  write("added_tokens.json", R"({"<new>": )" + std::to_string(n + 1) + "}");
  write("tokenizer_config.json",
        R"({"added_tokens_decoder": {")" + std::to_string(n) + R"(": {"content": "<one>", "normalized": true}}})");
  const ClipTokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.vocab_size(), n + 2);
  EXPECT_EQ(ids_of(tokenizer, "<new><ONE>"), (Ids{n - 2, n + 1, n, n - 1}));
  write("added_tokens.json", R"({"<new>": )" + std::to_string(n) + "}");
  EXPECT_NE(error().find("its id"), std::string::npos);
}

TEST_F(ClipDirectory, RefusesConfigurationsThatMakeNoSense) {
  const struct {
    const char *name, *text, *expected;
  } cases[] = {
      {"tokenizer_config.json", R"({"bos_token": "<s>"})", "the special token \"<s>\" is not in the vocabulary"},
      {"tokenizer_config.json", R"({"bos_token": "<|endoftext|>"})", "the start and the end token are the same"},
      {"tokenizer_config.json", R"({"pad_token": 0})", "pad_token: expected a string"},
      {"tokenizer_config.json", R"({"pad_token": ""})", "found an empty string"},
      {"tokenizer_config.json", R"({"eos_token": {"normalized": true}})", "eos_token.content: missing"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})", "expected an id as the key"},
      {"tokenizer_config.json", R"({"added_tokens_decoder": {"99999999999999999999": {"content": "y"}}})",
       "expected an id as the key"},
      {"tokenizer_config.json", "[]", "expected an object"},
      {"special_tokens_map.json", R"({"unk_token": "<unk>"})", "\"<unk>\" is not in the vocabulary"},
      {"added_tokens.json", R"({"x": -1})", "x: expected an integer"},
      {"added_tokens.json", R"({"": 1})", "without text"},
  };
  for (const auto& c : cases) {
    write(c.name, c.text);
    EXPECT_NE(error().find(c.expected), std::string::npos) << c.text << ": " << error();
    std::filesystem::remove(folder_.path(c.name));
  }
}

TEST_F(ClipDirectory, IsReadThroughAnyOfItsFiles) {
  const auto expected = test::small_tokenizer();
  expect_equal(load_clip_vocabulary(folder_.path("vocab.json")), expected);
  expect_equal(load_clip_vocabulary(folder_.path("merges.txt")), expected);
  std::filesystem::rename(folder_.path("merges.txt"), folder_.path("list.txt"));  // the layout is CLIP's
  expect_equal(load_clip_vocabulary(folder_.path("list.txt")), expected);
  EXPECT_NE(file_error_of([&] { load_clip_vocabulary(folder_.path("nothing.txt")); }), "");
}

}  // namespace
