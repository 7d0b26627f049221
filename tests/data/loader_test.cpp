#include "couplet/data/loader.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "couplet/data/scenes.hpp"
#include "data/named_samples.hpp"
#include "support/file_errors.hpp"

namespace couplet::data {
namespace {

/// (3, 1, 2) pictures that hold the sample's index and the epoch.
Preprocess stamp() {
  Preprocess preprocess;
  preprocess.height = 1;
  preprocess.width = 2;
  preprocess.render = [](const Sample& sample, std::uint64_t epoch, Index index, float* out) {
    for (int i = 0; i < 6; ++i) out[i] = static_cast<float>(index);
    out[5] = static_cast<float>(epoch);
    out[0] = sample.image.pixels[0];
  };
  return preprocess;
}

std::string describe(const Batch& batch) {
  std::string text = std::to_string(batch.position.epoch) + "/" + std::to_string(batch.position.batch) + ":";
  for (std::size_t i = 0; i < batch.indices.size(); ++i) {
    text += " " + std::to_string(batch.indices[i]) + "=" + batch.keys[i] + "=" + batch.texts[i];
    for (int v = 0; v < 6; ++v) text += "," + std::to_string(batch.images[static_cast<Index>(i)].data()[v]);
  }
  return text;
}

std::vector<std::string> run(const std::shared_ptr<const Dataset>& dataset, const LoaderOptions& options, int batches,
                             LoaderPosition start = {}) {
  Loader loader(dataset, stamp(), options, start);
  std::vector<std::string> seen;
  Batch batch;
  for (int i = 0; i < batches && loader.next(batch); ++i) seen.push_back(describe(batch));
  return seen;
}

std::shared_ptr<const Dataset> samples(Index n) { return std::make_shared<test::NamedSamples>("s", n); }

TEST(Loader, PartsOfBatchesMakeUpTheWholeOnes) {
  for (const Index parts : {2, 3, 7}) {
    const auto whole = run(samples(23), {.batch_size = 7, .seed = 3}, 8);
    for (int workers : {0, 2}) {
      std::vector<std::string> together(8);
      for (Index part = 0; part < parts; ++part) {
        const auto mine =
            run(samples(23), {.batch_size = 7, .seed = 3, .workers = workers, .part = part, .parts = parts}, 8);
        for (std::size_t i = 0; i < 8; ++i) {
          together[i] += part == 0 ? mine[i] : mine[i].substr(mine[i].find(' '));
        }
      }
      EXPECT_EQ(together, whole) << parts;
    }
  }
}

TEST(Loader, RefusesPartsWithoutSamples) {
  const auto make = [](Index batch_size, Index part, Index parts, bool drop_last) {
    const LoaderOptions options{.batch_size = batch_size, .drop_last = drop_last, .part = part, .parts = parts};
    const Loader loader(samples(23), stamp(), options);
  };
  EXPECT_NO_THROW(make(3, 2, 3, true));
  EXPECT_THROW(make(2, 1, 3, true), std::invalid_argument);
  EXPECT_THROW(make(3, 3, 3, true), std::invalid_argument);
  EXPECT_THROW(make(3, 0, 3, false), std::invalid_argument);
}

TEST(Loader, VisitsEverySampleOncePerEpoch) {
  Loader loader(samples(23), stamp(), {.batch_size = 5, .drop_last = false, .end_epoch = 2});
  EXPECT_EQ(loader.batches_per_epoch(), 5);
  std::vector<std::vector<Index>> epochs(2);
  Batch batch;
  while (loader.next(batch)) {
    ASSERT_EQ(batch.images.shape(), Shape({batch.size(), 3, 1, 2}));
    for (Index i = 0; i < batch.size(); ++i) {
      const Index index = batch.indices[static_cast<std::size_t>(i)];
      EXPECT_EQ(batch.keys[static_cast<std::size_t>(i)], "s" + std::to_string(index));
      EXPECT_EQ(batch.texts[static_cast<std::size_t>(i)], "caption of s" + std::to_string(index));
      EXPECT_EQ(batch.images(i, 0, 0, 0), static_cast<float>(index));
      EXPECT_EQ(batch.images(i, 2, 0, 1), static_cast<float>(batch.position.epoch));
      epochs[batch.position.epoch].push_back(index);
    }
  }
  EXPECT_NE(epochs[0], epochs[1]);
  for (const auto& epoch : epochs) EXPECT_EQ(std::set<Index>(epoch.begin(), epoch.end()).size(), 23u);
  EXPECT_FALSE(loader.next(batch));
}

TEST(Loader, DropsTheLastBatchUnlessAsked) {
  Loader loader(samples(23), stamp(), {.batch_size = 5, .end_epoch = 1});
  EXPECT_EQ(loader.batches_per_epoch(), 4);
  Index count = 0;
  for (Batch batch; loader.next(batch);) count += batch.size();
  EXPECT_EQ(count, 20);
}

TEST(Loader, KeepsTheOrderOfTheDataSetWithoutShuffle) {
  Loader loader(samples(5), stamp(), {.batch_size = 2, .shuffle = false, .drop_last = false, .end_epoch = 1});
  std::vector<Index> order;
  for (Batch batch; loader.next(batch);) order.insert(order.end(), batch.indices.begin(), batch.indices.end());
  EXPECT_EQ(order, (std::vector<Index>{0, 1, 2, 3, 4}));
}

TEST(Loader, BatchesDoNotDependOnWorkersPrefetchOrCache) {
  const auto dataset = samples(37);
  const auto expected = run(dataset, {.batch_size = 4, .seed = 9, .workers = 0}, 30);
  ASSERT_EQ(expected.size(), 30u);
  for (const int workers : {1, 2, 5}) {
    for (const int prefetch : {1, 3}) {
      const LoaderOptions options{
          .batch_size = 4, .seed = 9, .workers = workers, .prefetch = prefetch, .cache_images = 20 * 170};
      EXPECT_EQ(run(dataset, options, 30), expected) << workers << " workers, prefetch " << prefetch;
    }
  }
  EXPECT_NE(run(dataset, {.batch_size = 4, .seed = 10}, 30), expected);
}

TEST(Loader, GoesOnFromAnyPosition) {
  const auto dataset = samples(37);
  const LoaderOptions options{.batch_size = 4, .seed = 9, .workers = 2};
  const auto expected = run(dataset, options, 30);
  Loader loader(dataset, stamp(), options);
  for (int done = 0; done < 28; ++done) {
    const LoaderPosition position = loader.position();
    EXPECT_EQ(position, (LoaderPosition{static_cast<std::uint64_t>(done / 9), static_cast<std::uint64_t>(done % 9)}));
    const auto rest = run(dataset, options, 2, position);
    EXPECT_EQ(rest[0], expected[static_cast<std::size_t>(done)]);
    EXPECT_EQ(rest[1], expected[static_cast<std::size_t>(done) + 1]);
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
  }
  EXPECT_EQ(run(dataset, options, 1, {0, 9}), run(dataset, options, 1, {1, 0}));
  EXPECT_THROW(Loader(dataset, stamp(), options, {0, 10}), std::invalid_argument);
}

TEST(Loader, ReusesTheBuffersOfTheCaller) {
  Loader loader(samples(40), stamp(), {.batch_size = 4, .prefetch = 2});
  std::set<const float*> buffers;
  Batch batch;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(loader.next(batch));
    buffers.insert(batch.images.data());
  }
  EXPECT_LE(buffers.size(), 3u);
}

TEST(Loader, MakesNoMoreBatchesAheadThanAllowed) {
  std::atomic<int> made{0};
  Preprocess preprocess = stamp();
  preprocess.render = [&made](const Sample&, std::uint64_t, Index, float*) { ++made; };
  Loader loader(samples(100), preprocess, {.batch_size = 2, .workers = 3, .prefetch = 3});
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_LE(made.load(), 8);
}

/// Samples whose indices are in `bad` cannot be read.
class Damaged final : public test::NamedSamples {
 public:
  Damaged(Index count, std::set<Index> bad) : NamedSamples("s", count), bad_(std::move(bad)) {}
  [[nodiscard]] Sample sample(Index i) const override {
    if (bad_.count(i) != 0) throw file_error("file " + std::to_string(i), "is damaged");
    return NamedSamples::sample(i);
  }

 private:
  std::set<Index> bad_;
};

TEST(Loader, ReplacesUnreadableSamplesAndNamesThem) {
  const auto dataset = std::make_shared<Damaged>(20, std::set<Index>{3, 11});
  const auto expected = run(dataset, {.batch_size = 4, .seed = 1, .workers = 0}, 10);
  EXPECT_EQ(run(dataset, {.batch_size = 4, .seed = 1, .workers = 3}, 10), expected);
  Loader loader(dataset, stamp(), {.batch_size = 4, .seed = 1, .end_epoch = 3});
  for (Batch batch; loader.next(batch);) {
    const std::set<Index> distinct(batch.indices.begin(), batch.indices.end());
    EXPECT_EQ(distinct.size(), 4u);
    EXPECT_EQ(distinct.count(3) + distinct.count(11), 0u);
  }
  const auto unreadable = loader.unreadable();
  ASSERT_EQ(unreadable.size(), 2u);
  EXPECT_EQ(unreadable[0].index, 3);
  EXPECT_EQ(unreadable[1].reason, "file 11: is damaged");
}

TEST(Loader, FindsTheLastReadableSampleWhateverTheBatchSize) {
  for (const Index batch_size : {1, 4, 8, 12}) {
    std::set<Index> bad;
    for (Index i = 0; i < 12; ++i) bad.insert(i);
    bad.erase(7);
    Loader loader(std::make_shared<Damaged>(12, bad), stamp(), {.batch_size = batch_size});
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
    for (const Index index : batch.indices) EXPECT_EQ(index, 7);
  }
}

TEST(Loader, EndsWhenTooManySamplesAreUnreadable) {
  std::set<Index> bad;
  for (Index i = 0; i < 100; ++i) bad.insert(i);
  for (const int workers : {0, 2}) {
    for (const Index limit : {0, 10, 1000}) {
      Loader loader(std::make_shared<Damaged>(100, bad), stamp(),
                    {.batch_size = 8, .workers = workers, .max_unreadable = limit});
      Batch batch;
      const std::string message = test::file_error_of([&] { (void)loader.next(batch); });
      const std::string again = test::file_error_of([&] { (void)loader.next(batch); });
      EXPECT_NE(message.find("is damaged"), std::string::npos) << message;
      EXPECT_NE(again.find("is damaged"), std::string::npos) << again;
    }
  }
}

TEST(Loader, SamplesWithoutCaptionsAreUnreadableUnlessAllowed) {
  class Wordless final : public test::NamedSamples {
   public:
    Wordless() : NamedSamples("s", 10) {}
    [[nodiscard]] Sample sample(Index i) const override {
      Sample sample = NamedSamples::sample(i);
      if (i == 4) sample.captions.clear();
      if (i == 5) sample.captions = {"one", "two"};
      return sample;
    }
  };
  std::set<std::string> words;
  Loader strict(std::make_shared<Wordless>(), stamp(), {.batch_size = 5, .end_epoch = 20});
  for (Batch batch; strict.next(batch);) words.insert(batch.texts.begin(), batch.texts.end());
  EXPECT_EQ(strict.unreadable().at(0).reason, "memory: s4: has no caption");
  EXPECT_EQ(words.count("one") + words.count("two"), 2u);
  EXPECT_EQ(words.count(""), 0u);
  Loader lenient(std::make_shared<Wordless>(), stamp(),
                 {.batch_size = 10, .shuffle = false, .require_captions = false});
  Batch batch;
  ASSERT_TRUE(lenient.next(batch));
  EXPECT_EQ(batch.texts[4], "");
  EXPECT_EQ(batch.texts[5], "one");
  EXPECT_TRUE(lenient.unreadable().empty());
}

TEST(Loader, ExceptionsOfWorkersReachTheCallerInOrder) {
  Preprocess preprocess = stamp();
  preprocess.render = [](const Sample&, std::uint64_t, Index index, float*) {
    if (index >= 7) throw std::runtime_error("sample " + std::to_string(index));
  };
  for (const int workers : {0, 1, 4}) {
    Loader loader(samples(12), preprocess, {.batch_size = 4, .shuffle = false, .workers = workers, .prefetch = 3});
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        (void)loader.next(batch);
        FAIL() << "expected an exception";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "sample 7");
      }
    }
    EXPECT_EQ(loader.position(), (LoaderPosition{0, 1}));
  }
}

TEST(Loader, CachedPicturesAreReadOnce) {
  class Counting final : public test::NamedSamples {
   public:
    Counting() : NamedSamples("s", 10) {}
    [[nodiscard]] Sample sample(Index i) const override {
      ++reads;
      return NamedSamples::sample(i);
    }
    mutable std::atomic<int> reads{0};
  };
  const auto dataset = std::make_shared<Counting>();
  Loader loader(dataset, stamp(), {.batch_size = 5, .end_epoch = 4, .workers = 0, .cache_images = 1 << 20});
  Batch batch;
  while (loader.next(batch)) {
  }
  EXPECT_EQ(dataset->reads.load(), 10);
}

TEST(Loader, StopsAtAnyMoment) {
  Preprocess slow = stamp();
  slow.render = [](const Sample&, std::uint64_t, Index, float*) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  };
  for (int i = 0; i < 40; ++i) {
    Loader loader(samples(50), slow, {.batch_size = 3, .workers = 3, .prefetch = 2});
    Batch batch;
    for (int taken = 0; taken < i % 4; ++taken) ASSERT_TRUE(loader.next(batch));
  }
}

TEST(Loader, RefusesOptionsOutOfRange) {
  const auto dataset = samples(10);
  EXPECT_THROW(Loader(dataset, stamp(), {.batch_size = 0}), std::invalid_argument);
  EXPECT_THROW(Loader(dataset, stamp(), {.batch_size = 11}), std::invalid_argument);
  EXPECT_THROW(Loader(dataset, stamp(), {.batch_size = 2, .workers = -1}), std::invalid_argument);
  EXPECT_THROW(Loader(dataset, stamp(), {.batch_size = 2, .prefetch = 0}), std::invalid_argument);
  EXPECT_THROW(Loader(dataset, Preprocess(), {.batch_size = 2}), std::invalid_argument);
  EXPECT_THROW(Loader(samples(0), stamp(), {.batch_size = 1, .drop_last = false}), std::invalid_argument);
  EXPECT_NO_THROW(Loader(dataset, stamp(), {.batch_size = 11, .drop_last = false}));
}

TEST(Loader, RefusesFlipsWhereCaptionsSayLeftAndRight) {
  const auto scenes = std::make_shared<SceneDataset>(SceneOptions{.count = 8, .image_size = 16});
  const image::Transform transform(image::clip_transform_config(16));
  EXPECT_THROW(Loader(scenes, preprocess_train(transform, {.flip = true}), {.batch_size = 4}), std::invalid_argument);
  Loader loader(scenes, preprocess_train(transform), {.batch_size = 4});
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_EQ(batch.images.shape(), Shape({4, 3, 16, 16}));
}

TEST(Loader, GivesTextsWithoutPictures) {
  const auto dataset = std::make_shared<SceneDataset>(SceneOptions{.seed = 2, .count = 12, .image_size = 16});
  Loader with(dataset, stamp(), {.batch_size = 4});
  Loader without(dataset, {}, {.batch_size = 4, .pictures = false});
  Batch expected, batch;
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(with.next(expected) && without.next(batch));
    EXPECT_EQ(batch.texts, expected.texts);
    EXPECT_EQ(batch.indices, expected.indices);
    EXPECT_EQ(batch.images.size(), 0);
    EXPECT_EQ(batch.size(), 4);
  }
}

}  // namespace
}  // namespace couplet::data
