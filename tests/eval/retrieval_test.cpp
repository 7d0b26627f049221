#include "couplet/eval/retrieval.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "support/random_tensor.hpp"

namespace couplet::eval {
namespace {

/// The definition over the whole matrix of scores, which here are small integers and therefore exact.
RetrievalRanks ranks_written_out(const Tensor<float, 2>& image, const Tensor<float, 2>& text,
                                 const std::vector<Index>& image_of_text) {
  const Index images = image.extent(0), texts = text.extent(0);
  const auto score = [&](Index i, Index j) {
    float z = 0;
    for (Index k = 0; k < image.extent(1); ++k) z += image(i, k) * text(j, k);
    return z;
  };
  RetrievalRanks ranks;
  for (Index j = 0; j < texts; ++j) {
    const Index own = image_of_text[static_cast<std::size_t>(j)];
    Index rank = 0;
    for (Index i = 0; i < images; ++i) {
      rank += score(i, j) > score(own, j) || (score(i, j) == score(own, j) && i < own) ? 1 : 0;
    }
    ranks.text_to_image.push_back(rank);
  }
  for (Index i = 0; i < images; ++i) {
    Index best = texts;
    for (Index own = 0; own < texts; ++own) {
      if (image_of_text[static_cast<std::size_t>(own)] != i) continue;
      Index rank = 0;
      for (Index j = 0; j < texts; ++j) {
        rank += score(i, j) > score(i, own) || (score(i, j) == score(i, own) && j < own) ? 1 : 0;
      }
      best = std::min(best, rank);
    }
    ranks.image_to_text.push_back(best);
  }
  return ranks;
}

/// Small integers: many equal scores.
Tensor<float, 2> integers(Index rows, Index columns, std::uint64_t seed) {
  Tensor<float, 2> x = test::random_matrix<float>(rows, columns, seed, 1.5);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = std::round(x.data()[i]);
  return x;
}

TEST(Retrieval, RanksEqualTheDefinitionWithManyTies) {
  const Index n = 300;
  const auto image = integers(n, 4, 1);
  const auto text = integers(n, 4, 2);
  std::vector<Index> own(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = static_cast<Index>(i);
  Workspace workspace;
  const auto ranks = retrieval_ranks<float>(image, text, own, workspace);
  const auto expected = ranks_written_out(image, text, own);
  EXPECT_EQ(ranks.image_to_text, expected.image_to_text);
  EXPECT_EQ(ranks.text_to_image, expected.text_to_image);
  const auto metrics = retrieval<float>(image, text, workspace);
  EXPECT_EQ(metrics.text_to_image.mean_rank, summarize_ranks(expected.text_to_image).mean_rank);
}

TEST(Retrieval, RanksEqualTheDefinitionWithSeveralCaptionsPerImage) {
  const Index images = 270, texts = 4200;  // more than one block both ways
  auto image = integers(images, 3, 3);
  auto text = integers(texts, 3, 4);
  for (Index i = 0; i < image.size(); ++i) image.data()[i] += 0.25F;
  std::vector<Index> own(static_cast<std::size_t>(texts));
  for (std::size_t t = 0; t < own.size(); ++t) own[t] = static_cast<Index>(t * 7 % 270);  // in no order
  Workspace workspace;
  const auto ranks = retrieval_ranks<float>(image, text, own, workspace);
  const auto expected = ranks_written_out(image, text, own);
  EXPECT_EQ(ranks.image_to_text, expected.image_to_text);
  EXPECT_EQ(ranks.text_to_image, expected.text_to_image);
}

TEST(Retrieval, IsPerfectForEqualDistinctFeatures) {
  Tensor<double, 2> x({12, 12});
  for (Index i = 0; i < 12; ++i) x(i, i) = 1;
  Workspace workspace;
  const auto metrics = retrieval<double>(x, x, workspace);
  for (const auto& side : {metrics.image_to_text, metrics.text_to_image}) {
    EXPECT_EQ(side.queries, 12);
    EXPECT_EQ(side.recall_at_1, 1);
    EXPECT_EQ(side.mean_rank, 1);
    EXPECT_EQ(side.median_rank, 1);
  }
}

TEST(Retrieval, OfFeaturesThatAreAllAlikeIsThatOfTheOrder) {
  Tensor<float, 2> x({20, 4});
  x.fill(1);
  Workspace workspace;
  const auto metrics = retrieval<float>(x, x, workspace).image_to_text;
  EXPECT_EQ(metrics.recall_at_1, 0.05);
  EXPECT_EQ(metrics.recall_at_5, 0.25);
  EXPECT_EQ(metrics.recall_at_10, 0.5);
  EXPECT_EQ(metrics.mean_rank, 10.5);
  EXPECT_EQ(metrics.median_rank, 10);  // floor(9.5) + 1
}

TEST(Retrieval, PutsWhatIsNotANumberLast) {
  Tensor<float, 2> image({3, 2}), text({3, 2});
  for (Index i = 0; i < 3; ++i) image(i, 0) = text(i, 0) = static_cast<float>(i + 1);
  image(1, 1) = std::numeric_limits<float>::quiet_NaN();
  Workspace workspace;
  const std::vector<Index> own{0, 1, 2};
  const auto ranks = retrieval_ranks<float>(image, text, own, workspace);
  EXPECT_EQ(ranks.image_to_text[1], 3);
  EXPECT_EQ(ranks.text_to_image[1], 3);
}

TEST(SummarizeRanks, CountsMeanAndMedianFromOne) {
  const auto odd = summarize_ranks({4, 0, 11});
  EXPECT_EQ(odd.queries, 3);
  EXPECT_DOUBLE_EQ(odd.recall_at_1, 1.0 / 3);
  EXPECT_DOUBLE_EQ(odd.recall_at_5, 2.0 / 3);
  EXPECT_DOUBLE_EQ(odd.recall_at_10, 2.0 / 3);
  EXPECT_EQ(odd.mean_rank, 6);
  EXPECT_EQ(odd.median_rank, 5);
  EXPECT_EQ(summarize_ranks({0, 3}).median_rank, 2);
  EXPECT_EQ(summarize_ranks({}).queries, 0);
}

TEST(Retrieval, RefusesCaptionsThatDoNotFit) {
  const Tensor<float, 2> image({2, 3}), text({3, 3}), narrow({3, 2});
  Workspace workspace;
  const auto refusal = [&](const Tensor<float, 2>& captions, const std::vector<Index>& own) -> std::string {
    try {
      (void)retrieval_ranks<float>(image, captions, own, workspace);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(text, {0, 1, 0}), "");
  EXPECT_EQ(refusal(narrow, {0, 1, 0}), "[retrieval] widths differ: image_features (2, 3), text_features (3, 2)");
  EXPECT_EQ(refusal(text, {0, 1}), "[retrieval] 2 caption owners; image_features (2, 3), text_features (3, 3)");
  EXPECT_NE(refusal(text, {0, 1, 2}), "");
  EXPECT_EQ(refusal(text, {0, 0, 0}), "[retrieval] image 1 has no caption");
}

}  // namespace
}  // namespace couplet::eval
