#include "couplet/tokenizers/tokenizer_config.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using tokenizers::detail::read_tokenizer_config;
using tokenizers::detail::TokenizerConfig;

class TokenizerConfigFiles : public testing::Test {
 protected:
  void write(const char* name, const std::string& text) const { io::write_file(folder_.path(name), text); }
  TokenizerConfig read(SpacesMatter spaces = SpacesMatter::yes) const {
    return read_tokenizer_config(folder_.path(), spaces);
  }
  std::string error() const {
    return test::file_error_of([&] { read(); });
  }

  const test::TemporaryDirectory folder_;
};

TEST_F(TokenizerConfigFiles, AreAllOptional) {
  const TokenizerConfig config = read();
  EXPECT_FALSE(config.tokenizer_class || config.start || config.context_length || config.do_lower_case);
  EXPECT_TRUE(config.added_tokens.empty());
}

TEST_F(TokenizerConfigFiles, SayClassLengthAndFlags) {
  write("tokenizer_config.json",
        R"({"tokenizer_class": "GemmaTokenizerFast", "model_max_length": 64, "do_lower_case": true,
            "add_bos_token": false, "eos_token": "<eos>", "pad_token": {"content": "<pad>"}})");
  const TokenizerConfig config = read();
  EXPECT_EQ(config.tokenizer_class, "GemmaTokenizer");
  EXPECT_EQ(config.context_length, 64);
  EXPECT_EQ(config.do_lower_case, true);
  EXPECT_EQ(config.add_bos_token, false);
  EXPECT_EQ(config.add_eos_token, std::nullopt);
  EXPECT_EQ(config.end->content, "<eos>");
  EXPECT_EQ(config.pad->content, "<pad>");
  EXPECT_FALSE(config.start);
}

TEST_F(TokenizerConfigFiles, NoLimitIsNone) {
  write("tokenizer_config.json", R"({"model_max_length": 1000000000000000019884624838656})");
  EXPECT_EQ(read().context_length, std::nullopt);
  write("tokenizer_config.json", R"({"model_max_length": 1})");
  EXPECT_NE(error().find("model_max_length"), std::string::npos);
}

TEST_F(TokenizerConfigFiles, ListAddedTokensById) {
  write("tokenizer_config.json",
        R"({"added_tokens_decoder": {"7": {"content": "b", "rstrip": true}, "3": {"content": "a"}}})");
  write("added_tokens.json", R"({"c": 5})");
  EXPECT_NE(error().find("rstrip"), std::string::npos);
  const auto tokens = read(SpacesMatter::no).added_tokens;
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens[0].content + tokens[1].content + tokens[2].content, "acb");
  EXPECT_FALSE(tokens[1].special);
}

TEST_F(TokenizerConfigFiles, NameTheClassThatWasExpected) {
  write("tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  const TokenizerConfig config = read();
  const std::string error = test::file_error_of([&] {
    tokenizers::detail::expect_tokenizer_class(config, {"A", "B"});
  });
  EXPECT_EQ(error,
            folder_.path("tokenizer_config.json") + ": tokenizer_class: expected A or B, found \"BertTokenizer\"");
  tokenizers::detail::expect_tokenizer_class(config, {"A", "BertTokenizer"});
  tokenizers::detail::expect_tokenizer_class(TokenizerConfig(), {"A"});
}

TEST_F(TokenizerConfigFiles, MergeIntoTheVocabulary) {
  TokenizerConfig config;
  config.added_tokens = {{.content = "<x>", .id = 2}, {.content = "b", .id = 1, .special = false}};
  config.start = AddedToken{.content = "a"};
  config.end = AddedToken{.content = "<x>"};
  std::vector<std::string> tokens{"a", "b"};
  std::vector<AddedToken> added{{.content = "b", .id = 1}};
  tokenizers::detail::merge_added_tokens(config, tokens, added, "f");
  EXPECT_EQ(tokens, (std::vector<std::string>{"a", "b", "<x>"}));
  ASSERT_EQ(added.size(), 3U);
  EXPECT_FALSE(added[0].special);  // the configuration goes first
  EXPECT_EQ(added[1].id, 2);
  EXPECT_EQ(added[2].content, "a");
  config.pad = AddedToken{.content = "<none>"};
  EXPECT_NE(test::file_error_of([&] {
              tokenizers::detail::merge_added_tokens(config, tokens, added, "f");
            }).find("the special token \"<none>\" is not in the vocabulary"),
            std::string::npos);
}

}  // namespace
