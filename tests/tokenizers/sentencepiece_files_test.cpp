#include "couplet/tokenizers/sentencepiece_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "couplet/tokenizers/tokenizer.hpp"
#include "support/file_errors.hpp"
#include "support/sentencepiece_writer.hpp"
#include "support/temporary_directory.hpp"
#include "tokenizers/golden.hpp"
#include "tokenizers/space.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using Ids = std::vector<std::int64_t>;

using couplet::test::mark;

class TokenizerDirectory : public testing::Test {
 protected:
  void write(const char* name, const std::string& text) const { io::write_file(folder_.path(name), text); }
  Tokenizer load() const { return Tokenizer::load(folder_.path()); }
  std::string error() const {
    return test::file_error_of([&] { static_cast<void>(load()); });
  }
  /// 3 _a, 4 a, 5 A
  void write_spiece() const {
    write("spiece.model", test::write_model(test::small_model({{mark + "a", -2}, {"a", -4}, {"A", -5}})));
  }
  /// 0 <pad>, 1 <eos>, 2 <bos>, 3 <unk>, 4 <mask>, then bytes, 261 _, 262 a, 263 b, 264 _a, 265 _ab
  void write_gemma() const {
    SentencePieceModel model;
    model.algorithm = SentencePieceModel::Algorithm::bpe;
    model.add_dummy_prefix = model.remove_extra_whitespaces = false;
    using Type = SentencePieceModel::PieceType;
    model.pieces = {{"<pad>", 0, Type::control},
                    {"<eos>", 0, Type::control},
                    {"<bos>", 0, Type::control},
                    {"<unk>", 0, Type::unknown},
                    {"<mask>", 0, Type::user_defined}};
    test::add_byte_pieces(model);
    for (const std::string& text : {mark, std::string("a"), std::string("b"), mark + "a", mark + "ab"}) {
      model.pieces.push_back({text, -static_cast<float>(model.pieces.size()), Type::normal});
    }
    write("tokenizer.model", test::write_model(model));
  }

  const test::TemporaryDirectory folder_;
};

TEST_F(TokenizerDirectory, SpieceModelAloneIsSiglips) {
  write_spiece();
  ASSERT_TRUE(Tokenizer::exists(folder_.path()));
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.context_length(), 64);
  EXPECT_EQ(tokenizer.pad_token_id(), 1);
  EXPECT_EQ(tokenizer.eos_token_id(), 1);
  EXPECT_EQ(tokenizer.bos_token_id(), -1);
  EXPECT_EQ(tokenizer.encode("A, a.</s>a"), (Ids{3, 3, 1, 4, 1}));
  EXPECT_EQ(tokenizer.as_clip(), nullptr);
}

TEST_F(TokenizerDirectory, TheConfigurationCountsForSiglip) {
  write_spiece();
  write("tokenizer_config.json",
        R"({"tokenizer_class": "SiglipTokenizer", "model_max_length": 16, "do_lower_case": false, "pad_token": "<pad>",
            "added_tokens_decoder": {"1": {"content": "</s>", "lstrip": true, "rstrip": true}, "6": {"content": "<x>"}}})");
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.context_length(), 16);
  EXPECT_EQ(tokenizer.pad_token_id(), 0);
  EXPECT_EQ(tokenizer.vocab_size(), 7);
  EXPECT_EQ(tokenizer.encode("aA<x></s>"), (Ids{3, 5, 6, 1}));
  write("tokenizer_config.json", R"({"tokenizer_class": "SiglipTokenizer", "eos_token": "<end>"})");
  EXPECT_NE(error().find("the special token \"<end>\" is not in the vocabulary"), std::string::npos);
}

TEST_F(TokenizerDirectory, TokenizerModelIsGemmas) {
  write_gemma();
  ASSERT_TRUE(Tokenizer::exists(folder_.path()));
  const Tokenizer tokenizer = load();
  EXPECT_EQ(tokenizer.pad_token_id(), 0);
  EXPECT_EQ(tokenizer.encode("b ab<mask>A"), (Ids{263, 265, 4, 5 + 'A', 1}));
  write("tokenizer_config.json",
        R"({"tokenizer_class": "GemmaTokenizerFast", "do_lower_case": true, "add_bos_token": true})");
  EXPECT_EQ(load().encode(" AB"), (Ids{2, 265, 1}));
  write("tokenizer_config.json", R"({"tokenizer_class": "Siglip2Tokenizer", "add_bos_token": false})");
  EXPECT_EQ(load().encode(" AB"), (Ids{265, 1}));
  write("tokenizer_config.json", R"({"tokenizer_class": "GemmaTokenizer", "add_eos_token": false})");
  EXPECT_NE(error().find("end token behind the text"), std::string::npos);
}

TEST_F(TokenizerDirectory, TheClassMustFitTheFiles) {
  write_spiece();
  write("tokenizer_config.json", R"({"tokenizer_class": "XLMRobertaTokenizer"})");
  EXPECT_NE(error().find("expected SiglipTokenizer, found \"XLMRobertaTokenizer\""), std::string::npos);
  write_gemma();
  EXPECT_NE(error().find("expected GemmaTokenizer or Siglip2Tokenizer, found \"XLMRobertaTokenizer\""),
            std::string::npos);
  std::filesystem::remove(folder_.path("spiece.model"));
  write("tokenizer_config.json", R"({"tokenizer_class": "SiglipTokenizer"})");
  EXPECT_NE(error().find("needs a spiece.model"), std::string::npos);
  write("tokenizer_config.json", "{}");
  write("tokenizer.model", test::write_model(test::small_model({{"a", -1}})));
  EXPECT_NE(error().find("as Gemma has it"), std::string::npos);
}

TEST_F(TokenizerDirectory, ComesBackAsSaved) {
  write_spiece();
  write("special_tokens_map.json", R"({"pad_token": "<pad>"})");
  const Tokenizer tokenizer = load().with_context_length(20);
  const test::TemporaryDirectory copy;
  tokenizer.save(copy.path());
  EXPECT_EQ(copy.entries(), 3U);
  const Tokenizer again = Tokenizer::load(copy.path());
  EXPECT_EQ(again.describe(), tokenizer.describe());
  EXPECT_EQ(again.context_length(), 20);
  EXPECT_EQ(again.pad_token_id(), 0);
  EXPECT_EQ(again.encode("a A </s>"), tokenizer.encode("a A </s>"));
  again.save(copy.path());  // over itself
  EXPECT_EQ(Tokenizer::load(copy.path()).describe(), tokenizer.describe());
}

TEST_F(TokenizerDirectory, KeepsTheConfigurationItSaves) {
  write_gemma();
  write("tokenizer_config.json",
        R"({"tokenizer_class": "Siglip2Tokenizer", "model_max_length": 64, "extra": {"list": [1, "x"]}})");
  const test::TemporaryDirectory copy;
  load().with_context_length(32).save(copy.path());
  const std::string text = io::read_file(copy.path("tokenizer_config.json"), 1 << 20);
  const io::Json config = io::Json::parse(text, "config");
  EXPECT_EQ(config.find("tokenizer_class")->as_string(), "Siglip2Tokenizer");
  EXPECT_EQ(config.find("model_max_length")->as_integer(), 32);
  EXPECT_EQ(config.find("extra")->find("list")->items().size(), 2U);
}

TEST(SentencePieceFiles, ATokenizerWithoutFilesCannotBeSaved) {
  const auto pieces = std::make_shared<const SentencePiece>(test::small_model({{"a", -1}}));
  const SentencePieceTokenizer tokenizer(
      std::make_shared<const SiglipRules>(pieces, std::vector<AddedToken>(), "<unk>", true), {});
  EXPECT_THROW(save_sentencepiece_tokenizer(tokenizer, "."), std::invalid_argument);
}

TEST(SentencePieceFilesGolden, EveryDirectoryComesBackAsSaved) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  for (const char* const name : {"sp-siglip", "sp-siglip-t5", "gemma3000/siglip2", "gemma3000/gemma", "bpe600"}) {
    const Tokenizer tokenizer = Tokenizer::load(test::golden_tokenizers() + "/" + name);
    const test::TemporaryDirectory folder;
    tokenizer.save(folder.path());
    const Tokenizer again = Tokenizer::load(folder.path());
    EXPECT_EQ(again.describe(), tokenizer.describe());
    for (const char* const text : {"A photo of a cat.", "</s> x <eos>", "caf\u00e9 \U0001f600  \n"}) {
      EXPECT_EQ(again.encode(text), tokenizer.encode(text)) << name << ": " << text;
    }
  }
}

/// A damaged file is refused, or read; nothing else happens.
TEST(SentencePieceFilesGolden, DamagedModelsAreRefusedOrRead) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  const std::string bytes = io::read_file(test::golden_tokenizers() + "/malformed/files/charsmap.model", 1 << 20);
  int refused = 0;
  const auto check = [&](const std::string& damaged) {
    const std::string error = test::file_error_of([&] {
      const SentencePiece pieces(parse_sentencepiece_model(damaged, "m"), "m");
      SentencePiece::Scratch scratch;
      Ids ids;
      pieces.encode("AB a\xef\xac\x81 cat zz", scratch, ids);
      for (const auto id : ids) EXPECT_LT(id, pieces.size());
    });
    refused += error.empty() ? 0 : 1;
  };
  for (std::size_t n = 0; n < bytes.size(); ++n) check(bytes.substr(0, n));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      std::string damaged = bytes;
      damaged[n] = static_cast<char>(static_cast<unsigned char>(damaged[n]) ^ flip);
      check(damaged);
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
