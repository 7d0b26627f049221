#include "couplet/pretrained/parameters.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "couplet/models/initialize.hpp"
#include "couplet/models/presets.hpp"
#include "support/expect_near.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;

ClipConfig small_config() {
  ClipConfig config = preset("tiny-32");
  config.vision.layers = config.text.layers = 1;
  return config;
}

const checkpoint::NameMap names = checkpoint::NameMap::hugging_face(false);

TEST(Parameters, HalfPrecisionFilesLoadAsTheRoundedValues) {
  Clip<float> model(small_config());
  initialize(model, 1);
  const test::TemporaryDirectory folder;
  for (const auto dtype : {checkpoint::DType::bf16, checkpoint::DType::f16}) {
    checkpoint::save_safetensors(folder.path() + "/model.safetensors",
                                 pretrained::parameter_records(model, dtype, names), {});
    Clip<float> loaded(small_config());
    pretrained::load_parameters(loaded, checkpoint::open_checkpoint(folder.path()), names, "config.json");
    const double error = test::relative_error(loaded.visual.transformer().proj.weight.value,
                                              model.visual.transformer().proj.weight.value);
    EXPECT_GT(error, 0);
    EXPECT_LE(error, dtype == checkpoint::DType::bf16 ? 0x1p-8 : 0x1p-11);
  }
}

TEST(Parameters, DoubleModelsReadFloatFilesExactly) {
  Clip<float> model(small_config());
  initialize(model, 1);
  const test::TemporaryDirectory folder;
  checkpoint::save_safetensors(folder.path() + "/model.safetensors",
                               pretrained::parameter_records(model, checkpoint::DType::f32, names), {});
  Clip<double> loaded(small_config());
  pretrained::load_parameters(loaded, checkpoint::open_checkpoint(folder.path()), names, "config.json");
  EXPECT_EQ(test::relative_error(loaded.text.token_embedding.value, model.text.token_embedding.value), 0);
}

TEST(Parameters, OldFilesMayHoldPositionIds) {
  Clip<float> model(small_config());
  initialize(model, 1);
  const test::TemporaryDirectory folder;
  auto records = pretrained::parameter_records(model, checkpoint::DType::f32, names);
  const std::vector<std::int64_t> positions(24, 0);
  records.push_back(checkpoint::tensor_record("text_model.embeddings.position_ids", checkpoint::DType::i64, {1, 24},
                                              positions.data()));
  checkpoint::save_safetensors(folder.path() + "/model.safetensors", records, {});
  EXPECT_NO_THROW(pretrained::load_parameters(model, checkpoint::open_checkpoint(folder.path()), names, "config.json"));
}

TEST(Parameters, EveryParameterThatIsMisshapenIsNamed) {
  Clip<float> model(small_config());
  initialize(model, 1);
  const test::TemporaryDirectory folder;
  const auto records = pretrained::parameter_records(model, checkpoint::DType::f32, names);
  for (std::size_t i = 0; i < records.size(); i += 5) {
    auto changed = records;
    changed[i].shape.insert(changed[i].shape.begin(), {1, 1});
    checkpoint::save_safetensors(folder.path() + "/model.safetensors", changed, {});
    try {
      pretrained::load_parameters(model, checkpoint::open_checkpoint(folder.path()), names, "config.json");
      ADD_FAILURE() << records[i].name;
    } catch (const file_error& error) {
      const std::string expected = records[i].name + ": expected " + checkpoint::shape_text(records[i].shape) +
                                   ", found " + checkpoint::shape_text(changed[i].shape);
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  }
}

/// A model may be loaded again, whatever its packing was.
TEST(Parameters, AModelCanBeLoadedAgainInAnotherPacking) {
  Clip<float> model(small_config());
  initialize(model, 1);
  const test::TemporaryDirectory folder;
  checkpoint::save_safetensors(folder.path() + "/model.safetensors",
                               pretrained::parameter_records(model, checkpoint::DType::f32, names), {});
  const auto file = checkpoint::open_checkpoint(folder.path());
  Clip<float> loaded(small_config());
  Tensor<float, 4> pixels({1, 3, 32, 32});
  pixels.fill(0.5F);
  Tensor<float, 2> expected({1, model.embed_dim()}), features({1, model.embed_dim()});
  Workspace workspace;
  model.encode_image(pixels, expected, workspace);
  using nn::Packing;
  for (const Packing packing : {Packing::only, Packing::only, Packing::at_use, Packing::only, Packing::kept}) {
    pretrained::load_parameters(loaded, file, names, "config.json", std::nullopt,
                                pretrained::Preparation{Precision::float32, packing});
    EXPECT_EQ(loaded.packing(), packing);
    loaded.encode_image(pixels, features, workspace);
    EXPECT_TRUE(test::same_bits(features, expected));
  }
  EXPECT_TRUE(
      test::same_bits(loaded.visual.transformer().proj.weight.value, model.visual.transformer().proj.weight.value));
}

TEST(Parameters, AFileThatIsCutShortWhileItIsReadIsAnError) {
  Clip<float> model(small_config());
  initialize(model, 1);
  const test::TemporaryDirectory folder;
  const std::string path = folder.path() + "/model.safetensors";
  checkpoint::save_safetensors(path, pretrained::parameter_records(model, checkpoint::DType::f32, names), {});
  const auto file = checkpoint::open_checkpoint(folder.path());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  Clip<float> loaded(small_config());
  const pretrained::Preparation only{Precision::float32, nn::Packing::only};
  EXPECT_THROW(pretrained::load_parameters(loaded, file, names, "config.json", std::nullopt, only), file_error);
  nn::visit_state(
      loaded, [](std::string_view name, Parameter<float>& parameter) { EXPECT_EQ(parameter.source, nullptr) << name; });
}

}  // namespace
