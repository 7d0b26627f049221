#include "couplet/train/text_features.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using train::CachedFeatures;
using train::DistinctCaptions;

/// Samples with 0, 1, 2, 0, 1, ... captions, of which each third sample has the same.
class Captioned final : public data::Dataset {
 public:
  explicit Captioned(Index count, std::string word = "star") : count_(count), word_(std::move(word)) {}
  [[nodiscard]] Index size() const override { return count_; }
  [[nodiscard]] data::Sample sample(Index i) const override { return annotation(i); }
  [[nodiscard]] data::Sample annotation(Index i) const override {
    data::Sample sample;
    if (i % 3 > 0) sample.captions.push_back("a " + word_ + " of " + std::to_string(i % 3) + " colours");
    if (i % 3 > 1) sample.captions.push_back("number " + std::to_string(i));
    return sample;
  }

 private:
  Index count_;
  std::string word_;
};

TEST(DistinctCaptions, AreListedOnceInTheOrderTheyAppearIn) {
  const DistinctCaptions captions(Captioned(9));
  EXPECT_EQ(captions.size(), 5);
  EXPECT_EQ(captions.slice(0, 5), (std::vector<std::string>{"a star of 1 colours", "a star of 2 colours", "number 2",
                                                            "number 5", "number 8"}));
  EXPECT_EQ(captions.slice(3, 4), std::vector<std::string>{"number 5"});
  EXPECT_EQ(captions.row("number 5"), 3);
  EXPECT_EQ(captions.row("a star of 1 colours"), 0);
  EXPECT_THROW((void)captions.row("number 6"), std::invalid_argument);
}

CachedFeatures text_features(const std::string& path, Pretrained<float>& bundle, const Captioned& dataset,
                             std::vector<Index>* progress = nullptr) {
  return train::cached_text_features(path, bundle, DistinctCaptions(dataset), [&](Index done, Index total) {
    if (progress != nullptr) progress->insert(progress->end(), {done, total});
  });
}

TEST(TextFeatures, AreThoseOfTheTowerComputedOnce) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("features.safetensors");
  for (const bool siglip : {false, true}) {
    Pretrained<float> bundle = test::small_bundle(siglip);
    const Captioned dataset(900);  // more captions than go through the tower at a time
    std::vector<Index> progress;
    const CachedFeatures first = text_features(path, bundle, dataset, &progress);
    EXPECT_EQ(progress, (std::vector<Index>{256, 302, 302, 302}));
    const CachedFeatures again = text_features(path, bundle, dataset, &progress);
    EXPECT_EQ(progress.size(), 4U);
    EXPECT_TRUE(test::same_bits(first.features, again.features));
    const DistinctCaptions captions(dataset);
    const std::vector<std::string> some{"number 899", "a star of 2 colours"};
    const Tensor<float, 2> expected = bundle.encode_text(some, Normalize::no);
    for (Index i = 0; i < 2; ++i) {
      const Index row = captions.row(some[static_cast<std::size_t>(i)]);
      EXPECT_TRUE(test::same_bits(expected.view()[i], first.features.view()[row]));
    }
    std::filesystem::remove(path);
  }
}

std::string text_error(const std::string& path, Pretrained<float>& bundle, const Captioned& dataset) {
  try {
    (void)text_features(path, bundle, dataset);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

TEST(TextFeatures, OtherTowersTokenizersAndCaptionsAreRefused) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("features.safetensors");
  Pretrained<float> bundle = test::small_bundle();
  const Captioned dataset(20);
  (void)text_features(path, bundle, dataset);
  const std::string another = "another text tower, tokenizer or set of captions";
  Pretrained<float> other = test::small_bundle(false, 2);
  EXPECT_NE(text_error(path, other, dataset).find(another), std::string::npos);
  EXPECT_NE(text_error(path, bundle, Captioned(23)).find(another), std::string::npos);
  EXPECT_NE(text_error(path, bundle, Captioned(20, "ring")).find(another), std::string::npos);
  Pretrained<float> other_words = test::small_bundle();
  other_words.tokenizer = tokenizers::Tokenizer(
      tokenizers::train_bpe(std::vector<std::string>{"colours colours", "number number"}, {.vocab_size = 520})
          .with_context_length(24));
  EXPECT_NE(text_error(path, other_words, dataset).find(another), std::string::npos);
  Pretrained<float> other_image = test::small_bundle();
  other_image.model.visual.transformer().proj.weight.value.data()[0] += 1;
  EXPECT_EQ(text_error(path, other_image, dataset), "");
}

}  // namespace
