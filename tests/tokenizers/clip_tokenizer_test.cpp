#include "couplet/tokenizers/clip_tokenizer.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "couplet/tokenizers/clip_tokenizer_files.hpp"
#include "support/file_errors.hpp"
#include "tokenizers/golden.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::file_error_of;
using test::small_tokenizer;
using Ids = std::vector<std::int64_t>;

Ids encode(const ClipTokenizer& tokenizer, std::string_view text, std::size_t limit = no_limit) {
  Ids ids;
  tokenizer.encode(text, limit, ids);
  return ids;
}

/// Golden rows hold the ids without a limit and, where those are too long, the row cut at 77. Strings in `leave_out`
/// are not compared.
void expect_golden_ids(const ClipTokenizer& tokenizer, const std::string& rows_name,
                       const std::set<std::int64_t>& leave_out = {}) {
  const auto strings = test::read_json_lines(test::golden_tokenizers() + "/strings.jsonl");
  const auto rows = test::read_json_lines(test::golden_tokenizers() + "/" + rows_name);
  ASSERT_EQ(strings.size(), 1501U);
  ASSERT_EQ(rows.size(), strings.size());
  Ids ids;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    if (leave_out.count(static_cast<std::int64_t>(k)) > 0) continue;
    const std::string& text = strings[k].find("s")->as_string();
    const Ids expected = test::integers(*rows[k].find("ids"));
    const io::Json* const cut = rows[k].find("cut");
    EXPECT_FALSE(tokenizer.encode(text, no_limit, ids));
    EXPECT_EQ(ids, expected) << rows_name << " string " << k << ": " << printable(text);
    EXPECT_EQ(tokenizer.encode(text, 77, ids), cut != nullptr) << rows_name << " string " << k;
    EXPECT_EQ(ids, cut != nullptr ? test::integers(*cut) : expected) << rows_name << " string " << k;
  }
}

TEST(ClipTokenizerGolden, EqualsHuggingFaceOnThePublishedVocabulary) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
#if defined(COUPLET_HAVE_ZLIB)
  const auto tokenizer = load_clip_vocabulary(test::shared_directory() + "/data/text/bpe_simple_vocab_16e6.txt.gz");
  EXPECT_EQ(tokenizer.vocab_size(), 49408);
  EXPECT_EQ(tokenizer.pad_token_id(), 49407);
  EXPECT_EQ(encode(tokenizer, "a photo of a cat."), (Ids{49406, 320, 1125, 539, 320, 2368, 269, 49407}));
  expect_golden_ids(tokenizer, "clip.hf.jsonl");
#else
  GTEST_SKIP() << "built without zlib: the vocabulary is gzipped";
#endif
}

TEST(ClipTokenizerGolden, EqualsHuggingFaceOnTrainedVocabularies) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  for (const std::string name : {"bpe600", "bpe4000", "bpe900-raw"}) {
    for (const char* const layout : {"", "/legacy"}) {
      expect_golden_ids(load_clip_tokenizer(test::golden_tokenizers() + "/" + name + layout), name + ".jsonl");
    }
  }
}

TEST(ClipTokenizerGolden, EqualsOpenClipButForMojibake) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
#if defined(COUPLET_HAVE_ZLIB)
  const auto hf = load_clip_vocabulary(test::shared_directory() + "/data/text/bpe_simple_vocab_16e6.txt.gz");
  const auto tokenizer = hf.with_dialect(ClipDialect::open_clip);
  EXPECT_EQ(tokenizer.pad_token_id(), 0);
  EXPECT_EQ(tokenizer.with_dialect(ClipDialect::hugging_face).pad_token_id(), 49407);
  expect_golden_ids(tokenizer, "clip.open_clip.lower-no-mojibake.jsonl");
  // The 64 strings that ftfy's repair of mojibake changes, which couplet does not have.
  const std::string path = test::golden_tokenizers() + "/clip.differences.json";
  const io::Json differences = io::Json::parse(io::read_file(path, 1 << 24), path);
  const auto mojibake = test::integers(*differences.find("ids change with one ftfy fix off")->find("fix_encoding"));
  ASSERT_EQ(mojibake.size(), 64U);
  const std::set<std::int64_t> leave_out(mojibake.begin(), mojibake.end());
  expect_golden_ids(tokenizer, "clip.open_clip.lower.jsonl", leave_out);
  expect_golden_ids(hf.with_dialect(ClipDialect::open_clip, OpenClipClean::canonicalize),
                    "clip.open_clip.canonicalize.jsonl", leave_out);
  expect_golden_ids(hf.with_dialect(ClipDialect::open_clip, OpenClipClean::whitespace),
                    "clip.open_clip.whitespace.jsonl", leave_out);
#else
  GTEST_SKIP() << "built without zlib: the vocabulary is gzipped";
#endif
}

TEST(ClipTokenizer, DialectsKnowTheirSpecialTexts) {
  const auto hf = small_tokenizer();
  const auto open_clip = hf.with_dialect(ClipDialect::open_clip), openai = hf.with_dialect(ClipDialect::openai);
  const auto s = hf.bos_token_id(), e = hf.eos_token_id();
  EXPECT_EQ(encode(open_clip, "<start_of_text><end_of_text>"), (Ids{s, s, e, e}));
  EXPECT_EQ(encode(open_clip, "<End_Of_Text>"), (Ids{s, e, e}));  // lowered before it is looked for
  EXPECT_EQ(encode(openai, "<|startoftext|><|EndOfText|>"), (Ids{s, s, e, e}));
  EXPECT_GT(encode(open_clip, "<|endoftext|>").size(), 3U);
  EXPECT_GT(encode(openai, "<end_of_text>").size(), 3U);
  EXPECT_EQ(encode(open_clip, "&amp;amp;"), encode(open_clip, "&"));
  EXPECT_NE(encode(hf, "&amp;"), encode(hf, "&"));
  Ids ids;
  EXPECT_TRUE(open_clip.encode("1 2 <end_of_text>", 4, ids));
  EXPECT_EQ(ids.size(), 4U);
}

TEST(ClipTokenizer, PutsStartAndEndAroundTheWords) {
  const auto tokenizer = small_tokenizer();
  const auto start = tokenizer.bos_token_id(), end = tokenizer.eos_token_id();
  EXPECT_EQ(start, tokenizer.vocab_size() - 2);
  EXPECT_EQ(end, tokenizer.vocab_size() - 1);
  EXPECT_EQ(encode(tokenizer, ""), (Ids{start, end}));
  EXPECT_EQ(encode(tokenizer, " \n\t "), (Ids{start, end}));
  EXPECT_EQ(encode(tokenizer, "Photo  OF"),
            (Ids{start, tokenizer.bpe().find("photo</w>"), tokenizer.bpe().find("of</w>"), end}));
  EXPECT_EQ(encode(tokenizer, "12"), (Ids{start, tokenizer.bpe().find("1</w>"), tokenizer.bpe().find("2</w>"), end}));
}

TEST(ClipTokenizer, CutsSpecialTextsOutOfTheRawText) {
  const auto tokenizer = small_tokenizer();
  const auto start = tokenizer.bos_token_id(), end = tokenizer.eos_token_id();
  EXPECT_EQ(encode(tokenizer, "<|startoftext|><|endoftext|>"), (Ids{start, start, end, end}));
  const Ids capitals = encode(tokenizer, "<|EndOfText|>");
  EXPECT_EQ(std::count(capitals.begin(), capitals.end(), end), 1);
  EXPECT_EQ(tokenizer.decode(capitals), "<| endoftext |>");
}

TEST(ClipTokenizer, LooksForNormalizedTokensInTheNormalizedText) {
  const auto plain = small_tokenizer();
  auto tokens = plain.bpe().find("<|startoftext|>");
  ClipTokenizerOptions options;
  options.added_tokens = {{.content = "<|startoftext|>", .id = tokens, .normalized = true}};
  std::vector<std::string> texts;
  for (std::int64_t id = 0; id < plain.vocab_size(); ++id) texts.push_back(plain.bpe().token(id));
  const ClipTokenizer tokenizer(std::make_shared<const ByteLevelBpe>(texts, std::vector<ByteLevelBpe::Merge>{}, -1),
                                options);
  EXPECT_EQ(encode(tokenizer, "<|StartOfText|><|EndOfText|>").at(1), tokens);
  EXPECT_NE(encode(plain, "<|StartOfText|>").at(1), tokens);
}

TEST(ClipTokenizer, KeepsTheFirstIdsAndTheEndOfWhatIsTooLong) {
  const auto tokenizer = small_tokenizer();
  const Ids all = encode(tokenizer, "1 2 3 4 5");
  ASSERT_EQ(all.size(), 7U);
  Ids ids;
  EXPECT_FALSE(tokenizer.encode("1 2 3 4 5", 7, ids));
  EXPECT_EQ(ids, all);
  EXPECT_TRUE(tokenizer.encode("1 2 3 4 5", 6, ids));
  EXPECT_EQ(ids, (Ids{all[0], all[1], all[2], all[3], all[4], all[6]}));
  EXPECT_TRUE(tokenizer.encode("1 2 3 4 5", 2, ids));
  EXPECT_EQ(ids, (Ids{all[0], all[6]}));
  EXPECT_TRUE(tokenizer.encode("1<|startoftext|>", 3, ids));
  EXPECT_THROW(tokenizer.encode("1", 1, ids), std::invalid_argument);
}

TEST(ClipTokenizer, DecodesWhatItEncoded) {
  const auto tokenizer = small_tokenizer();
  for (const std::string text : {"a photo of a cat .", "caf\u00e9 \u65e5\u672c\u8a9e \U0001f600", "1 2 it 's", ""}) {
    Ids ids = encode(tokenizer, text);
    ids.insert(ids.end(), 5, tokenizer.pad_token_id());
    EXPECT_EQ(tokenizer.decode(ids), text);
  }
  EXPECT_THROW(static_cast<void>(tokenizer.decode(Ids{tokenizer.vocab_size()})), std::invalid_argument);
  EXPECT_THROW(static_cast<void>(tokenizer.decode(Ids{-1})), std::invalid_argument);
}

TEST(ClipTokenizer, TakesAnyBytes) {
  const auto tokenizer = small_tokenizer();
  const auto in_range = [&](const std::string& text) {
    const Ids ids = encode(tokenizer, text);
    return ids.size() >= 2 &&
           std::all_of(ids.begin(), ids.end(), [&](auto id) { return id >= 0 && id < tokenizer.vocab_size(); });
  };
  for (int a = 0; a < 256; ++a) {
    ASSERT_TRUE(in_range(std::string(1, static_cast<char>(a)))) << a;
    for (int b = 0; b < 256; ++b) ASSERT_TRUE(in_range({static_cast<char>(a), static_cast<char>(b)})) << a << " " << b;
  }
  EXPECT_EQ(encode(tokenizer, "\xff"), encode(tokenizer, "\ufffd"));
  EXPECT_EQ(encode(tokenizer, "a\xe2\x82 b"), encode(tokenizer, "a\ufffd b"));
  std::mt19937 random(7);
  for (int k = 0; k < 2000; ++k) {
    std::string text(random() % 60, ' ');
    for (char& c : text) c = static_cast<char>(random());
    ASSERT_TRUE(in_range(text)) << printable(text, 1000);
  }
}

/// A megabyte of each kind of text that makes quadratic tokenizers hang. Times are printed, not judged.
TEST(ClipTokenizer, FinishesLongTextsOfAnything) {
  const auto tokenizer = small_tokenizer(), open_clip = tokenizer.with_dialect(ClipDialect::open_clip);
  const struct {
    const char *name, *unit;
  } kinds[] = {{"one letter", "a"},
               {"one word", "thequickbrownphoto"},
               {"spaces", " "},
               {"signs", "<"},
               {"half a special", "<|start"},
               {"specials", "<|endoftext|>"},
               {"digits", "7"},
               {"references", "&amp;"},
               {"nested references", "amp;"},
               {"sigmas", "\u03a3'"},
               {"marks", "\u0301\u0327"},
               {"bad bytes", "\x80"},
               {"emoji", "\U0001f468\u200d\U0001f469\u200d"},
               {"Hangul", "\u1100\u1161\u11a8"}};
  for (const auto& kind : kinds) {
    std::string text;
    if (kind.unit == std::string("amp;")) text = "&";
    while (text.size() < std::size_t{1} << 17) text += kind.unit;
    const auto before = std::chrono::steady_clock::now();
    const Ids ids = encode(tokenizer, text);
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - before;
    std::cout << "  128 KiB of " << kind.name << ": " << ids.size() << " ids, " << time.count() << " ms\n";
    const Ids others = encode(open_clip, text);
    const std::chrono::duration<double, std::milli> both = std::chrono::steady_clock::now() - before;
    std::cout << "    open_clip: " << others.size() << " ids, " << (both - time).count() << " ms\n";
    EXPECT_GE(others.size(), 2U);
    EXPECT_GE(ids.size(), 2U);
    EXPECT_LE(ids.size(), 3 * text.size() + 2);  // a bad byte becomes the three of U+FFFD
  }
  // A word too long to be joined by search alone: halves of a long word are joined as those of a short one.
  const Ids once = encode(tokenizer, "photo"),
            often = encode(tokenizer, std::string("photo ") + std::string(100000, '!'));
  EXPECT_EQ(often.at(1), once.at(1));
}

TEST(ClipTokenizer, DescribesItself) {
  const auto tokenizer = small_tokenizer().with_context_length(16);
  EXPECT_EQ(tokenizer.context_length(), 16);
  EXPECT_NE(tokenizer.with_dialect(ClipDialect::openai).describe().find("OpenAI dialect"), std::string::npos);
  EXPECT_NE(tokenizer.with_dialect(ClipDialect::open_clip, OpenClipClean::canonicalize)
                .describe()
                .find("without punctuation"),
            std::string::npos);
  const std::string text = tokenizer.describe();
  for (const char* const part : {"Hugging Face", "context length 16", "<|endoftext|>"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  EXPECT_THROW(static_cast<void>(tokenizer.with_context_length(1)), std::invalid_argument);
}

TEST(ClipTokenizer, RefusesSpecialTokensThatAreNotThere) {
  const auto bpe = std::make_shared<const ByteLevelBpe>(clip_layout({}), std::vector<ByteLevelBpe::Merge>{}, -1);
  const auto error = [&](const ClipTokenizerOptions& options) {
    return file_error_of([&] { const ClipTokenizer tokenizer(bpe, options, "vocab.json"); });
  };
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({.start = "<s>"}), "vocab.json: the start token \"<s>\" is not in the vocabulary");
  EXPECT_NE(error({.end = "</s>"}).find("the end token"), std::string::npos);
  EXPECT_NE(error({.pad = "<pad>"}).find("the pad token"), std::string::npos);
  EXPECT_NE(error({.start = "!", .end = "!"}).find("are the same"), std::string::npos);
  EXPECT_EQ(ClipTokenizer(bpe, {.pad = "!"}).pad_token_id(), 0);
  EXPECT_THROW(ClipTokenizer(nullptr), std::invalid_argument);
}

}  // namespace
