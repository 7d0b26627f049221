#include "couplet/tokenizers/tokenizer.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/file_errors.hpp"
#include "support/sentencepiece_writer.hpp"
#include "support/temporary_directory.hpp"
#include "tokenizers/golden.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;

TEST(Tokenizer, PadsAndCutsRows) {
  const Tokenizer tokenizer = Tokenizer(test::small_tokenizer()).with_context_length(5);
  const std::vector<std::string> texts = {"", "1 2", "1 2 3 4 5"};
  const TokenBatch batch = tokenizer(texts);
  const auto s = tokenizer.bos_token_id(), e = tokenizer.eos_token_id(), p = tokenizer.pad_token_id();
  const auto id = [&](const char* text) { return tokenizer.as_clip()->bpe().find(text); };
  EXPECT_EQ(batch.ids, (std::vector<std::int64_t>{s, e, p, p, p,                      //
                                                  s, id("1</w>"), id("2</w>"), e, p,  //
                                                  s, id("1</w>"), id("2</w>"), id("3</w>"), e}));
  EXPECT_EQ(batch.lengths, (std::vector<std::int64_t>{2, 4, 5}));
  EXPECT_EQ(batch.context_length, 5);
  EXPECT_EQ(batch.truncated, 1);
  EXPECT_EQ(batch.row(1)[2], id("2</w>"));
  for (std::size_t b = 0; b < texts.size(); ++b) {
    const auto ids = tokenizer.encode(texts[b]);
    const auto row = batch.row(b).first(static_cast<std::size_t>(batch.lengths[b]));
    EXPECT_EQ(ids, std::vector<std::int64_t>(row.begin(), row.end()));
  }
}

TEST(Tokenizer, MakesAnEmptyBatchOfNoTexts) {
  const TokenBatch batch = Tokenizer(test::small_tokenizer())({});
  EXPECT_TRUE(batch.ids.empty() && batch.lengths.empty());
  EXPECT_EQ(batch.context_length, 77);
}

TEST(Tokenizer, SavesAndLoads) {
  const test::TemporaryDirectory folder;
  EXPECT_FALSE(Tokenizer::exists(folder.path()));
  EXPECT_NE(test::file_error_of([&] { static_cast<void>(Tokenizer::load(folder.path())); }).find("no tokenizer here"),
            std::string::npos);
  const Tokenizer tokenizer = Tokenizer(test::small_tokenizer()).with_context_length(33);
  tokenizer.save(folder.path());
  ASSERT_TRUE(Tokenizer::exists(folder.path()));
  const Tokenizer loaded = Tokenizer::load(folder.path());
  EXPECT_EQ(loaded.describe(), tokenizer.describe());
  EXPECT_EQ(loaded.context_length(), 33);
  EXPECT_EQ(loaded.vocab_size(), tokenizer.vocab_size());
  EXPECT_EQ(loaded.encode("A photo of two dogs"), tokenizer.encode("A photo of two dogs"));
  EXPECT_EQ(loaded.decode(loaded.encode("A photo")), "a photo");
  const Tokenizer vocabulary = Tokenizer::load_vocabulary(folder.path("merges.txt"));
  EXPECT_EQ(vocabulary.encode("A photo"), tokenizer.encode("A photo"));
}

TEST(Tokenizer, ReadsAVocabularyFromAnyOfItsFiles) {
  const test::TemporaryDirectory folder, pieces;
  const Tokenizer clip(test::small_tokenizer());
  clip.save(folder.path());
  for (const char* const name : {"vocab.json", "merges.txt", "tokenizer.json"}) {
    EXPECT_EQ(Tokenizer::load_vocabulary(folder.path(name)).describe(), clip.describe()) << name;
  }
  io::write_file(pieces.path("spiece.model"), test::write_model(test::small_model({{"a", -1}})));
  EXPECT_EQ(Tokenizer::load_vocabulary(pieces.path("spiece.model")).describe(),
            Tokenizer::load(pieces.path()).describe());
  EXPECT_EQ(tokenizers::detail::directory_of("vocab.json"), ".");
  EXPECT_EQ(tokenizers::detail::directory_of("a/vocab.json"), "a");
}

TEST(Tokenizer, OpenAIsDialectIsOfClipAlone) {
  const test::TemporaryDirectory folder;
  io::write_file(folder.path("spiece.model"), test::write_model(test::small_model({{"a", -1}})));
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_THROW(static_cast<void>(tokenizer.with_dialect(ClipDialect::openai)), std::invalid_argument);
  const Tokenizer cleaned = tokenizer.with_dialect(ClipDialect::open_clip, OpenClipClean::canonicalize);
  EXPECT_EQ(cleaned.encode("&lt;a"), tokenizer.encode("a"));
  EXPECT_EQ(cleaned.with_dialect(ClipDialect::hugging_face).describe(), tokenizer.describe());
}

TEST(Tokenizer, ClassesDecideBetweenFiles) {
  const test::TemporaryDirectory folder;
  Tokenizer(test::small_tokenizer()).save(folder.path());
  io::write_file(folder.path("spiece.model"), test::write_model(test::small_model({{"a", -1}})));
  EXPECT_NE(Tokenizer::load(folder.path()).as_clip(), nullptr);  // tokenizer_config.json says CLIPTokenizer
  io::write_file(folder.path("tokenizer_config.json"), R"({"tokenizer_class": "SiglipTokenizer"})");
  io::write_file(folder.path("special_tokens_map.json"), "{}");
  EXPECT_NE(Tokenizer::load(folder.path()).as_sentencepiece(), nullptr);
}

TEST(Tokenizer, CopiesShareTheVocabulary) {
  const Tokenizer a(test::small_tokenizer());
  const Tokenizer b = a;
  EXPECT_EQ(&a.as_clip()->bpe(), &b.as_clip()->bpe());
}

}  // namespace
