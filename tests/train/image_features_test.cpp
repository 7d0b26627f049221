#include "couplet/train/image_features.hpp"

#include <gtest/gtest.h>

#include "couplet/data/scenes.hpp"
#include "support/expect_near.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;

/// Scenes, one of which cannot be decoded.
class OneDamaged final : public data::Dataset {
 public:
  explicit OneDamaged(Index count) : scenes_(data::SceneOptions{.seed = 1, .count = count, .image_size = 32}) {}
  [[nodiscard]] Index size() const override { return scenes_.size(); }
  [[nodiscard]] data::Sample sample(Index i) const override {
    ++read;
    data::Sample s = scenes_.sample(i);
    if (i != 5) return s;
    s.source = "damaged picture";
    s.image_bytes = "not a picture";
    s.image = {};
    return s;
  }
  [[nodiscard]] data::Sample annotation(Index i) const override { return scenes_.annotation(i); }

  mutable std::atomic<int> read{0};

 private:
  data::SceneDataset scenes_;
};

train::CachedFeatures features(const std::string& path, Pretrained<float>& bundle, const data::Dataset& dataset) {
  return train::cached_image_features(path, bundle, dataset, [](Index, Index) {});
}

TEST(ImageFeatures, AreComputedOnceAndReadBack) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("features.safetensors");
  Pretrained<float> bundle = test::small_bundle();
  const OneDamaged dataset(70);  // more than a batch of embed_images
  const train::CachedFeatures first = features(path, bundle, dataset);
  EXPECT_EQ(dataset.read, 70);
  const train::CachedFeatures again = features(path, bundle, dataset);
  EXPECT_EQ(dataset.read, 70);
  EXPECT_TRUE(test::same_bits(first.features, again.features));
  for (const train::CachedFeatures* each : {&first, &again}) {
    ASSERT_EQ(each->unreadable.size(), 1U);
    EXPECT_EQ(each->unreadable[0].index, 5);
    EXPECT_NE(each->unreadable[0].reason.find("damaged picture"), std::string::npos);
  }
  EXPECT_EQ(first.features(5, 0), 0);
  Tensor<float, 4> pixels({1, 3, 32, 32});
  bundle.to_pixels(dataset.sample(66).image, pixels.view()[0]);
  Tensor<float, 2> expected({1, bundle.embed_dim()});
  Workspace workspace;
  bundle.encode_pixels(pixels, expected.view(), Normalize::no, workspace);
  EXPECT_EQ(std::memcmp(expected.data(), &first.features(66, 0), static_cast<std::size_t>(bundle.embed_dim()) * 4), 0);
}

std::string error_of(const std::string& path, Pretrained<float>& bundle, const data::Dataset& dataset) {
  try {
    (void)features(path, bundle, dataset);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

TEST(ImageFeatures, OtherTowersDataSetsAndDamageAreRefused) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("features.safetensors");
  Pretrained<float> bundle = test::small_bundle();
  const OneDamaged dataset(20);
  (void)features(path, bundle, dataset);
  Pretrained<float> other = test::small_bundle(false, 2);
  EXPECT_NE(error_of(path, other, dataset).find("another image tower"), std::string::npos);
  EXPECT_NE(error_of(path, bundle, OneDamaged(21)).find("another image tower"), std::string::npos);
  Pretrained<float> other_text = test::small_bundle();
  other_text.model.text.text_projection.weight.value.data()[0] += 1;
  EXPECT_EQ(error_of(path, other_text, dataset), "");
  std::string bytes = io::read_file(path, 1U << 20U);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);
  io::write_file(path, bytes);
  EXPECT_NE(error_of(path, bundle, dataset).find("damaged"), std::string::npos);
  io::write_file(path, "short");
  EXPECT_NE(error_of(path, bundle, dataset), "");
}

TEST(WithoutPictures, GivesWordsAloneAndTheSameUnreadableSamples) {
  const auto dataset = std::make_shared<OneDamaged>(10);
  const train::CachedFeatures known{.features = {}, .unreadable = {{5, "damaged picture"}}};
  const train::WithoutPictures words(dataset, known);
  EXPECT_EQ(words.size(), 10);
  EXPECT_EQ(words.sample(3).captions, dataset->annotation(3).captions);
  EXPECT_EQ(words.sample(3).image.width, 0);
  EXPECT_THROW((void)words.sample(5), file_error);
  EXPECT_EQ(dataset->read, 0);
}

}  // namespace
