#include "couplet/data/dataset.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "data/named_samples.hpp"

namespace couplet::data {
namespace {

using test::NamedSamples;

std::unique_ptr<const Dataset> concatenated(std::unique_ptr<const Dataset> a, std::unique_ptr<const Dataset> b) {
  std::vector<std::unique_ptr<const Dataset>> parts;
  parts.push_back(std::move(a));
  parts.push_back(std::make_unique<NamedSamples>("empty", 0, std::vector<std::string>{"cat"}));
  parts.push_back(std::move(b));
  return std::make_unique<Concatenation>(std::move(parts));
}

TEST(Concatenation, CountsThroughItsParts) {
  const auto all = concatenated(std::make_unique<NamedSamples>("a", 2), std::make_unique<NamedSamples>("b", 3));
  ASSERT_EQ(all->size(), 5);
  std::string keys;
  for (Index i = 0; i < 5; ++i) keys += all->sample(i).key + " " + all->annotation(i).captions[0] + ";";
  EXPECT_EQ(keys, "a0 caption of a0;a1 caption of a1;b0 caption of b0;b1 caption of b1;b2 caption of b2;");
  EXPECT_THROW((void)all->sample(5), std::invalid_argument);
  EXPECT_THROW((void)all->sample(-1), std::invalid_argument);
  EXPECT_EQ(Concatenation({}).size(), 0);
}

TEST(Concatenation, KnowsClassesAndFlipsOfAllItsParts) {
  const std::vector<std::string> cat{"cat"};
  const auto same =
      concatenated(std::make_unique<NamedSamples>("a", 1, cat), std::make_unique<NamedSamples>("b", 1, cat));
  const auto other = concatenated(std::make_unique<NamedSamples>("a", 1, cat),
                                  std::make_unique<NamedSamples>("b", 1, std::vector<std::string>{"dog"}, false));
  EXPECT_EQ(same->class_names(), cat);
  EXPECT_TRUE(same->flips_allowed());
  EXPECT_TRUE(other->class_names().empty());
  EXPECT_FALSE(other->flips_allowed());
}

TEST(Subset, PicksSamples) {
  const auto whole = std::make_shared<NamedSamples>("a", 5, std::vector<std::string>{"cat"}, false);
  const Subset some(whole, std::vector<Index>{4, 0, 4});
  ASSERT_EQ(some.size(), 3);
  EXPECT_EQ(some.sample(0).key + some.annotation(1).key + some.sample(2).key, "a4a0a4");
  EXPECT_FALSE(some.flips_allowed());
  EXPECT_EQ(some.class_names(), std::vector<std::string>{"cat"});
  EXPECT_EQ(Subset(whole, 2).size(), 2);
  EXPECT_EQ(Subset(whole, 9).size(), 5);
  EXPECT_EQ(Subset(whole, -1).size(), 0);
  EXPECT_THROW(Subset(whole, std::vector<Index>{5}), std::invalid_argument);
  EXPECT_THROW((void)some.sample(3), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::data
