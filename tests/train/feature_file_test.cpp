#include "couplet/train/feature_file.hpp"

#include <gtest/gtest.h>

#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"
#include "support/temporary_directory.hpp"
#include "support/thread_world.hpp"

namespace {

using namespace couplet;
using train::CachedFeatures;
using train::FeatureFile;

FeatureFile feature_file(const std::string& path) {
  return {.path = path, .kind = "image", .others = "tower", .contents = "these weights", .rows = 4, .width = 3};
}

CachedFeatures computed() { return {test::random_matrix<float>(4, 3, 1), {{2, "damaged \"picture\""}}}; }

std::string refusal_of(const FeatureFile& file) {
  try {
    (void)train::cached_features(file, computed);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

TEST(FeatureFile, IsComputedOnceAndReadBack) {
  const test::TemporaryDirectory folder;
  const FeatureFile file = feature_file(folder.path("features.safetensors"));
  int times = 0;
  for (int i = 0; i < 3; ++i) {
    const CachedFeatures features = train::cached_features(file, [&] { return ++times, computed(); });
    EXPECT_TRUE(test::same_bits(features.features, computed().features));
    ASSERT_EQ(features.unreadable.size(), 1U);
    EXPECT_EQ(features.unreadable[0].index, 2);
    EXPECT_EQ(features.unreadable[0].reason, "damaged \"picture\"");
  }
  EXPECT_EQ(times, 1);
}

TEST(FeatureFile, OtherContentsAreRefusedWithWhatWasExpectedAndFound) {
  const test::TemporaryDirectory folder;
  const FeatureFile file = feature_file(folder.path("features.safetensors"));
  EXPECT_EQ(refusal_of(file), "");
  FeatureFile other = file;
  other.kind = "text";
  EXPECT_NE(
      refusal_of(other).find("holds no text features: expected \"couplet text features 1\", found \"couplet image"),
      std::string::npos);
  other = file;
  other.contents = "other weights";
  EXPECT_NE(
      refusal_of(other).find("the features of another tower: expected \"other weights\", found \"these weights\""),
      std::string::npos);
  other = file;
  other.rows = 5;
  EXPECT_NE(refusal_of(other).find("expected a tensor \"features\" (5, 3)"), std::string::npos);
  std::string bytes = io::read_file(file.path, 1U << 20U);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  io::write_file(file.path, bytes);
  EXPECT_NE(refusal_of(file).find("damaged"), std::string::npos);
  io::write_file(file.path, "short");
  EXPECT_NE(refusal_of(file), "");
}

TEST(FeatureFile, AllProcessesGetTheFirstOnes) {
  test::ThreadWorld::run(3, [](distributed::Communicator& communicator) {
    CachedFeatures features;
    if (communicator.rank() == 0) features = computed();
    train::share_features(features, 4, 3, communicator);
    EXPECT_TRUE(test::same_bits(features.features, computed().features));
    EXPECT_EQ(features.unreadable.size(), 1U);
  });
}

}  // namespace
