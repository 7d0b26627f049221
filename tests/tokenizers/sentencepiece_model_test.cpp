#include "couplet/tokenizers/sentencepiece_model.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "support/file_errors.hpp"
#include "support/sentencepiece_writer.hpp"
#include "tokenizers/golden.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::bytes_field;
using test::file_error_of;
using test::number_field;
using test::PieceType;
using test::small_model;
using test::write_model;

std::string model_error(const std::string& bytes) {
  return file_error_of([&] { static_cast<void>(parse_sentencepiece_model(bytes, "m")); });
}

TEST(SentencePieceModel, ComesBackAsWritten) {
  SentencePieceModel model = small_model({{"a", -1}, {"\xc3\xa9", -2.5F}});
  test::add_byte_pieces(model);
  model.pieces.push_back({"<b>", 3, PieceType::user_defined});
  model.algorithm = SentencePieceModel::Algorithm::bpe;
  model.character_map = "map";
  model.add_dummy_prefix = model.escape_whitespaces = false;
  const SentencePieceModel again = parse_sentencepiece_model(write_model(model), "m");
  ASSERT_EQ(again.pieces.size(), model.pieces.size());
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    EXPECT_EQ(again.pieces[id].text, model.pieces[id].text);
    EXPECT_EQ(again.pieces[id].score, model.pieces[id].score);
    EXPECT_EQ(again.pieces[id].type, model.pieces[id].type);
  }
  EXPECT_EQ(again.algorithm, model.algorithm);
  EXPECT_TRUE(again.byte_fallback);
  EXPECT_EQ(again.character_map, "map");
  EXPECT_FALSE(again.add_dummy_prefix);
  EXPECT_TRUE(again.remove_extra_whitespaces);
  EXPECT_FALSE(again.escape_whitespaces);
}

TEST(SentencePieceModel, AbsentFieldsTakeTheirDefaults) {
  const auto model = parse_sentencepiece_model(
      bytes_field(1, bytes_field(1, "a")) + bytes_field(1, bytes_field(1, "?") + number_field(3, 2)), "m");
  EXPECT_EQ(model.pieces[0].type, PieceType::normal);
  EXPECT_EQ(model.pieces[0].score, 0);
  EXPECT_EQ(model.algorithm, SentencePieceModel::Algorithm::unigram);
  EXPECT_TRUE(model.add_dummy_prefix && model.remove_extra_whitespaces && model.escape_whitespaces);
  EXPECT_FALSE(model.byte_fallback);
}

TEST(SentencePieceModel, RefusesPiecesThatMakeNoSense) {
  const auto with = [](const std::string& text, float score, PieceType type) {
    SentencePieceModel model = small_model({{"a", 0}});
    model.pieces.push_back({text, score, type});
    return model_error(write_model(model));
  };
  EXPECT_EQ(with("b", 0, PieceType::normal), "");
  EXPECT_EQ(with("", 0, PieceType::normal), "m: piece 4 \"\": expected a text, found none");
  EXPECT_NE(with("a", 0, PieceType::unused).find("twice"), std::string::npos);
  EXPECT_NE(with("\xff", 0, PieceType::normal).find("not UTF-8"), std::string::npos);
  EXPECT_NE(with(std::string("b\0", 2), 0, PieceType::normal).find("NUL"), std::string::npos);
  EXPECT_NE(with(std::string(4097, 'b'), 0, PieceType::normal).find("longer than 4096"), std::string::npos);
  EXPECT_NE(with("b", 0, PieceType::unknown).find("expected one unknown piece, found 2"), std::string::npos);
  EXPECT_NE(with("b", 0, PieceType::byte).find("expected the piece of a byte"), std::string::npos);
  for (const float score : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_NE(with("b", score, PieceType::normal).find("finite"), std::string::npos);
  }
  EXPECT_NE(model_error("").find("expected one unknown piece, found 0"), std::string::npos);
}

TEST(SentencePieceModel, RefusesWhatItWouldReadOtherwiseThanSentencePiece) {
  const std::string model = write_model(small_model({{"a", 0}}));
  EXPECT_NE(model_error(model + bytes_field(2, number_field(3, 3))).find("found one of words"), std::string::npos);
  EXPECT_NE(model_error(model + bytes_field(2, number_field(3, 4))).find("found one of characters"), std::string::npos);
  EXPECT_NE(model_error(model + bytes_field(2, number_field(3, 9))).find("type 9"), std::string::npos);
  EXPECT_NE(model_error(model + bytes_field(2, number_field(24, 1))).find("suffix"), std::string::npos);
  EXPECT_NE(model_error(model + bytes_field(1, number_field(3, 7))).find("unknown type 7"), std::string::npos);
  EXPECT_NE(model_error(model + bytes_field(2, number_field(35, 1))).find("expected 256 pieces"), std::string::npos);
}

TEST(SentencePieceModel, RefusesEveryPrefix) {
  const std::string model = write_model(small_model({{"a", -1}, {"b", -2}}));
  ASSERT_EQ(model_error(model), "");
  const std::size_t pieces = model.size() - 2 * 2 - 4 - 10;  // the last two messages may be missing
  for (std::size_t n = 0; n < pieces; ++n) {
    if (n != pieces - test::piece_field("b", -2, 1).size() && model_error(model.substr(0, n)).empty()) {
      const auto cut = parse_sentencepiece_model(model.substr(0, n), "m");
      EXPECT_LT(cut.pieces.size(), 5U) << n;  // whole pieces alone are left
    }
  }
  EXPECT_NE(model_error(model.substr(0, 3)), "");
}

TEST(SentencePieceModel, KnowsThePiecesOfBytes) {
  EXPECT_EQ(byte_piece(0x0a), "<0x0A>");
  for (int byte = 0; byte < 256; ++byte) EXPECT_EQ(byte_of_piece(byte_piece(static_cast<unsigned>(byte))), byte);
  for (const char* const other : {"<0x-1>", "<0x100>", "<0xff>", "0xFF", "<0xFF", "<0xGG>", ""}) {
    EXPECT_EQ(byte_of_piece(other), -1) << other;
  }
}

}  // namespace
