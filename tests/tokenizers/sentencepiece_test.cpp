#include "couplet/tokenizers/sentencepiece.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "support/file_errors.hpp"
#include "support/sentencepiece_writer.hpp"
#include "tokenizers/golden.hpp"
#include "tokenizers/space.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::file_error_of;
using test::PieceType;
using test::small_model;
using Ids = std::vector<std::int64_t>;

using couplet::test::mark;

Ids encode(const SentencePiece& pieces, std::string_view text) {
  Ids ids;
  SentencePiece::Scratch scratch;
  pieces.encode(text, scratch, ids);
  return ids;
}

/// 0 <pad>, 1 </s>, 2 <unk>, 3 _, 4 _a, 5 c, 6 a, 7 t, 8 cat
SentencePieceModel cat_model() {
  return small_model({{mark, -3}, {mark + "a", -1}, {"c", -4}, {"a", -4}, {"t", -4}, {"cat", -6}});
}

TEST(SentencePiece, CutsByHand) {
  const SentencePiece pieces(cat_model());
  EXPECT_EQ(encode(pieces, "a cat"), (Ids{4, 3, 8}));  // -1 -3 -6
  EXPECT_EQ(encode(pieces, " at  ta "), (Ids{4, 7, 3, 7, 6}));
  EXPECT_EQ(encode(pieces, ""), Ids{});
  EXPECT_EQ(pieces.size(), 9);
  EXPECT_EQ(pieces.find("cat"), 8);
  EXPECT_EQ(pieces.find("dog"), -1);
  EXPECT_EQ(pieces.unknown(), 2);
}

TEST(SentencePiece, UnknownNeighboursAreOneId) {
  EXPECT_EQ(encode(SentencePiece(cat_model()), "xyaz"), (Ids{3, 2, 6, 2}));
  SentencePieceModel model = cat_model();
  test::add_byte_pieces(model);  // from id 9 on
  EXPECT_EQ(encode(SentencePiece(model), "xya\xc3\xa9"), (Ids{3, 9 + 'x', 9 + 'y', 6, 9 + 0xc3, 9 + 0xa9}));
}

TEST(SentencePiece, ControlAndUnusedPiecesAreNotFound) {
  SentencePieceModel model = cat_model();
  model.pieces.push_back({"ct", 0, PieceType::control});
  model.pieces.push_back({"tc", 0, PieceType::unused});
  EXPECT_EQ(encode(SentencePiece(model), "ctc"), (Ids{3, 5, 7, 5}));
}

/// Its own score does not count: 0.1 (bytes - 1) is above every sum of log probabilities.
TEST(SentencePiece, UserDefinedPiecesWin) {
  SentencePieceModel model = cat_model();
  model.pieces.push_back({"at", -1000, PieceType::user_defined});
  EXPECT_EQ(encode(SentencePiece(model), "cat"), (Ids{3, 5, 9}));
}

/// The best join first, whatever the words: "abc" by b + c, for it has the higher score.
TEST(SentencePiece, JoinsByScore) {
  SentencePieceModel model = small_model({{"a", -9}, {"b", -9}, {"c", -9}, {"ab", -2}, {"bc", -1}, {"abc", -3}});
  model.algorithm = SentencePieceModel::Algorithm::bpe;
  model.add_dummy_prefix = false;
  const SentencePiece pieces(model);  // a 3, b 4, c 5, ab 6, bc 7, abc 8
  EXPECT_EQ(encode(pieces, "abc"), (Ids{8}));
  EXPECT_EQ(encode(pieces, "bab"), (Ids{4, 6}));
  EXPECT_EQ(encode(pieces, "abxxbc"), (Ids{6, 2, 7}));
  model.pieces.push_back({"ca", 0, PieceType::user_defined});
  EXPECT_EQ(encode(SentencePiece(model), "bcab"), (Ids{4, 9, 4}));  // an atom
  model.pieces.push_back({"cc", 0, PieceType::unused});
  EXPECT_NE(file_error_of([&] { const SentencePiece refused(model, "m"); }).find("unused pieces"), std::string::npos);
}

/// Characters of pieces need not be pieces.
TEST(SentencePiece, JoinsCharactersThatAreNoPieces) {
  SentencePieceModel model = small_model({{"a", -9}, {"xy", -1}, {"axy", -2}});
  model.algorithm = SentencePieceModel::Algorithm::bpe;
  model.add_dummy_prefix = false;
  EXPECT_EQ(encode(SentencePiece(model), "xxyaxy"), (Ids{2, 4, 5}));
  test::add_byte_pieces(model);
  EXPECT_EQ(encode(SentencePiece(model), "xxy"), (Ids{6 + 'x', 4}));
}

/// Joining by text, searching everything again and again.
Ids join_slowly(const SentencePiece& pieces, std::string_view text) {
  std::vector<std::string> parts;
  for (const char c : text) parts.emplace_back(1, c);
  for (;;) {
    std::size_t place = parts.size();
    float best = 0;
    for (std::size_t k = 0; k + 1 < parts.size(); ++k) {
      const auto id = pieces.find(parts[k] + parts[k + 1]);
      if (id < 0) continue;
      if (place == parts.size() || pieces.piece(id).score > best) place = k, best = pieces.piece(id).score;
    }
    if (place == parts.size()) break;
    parts[place] += parts[place + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(place) + 1);
  }
  Ids ids;
  for (const std::string& part : parts) {
    const auto id = pieces.find(part);
    const auto k = id < 0 ? pieces.unknown() : id;
    if (k != pieces.unknown() || ids.empty() || ids.back() != k) ids.push_back(k);
  }
  return ids;
}

TEST(SentencePiece, JoinsAsTheSlowWay) {
  std::mt19937 random(9);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::pair<std::string, float>> list;
    for (const char* const text :
         {"a", "b", "c", "ab", "bc", "ca", "aa", "abc", "bca", "aab", "abca", "caab", "dd", "add"}) {
      if (random() % 4 != 0) list.emplace_back(text, -static_cast<float>(random() % 6));  // many equal scores
    }
    SentencePieceModel model = small_model(list);
    model.algorithm = SentencePieceModel::Algorithm::bpe;
    model.add_dummy_prefix = false;
    const SentencePiece pieces(model);
    std::string text(random() % 14, ' ');
    for (char& c : text) c = "abcd"[random() % 4];
    EXPECT_EQ(encode(pieces, text), join_slowly(pieces, text)) << text;
  }
}

TEST(SentencePieceGolden, EqualsTheOriginal) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  const auto strings = test::read_json_lines(test::golden_tokenizers() + "/strings.jsonl");
  ASSERT_EQ(strings.size(), 1501U);
  for (const std::string name : {"sp-siglip", "sp-bytes", "sp-symbols", "sp-identity", "gemma3000"}) {
    const std::string file = name == "gemma3000" ? "/tokenizer.model" : "/spiece.model";
    const std::string path = test::golden_tokenizers() + "/" + name + file;
    const SentencePiece pieces(parse_sentencepiece_model(io::read_file(path, 1 << 26), path), path);
    const auto rows = test::read_json_lines(test::golden_tokenizers() + "/" + name + ".raw.jsonl");
    ASSERT_EQ(rows.size(), strings.size());
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const std::string& text = strings[k].find("s")->as_string();
      EXPECT_EQ(encode(pieces, text), test::integers(*rows[k].find("ids")))
          << name << " " << k << ": " << printable(text);
    }
  }
}

TEST(SentencePieceGolden, MalformedModelsGetTheirVerdicts) {
  COUPLET_NEEDS_GOLDEN_TOKENIZERS();
  const std::string folder = test::golden_tokenizers() + "/malformed/";
  const io::Json index = io::Json::parse(io::read_file(folder + "index.json", 1 << 24), folder + "index.json");
  int checked = 0;
  for (const io::Json& row : index.find("cases")->items()) {
    if (row.find("format")->as_string() != "spiece") continue;
    ++checked;
    const std::string path = folder + row.find("files")->items()[0].as_string();
    const std::string error = file_error_of([&] {
      const SentencePiece pieces(parse_sentencepiece_model(io::read_file(path, 1 << 26), path), path);
      const io::Json* const expected = row.find("ids");
      for (std::size_t k = 0; expected != nullptr && k < expected->items().size(); ++k) {
        EXPECT_EQ(encode(pieces, index.find("texts")->items()[k].as_string()), test::integers(expected->items()[k]))
            << path;
      }
    });
    const bool accepted = row.find("verdict")->as_string() == "accept";
    EXPECT_EQ(error.empty(), accepted) << row.find("name")->as_string() << ": " << row.find("reason")->as_string()
                                       << "\n"
                                       << error;
    EXPECT_TRUE(accepted || error.find(path) == 0) << "names no file: " << error;
  }
  EXPECT_EQ(checked, 49);
}

}  // namespace
