#include "couplet/pretrained/text_identity.hpp"

#include <gtest/gtest.h>

#include <set>

#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using pretrained::text_tower_identity;

TEST(TextIdentity, EveryParameterOfTheTextTowerCountsAndNoOther) {
  Pretrained<float> bundle = test::small_bundle();
  const std::string before = text_tower_identity(bundle);
  EXPECT_NE(before.find("CLIP text tower 2 x 64"), std::string::npos) << before;
  std::set<std::string> identities{before};
  std::size_t changes = 0;
  bundle.model.text.visit_parameters([&](std::string_view name, Parameter<float>& parameter) {
    float& last = parameter.value.data()[parameter.size() - 1];
    const float kept = last;
    last += 0.5F;
    EXPECT_TRUE(identities.insert(text_tower_identity(bundle)).second) << name;
    last = kept;
    ++changes;
  });
  EXPECT_EQ(identities.size(), changes + 1);
  bundle.model.visual.transformer().proj.weight.value.data()[0] += 1;
  EXPECT_EQ(text_tower_identity(bundle), before);
}

TEST(TextIdentity, IsTheSameInEveryPackingAndFollowsThePrecision) {
  const test::TemporaryDirectory folder;
  for (const bool siglip : {false, true}) {
    Pretrained<float> bundle = test::small_bundle(siglip);
    const std::string expected = text_tower_identity(bundle);
    save_pretrained(bundle, folder.path("model"));
    for (const nn::Packing packing : {nn::Packing::kept, nn::Packing::at_use, nn::Packing::only}) {
      EXPECT_EQ(text_tower_identity(load_pretrained(folder.path("model"), {.packing = packing})), expected);
    }
    const auto rounded = load_pretrained(folder.path("model"), {.precision = Precision::bfloat16});
    EXPECT_EQ(text_tower_identity(rounded) == expected, rounded.model.precision() == Precision::float32);
  }
}

}  // namespace
