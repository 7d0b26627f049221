#include "couplet/tokenizers/siglip_rules.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "couplet/tokenizers/context_length.hpp"
#include "support/sentencepiece_writer.hpp"
#include "tokenizers/space.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using Ids = std::vector<std::int64_t>;

using couplet::test::mark;

/// 3 _, 4 a, 5 b, 6 _a, 7 _b, 8 ab, 9 n, 10 k, 11 _<, 12 u, 13 >
std::shared_ptr<const SentencePiece> pieces() {
  return std::make_shared<const SentencePiece>(test::small_model({{mark, -3},
                                                                  {"a", -4},
                                                                  {"b", -4},
                                                                  {mark + "a", -2},
                                                                  {mark + "b", -2},
                                                                  {"ab", -3},
                                                                  {"n", -5},
                                                                  {"k", -5},
                                                                  {mark + "<", -5},
                                                                  {"u", -5},
                                                                  {">", -5}}));
}

SiglipRules rules(bool lower_case = true) {
  return {pieces(),
          {{.content = "</s>", .id = 1}, {.content = "<unk>", .id = 2}, {.content = "<new>", .id = 14}},
          "<unk>",
          lower_case};
}

Ids encode(const SiglipRules& rules, std::u32string_view text, std::size_t limit = no_limit) {
  Ids ids;
  rules.append(text, limit, ids);
  return ids;
}

TEST(SiglipRules, LowersAndDropsPunctuation) {
  EXPECT_EQ(encode_utf8(canonicalize_siglip_text(U"  It's\u00a0 A_b\x1c (C)!  ", true)), "its ab c");
  EXPECT_EQ(encode_utf8(canonicalize_siglip_text(U"\u039f\u03a3. A", false)), "\u039f\u03a3 A");
  EXPECT_EQ(encode_utf8(canonicalize_siglip_text(U"\u039f\u03a3.", true)), "\u03bf\u03c2");  // the final sigma
  EXPECT_EQ(canonicalize_siglip_text(U"?!", true), U"");
}

TEST(SiglipRules, EncodesBehindTheUnknownToken) {
  EXPECT_EQ(encode(rules(), U"A, b."), (Ids{6, 7}));
  EXPECT_EQ(encode(rules(), U"ab"), (Ids{3, 8}));
  EXPECT_EQ(encode(rules(), U""), Ids{});  // a mark at the end goes
  EXPECT_EQ(encode(rules(false), U"A a"), (Ids{3, 2, 6}));
}

TEST(SiglipRules, ItsOwnMarksAreSpaces) {
  EXPECT_EQ(encode(rules(),
                   U"a\u2581\u2581"
                   U"b"),
            (Ids{6, 7}));
}

TEST(SiglipRules, CutsAddedTokensOut) {
  EXPECT_EQ(encode(rules(), U"a</s>b"), (Ids{6, 1, 5}));  // no mark behind an added token
  EXPECT_EQ(encode(rules(), U"</s>"), (Ids{1}));          // nor alone in front of one
  EXPECT_EQ(encode(rules(), U"<unk> b"), (Ids{2, 5}));    // spaces at the ends of a part go
  EXPECT_EQ(encode(rules(), U"</S>"), (Ids{3, 2}));       // before lowering alone
  EXPECT_EQ(encode(rules(), U"a<new>"), (Ids{6, 14}));
  EXPECT_EQ(rules().size(), 15);
  EXPECT_EQ(rules().token(14), "<new>");
  EXPECT_EQ(rules().token(8), "ab");
}

/// Where spaces are kept, so is the mark in front; a part in front of an added token that is no more than it goes.
TEST(SiglipRules, DropsALoneMarkInFrontOfASpecialToken) {
  SentencePieceModel model = test::small_model({{mark, -3}, {"a", -4}, {"<", -5}, {"unk>", -5}, {"b", -4}});
  model.remove_extra_whitespaces = model.add_dummy_prefix = false;
  const SiglipRules keeps(std::make_shared<const SentencePiece>(model),
                          {{.content = "</s>", .id = 1}, {.content = "<n>", .id = 8, .special = false}}, "<unk>", true);
  EXPECT_EQ(encode(keeps, U"a"), (Ids{3, 4}));
  EXPECT_EQ(encode(keeps, U"</s>a"), (Ids{1, 4}));
  EXPECT_EQ(encode(keeps, U"?</s>"), (Ids{1}));
  EXPECT_EQ(encode(keeps, U"<n>"), (Ids{3, 8}));
  EXPECT_EQ(encode(keeps, U"</s>\u2581</s>"), (Ids{1, 1}));
}

TEST(SiglipRules, StopsBehindTheLimit) { EXPECT_EQ(encode(rules(), U"a</s>b</s>a", 2), (Ids{6, 1, 5})); }

TEST(SiglipRules, DescribeThemselves) {
  EXPECT_NE(rules().describe().find("lower case"), std::string::npos);
  EXPECT_NE(rules(false).describe().find("case kept"), std::string::npos);
}

}  // namespace
