// LoadOptions::packing, above all nn::Packing::only: models that are loaded into packed weights alone.
#include <gtest/gtest.h>

#include "couplet/pretrained/pretrained.hpp"
#include "support/expect_near.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;

TEST(Packing, LoadsInThePrecisionAndWithThePackingAskedFor) {
  const test::TemporaryDirectory folder;
  Pretrained<float> bundle = test::small_bundle();
  save_pretrained(bundle, folder.path() + "/model");
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    const auto kept = load_pretrained(folder.path() + "/model", {.precision = precision});
    const auto at_use =
        load_pretrained(folder.path() + "/model", {.precision = precision, .packing = nn::Packing::at_use});
    const auto only = load_pretrained(folder.path() + "/model", {.precision = precision, .packing = nn::Packing::only});
    EXPECT_EQ(only.model.packing(), nn::Packing::only);
    EXPECT_EQ(only.model.precision(), kept.model.precision());
    EXPECT_TRUE(test::same_bits(kept.encode_text("a cat"), only.encode_text("a cat")));
    EXPECT_EQ(kept.model.packing(), nn::Packing::kept);
    EXPECT_EQ(at_use.model.packing(), nn::Packing::at_use);
    EXPECT_EQ(kept.model.precision(), simd::effective_precision(precision));
    EXPECT_EQ(at_use.model.precision(), kept.model.precision());
    EXPECT_TRUE(test::same_bits(kept.encode_text("a cat"), at_use.encode_text("a cat")));
  }
}

/// Weights are read layer by layer, positions are not packed, batch norm is folded: all of it in every layout.
TEST(Packing, PackedWeightsAloneGiveTheSameBitsInEveryLayoutAndType) {
  const auto images = test::random_images(2);
  const std::vector<std::string> texts{"a red circle", ""};
  for (const Layout layout : {Layout::hugging_face, Layout::open_clip}) {
    for (const auto dtype : {checkpoint::DType::f32, checkpoint::DType::f16, checkpoint::DType::bf16}) {
      Pretrained<float> bundle = test::small_bundle();
      bundle.storage = dtype;
      const test::TemporaryDirectory folder;
      save_pretrained(bundle, folder.path(), layout);
      for (const std::optional<image::Size> size : {std::optional<image::Size>(), std::optional(image::Size{48, 48})}) {
        const auto kept = load_pretrained(folder.path(), {.image_size = size});
        const auto only = load_pretrained(folder.path(), {.image_size = size, .packing = nn::Packing::only});
        EXPECT_TRUE(test::same_bits(only.encode_image(images), kept.encode_image(images)));
        EXPECT_TRUE(test::same_bits(only.encode_text(texts), kept.encode_text(texts)));
      }
      const auto precise = load_pretrained<double>(folder.path());
      const auto only = load_pretrained<double>(folder.path(), {.packing = nn::Packing::only});
      EXPECT_TRUE(test::same_bits(only.encode_text(texts), precise.encode_text(texts)));
    }
  }
}

TEST(Packing, PackedWeightsAloneCannotBeSaved) {
  const test::TemporaryDirectory folder;
  Pretrained<float> bundle = test::small_bundle();
  save_pretrained(bundle, folder.path("model"));
  Pretrained<float> only = load_pretrained(folder.path("model"), {.packing = nn::Packing::only});
  for (const Layout layout : {Layout::hugging_face, Layout::open_clip}) {
    try {
      save_pretrained(only, folder.path("copy"), layout);
      ADD_FAILURE();
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("nn::Packing::at_use to train, convert or save"), std::string::npos)
          << error.what();
    }
  }
}

}  // namespace
