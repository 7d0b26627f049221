// A ViT-B/32 of full size, 605 MB in float32, written and loaded: what packed weights alone take, on the way and
// afterwards.
#include <gtest/gtest.h>

#include <fstream>

#include "couplet/models/presets.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "support/expect_near.hpp"
#include "support/random_tensor.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;

/// A line of /proc/self/status in bytes; 0 where there is none.
double status_bytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stod(line.substr(key.size() + 1)) * 1024;
  }
  return 0;
}

/// Numbers of the size that weights have, made fast.
void fill(Clip<float>& model) {
  std::uint32_t state = 1;
  model.visit_parameters([&](std::string_view, Parameter<float>& parameter) {
    for (Index i = 0; i < parameter.size(); ++i) {
      state = state * 1664525U + 1013904223U;
      parameter.value.data()[i] = static_cast<float>(static_cast<std::int32_t>(state)) * 0x1p-36F;
    }
  });
}

struct Features {
  Tensor<float, 2> image{{1, 512}}, text{{1, 512}};
};

Features features_of(const Clip<float>& model) {
  Features features;
  Workspace workspace;
  const auto pixels = test::random_tensor<float, 4>({1, 3, 224, 224}, 1);
  Tensor<std::int64_t, 2> ids({1, 3});
  ids(0, 0) = 49406;
  ids(0, 1) = 320;
  ids(0, 2) = 49407;
  model.encode_image(pixels, features.image, workspace);
  model.encode_text(ids, features.text, workspace);
  return features;
}

TEST(FullSize, PackedWeightsAloneTakeLittleMoreThanTheyHold) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "memory is counted without sanitizers";
#endif
  const ClipConfig config = preset("ViT-B-32");
  const auto count = static_cast<double>(pretrained::parameter_count(config));
  const auto table = static_cast<double>(config.text.vocab_size * config.text.width);
  const test::TemporaryDirectory folder;
  for (const auto storage : {checkpoint::DType::f32, checkpoint::DType::f16}) {
    {
      Pretrained<float> written{.model = Clip<float>(config),
                                .transform = image::Transform(image::clip_transform_config(224)),
                                .storage = storage};
      fill(written.model);
      save_pretrained(written, folder.path());
    }
    for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
      if (!std::ofstream("/proc/self/clear_refs").write("5\n", 2).flush()) GTEST_SKIP() << "no VmHWM to set back";
      const double before = status_bytes("VmRSS");
      std::optional<Pretrained<float>> only =
          load_pretrained(folder.path(), {.precision = precision, .packing = nn::Packing::only});
      const double peak = status_bytes("VmHWM") - before;
      const double of_weight = only->model.precision() == Precision::bfloat16 ? 2 : 4;
      const double of_table = storage == checkpoint::DType::f16 ? 2 : 4;
      EXPECT_LE(peak, 1.2 * (of_weight * (count - table) + of_table * table));
      const Features features = features_of(only->model);
      only.reset();
      const Features expected = features_of(load_pretrained(folder.path(), {.precision = precision}).model);
      EXPECT_TRUE(test::same_bits(features.image, expected.image));
      EXPECT_TRUE(test::same_bits(features.text, expected.text));
    }
  }
}

}  // namespace
