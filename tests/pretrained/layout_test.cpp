#include "couplet/pretrained/layout.hpp"

#include <gtest/gtest.h>

#include "couplet/models/presets.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "pretrained/written_checkpoint.hpp"
#include "support/batch_norm_buffers.hpp"
#include "support/expect_near.hpp"
#include "support/shared_directory.hpp"
#include "support/small_bundle.hpp"

namespace {

using namespace couplet;

std::string opening_message(const std::string& directory, std::optional<Layout> layout = std::nullopt) {
  try {
    (void)pretrained::open_model(directory, layout);
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

/// A model that OpenAI could have made: heads of 64, QuickGELU, texts pooled at the largest id.
Pretrained<float> openai_bundle() {
  Pretrained<float> bundle = test::small_bundle();
  ClipConfig config = bundle.model.config();
  config.vision.heads = config.text.heads = 1;
  config.vision.mlp_width = config.text.mlp_width = 256;
  config.text.pool = TextPool::argmax;
  bundle.model = Clip<float>(config);
  initialize(bundle.model, 3);
  return bundle;
}

/// OpenAI's state dict as a safetensors file; `archive`: with the numbers that only its archives hold.
void save_openai(Pretrained<float>& bundle, const std::string& directory, bool archive) {
  auto records = pretrained::parameter_records(bundle.model, checkpoint::DType::f16, checkpoint::NameMap::open_clip());
  static constexpr std::int64_t number = 32;
  for (const char* name : {"input_resolution", "context_length", "vocab_size"}) {
    if (archive) records.push_back(checkpoint::tensor_record(name, checkpoint::DType::i64, {}, &number));
  }
  checkpoint::save_safetensors(directory + "/model.safetensors", records, {});
}

TEST(Layout, TheFilesOfADirectoryDecide) {
  Pretrained<float> bundle = test::small_bundle();
  const test::TemporaryDirectory folder;
  save_pretrained(bundle, folder.path(), Layout::open_clip);
  EXPECT_EQ(pretrained::open_model(folder.path()).layout, Layout::open_clip);
  io::write_file(folder.path() + "/config.json", R"({"architecture": "vit_base_patch32_clip_224"})");  // timm's
  EXPECT_EQ(pretrained::open_model(folder.path()).layout, Layout::open_clip);
  save_pretrained(bundle, folder.path(), Layout::hugging_face);
  EXPECT_EQ(pretrained::open_model(folder.path()).layout, Layout::hugging_face);
  EXPECT_EQ(pretrained::open_model(folder.path(), Layout::open_clip).layout, Layout::open_clip);
  std::filesystem::remove(folder.path() + "/model.safetensors");
  EXPECT_EQ(pretrained::open_model(folder.path()).layout, Layout::open_clip);
}

TEST(Layout, OpenClipFilesMayHaveOtherNames) {
  Pretrained<float> bundle = test::small_bundle();
  const test::TemporaryDirectory folder;
  save_pretrained(bundle, folder.path(), Layout::open_clip);
  for (const char* name : {"/open_clip_pytorch_model.safetensors", "/model.safetensors"}) {
    const std::filesystem::path from = pretrained::open_model(folder.path()).checkpoint.files().front().path();
    std::filesystem::rename(from, folder.path() + name);
    EXPECT_EQ(pretrained::open_model(folder.path()).layout, Layout::open_clip) << name;
  }
}

TEST(Layout, OpenAiArchivesNeedNoConfiguration) {
  Pretrained<float> bundle = openai_bundle();
  const test::TemporaryDirectory folder;
  save_openai(bundle, folder.path(), true);
  const Pretrained<float> loaded = load_pretrained(folder.path());
  EXPECT_EQ(loaded.layout, Layout::openai);
  EXPECT_EQ(loaded.storage, checkpoint::DType::f16);
  EXPECT_EQ(loaded.model.config().vision.activation, Activation::quick_gelu);
  EXPECT_EQ(loaded.transform.config().pipeline, image::Pipeline::open_clip);
  bundle.layout = Layout::openai;
  bundle.storage = checkpoint::DType::f16;
  const test::TemporaryDirectory saved;
  save_pretrained(bundle, saved.path());  // as open_clip's
  const Pretrained<float> again = load_pretrained(saved.path());
  EXPECT_EQ(again.layout, Layout::open_clip);
  bundle.transform = loaded.transform;
  const auto images = test::random_images(2);
  EXPECT_TRUE(test::same_bits(again.encode_image(images), loaded.encode_image(images)));
}

/// An archive of a residual network: the same names, batch norm's buffers among them.
TEST(Layout, OpenAiArchivesMayHoldResidualNetworks) {
  Pretrained<float> bundle = test::small_bundle();
  ClipConfig config = preset("tiny-RN-64");
  config.vision.heads = 4;  // of 64
  config.text.width = config.embed_dim = 64;
  config.text.heads = 1;
  config.text.mlp_width = 256;
  config.text.pool = TextPool::argmax;
  bundle.model = Clip<float>(config);
  initialize(bundle.model, 3);
  test::randomize_buffers<float>(bundle.model, 4);
  bundle.model.prepare();
  bundle.tokenizer.reset();
  const test::TemporaryDirectory folder, saved;
  save_openai(bundle, folder.path(), true);
  Pretrained<float> loaded = load_pretrained(folder.path());
  EXPECT_EQ(loaded.layout, Layout::openai);
  EXPECT_EQ(loaded.describe_lines()[1].second, "CLIP ResNet");
  const auto& bn = loaded.model.visual.resnet().layers[3][0].downsample.bn;
  const auto& original = bundle.model.visual.resnet().layers[3][0].downsample.bn;
  EXPECT_TRUE(test::same_bits(bn.running_var.value, original.running_var.value));  // float32 in a float16 file
  EXPECT_EQ(*bn.num_batches_tracked.value.data(), 7);
  const auto images = test::random_images(2);
  const Tensor<float, 2> features = loaded.encode_image(images);
  EXPECT_GT(test::largest_magnitude(features), 0);
  save_pretrained(loaded, saved.path());  // as open_clip's
  EXPECT_TRUE(test::same_bits(load_pretrained(saved.path()).encode_image(images), features));
  EXPECT_THROW(save_pretrained(loaded, saved.path(), Layout::hugging_face), std::invalid_argument);
}

/// Positions of another size of images, as for vision transformers.
TEST(Layout, ResidualNetworksReadImagesOfAnotherSize) {
  if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  const std::string directory = test::shared_directory() + "/golden/models/openclip-rn";
  const Pretrained<float> larger = load_pretrained(directory, {.image_size = image::Size{96, 96}});
  EXPECT_EQ(larger.model.config().vision.tokens(), 10);
  EXPECT_GT(test::largest_magnitude(larger.encode_image(test::random_images(1))), 0);
  EXPECT_THROW((void)load_pretrained(directory, {.image_size = image::Size{100, 100}}), std::invalid_argument);
}

TEST(Layout, NamesThatOpenClipSharesAreNotTakenForOpenAis) {
  Pretrained<float> bundle = openai_bundle();
  const test::TemporaryDirectory folder;
  save_openai(bundle, folder.path(), false);
  EXPECT_NE(opening_message(folder.path()).find("state the layout"), std::string::npos)
      << opening_message(folder.path());
  EXPECT_EQ(opening_message(folder.path(), Layout::openai), "");
  EXPECT_EQ(load_pretrained(folder.path(), {.layout = Layout::openai}).layout, Layout::openai);
  test::write_zeros(folder.path(), {{"weight", {1}}});
  EXPECT_NE(opening_message(folder.path()).find("neither config.json nor open_clip_config.json"), std::string::npos);
}

TEST(Layout, TokenizersFollowTheLayout) {
  Pretrained<float> bundle = test::small_bundle();
  const test::TemporaryDirectory folder;
  const auto dialect_of = [&](Layout layout) {
    return load_pretrained(folder.path(), {.layout = layout}).tokenizer->as_clip()->dialect();
  };
  save_pretrained(bundle, folder.path(), Layout::hugging_face);
  save_pretrained(bundle, folder.path(), Layout::open_clip);
  EXPECT_EQ(dialect_of(Layout::hugging_face), tokenizers::ClipDialect::hugging_face);
  // A vocabulary of our own: the configuration names it, and Hugging Face's rules hold.
  EXPECT_EQ(dialect_of(Layout::open_clip), tokenizers::ClipDialect::hugging_face);
  const std::string path = folder.path() + "/open_clip_config.json";
  std::string config = io::read_file(path, 1 << 20);
  config.replace(config.find("\"hf_tokenizer_name\": \".\""), 24, "\"hf_tokenizer_name\": null");
  io::write_file(path, config);
  EXPECT_EQ(dialect_of(Layout::open_clip), tokenizers::ClipDialect::open_clip);
  Pretrained<float> cleaned = load_pretrained(folder.path(), {.layout = Layout::open_clip});
  cleaned.open_clip_clean = "canonicalize";
  const test::TemporaryDirectory again;
  save_pretrained(cleaned, again.path());
  EXPECT_EQ(load_pretrained(again.path()).open_clip_clean, "canonicalize");
  config.replace(config.find("\"hf_tokenizer_name\": null"), 25, "\"tokenizer_kwargs\": {\"clean\": \"x\"}");
  io::write_file(path, config);
  EXPECT_THROW((void)dialect_of(Layout::open_clip), file_error);
}

TEST(Layout, TokenizersOfOtherKindsAreLeftOut) {
  Pretrained<float> bundle = test::small_bundle();
  bundle.tokenizer.reset();
  const test::TemporaryDirectory folder;
  save_pretrained(bundle, folder.path(), Layout::open_clip);
  const std::string path = folder.path() + "/open_clip_config.json";
  std::string config = io::read_file(path, 1 << 20);
  config.replace(config.find("\"context_length\""), 0, "\"hf_tokenizer_name\": \"bert-base-uncased\", ");
  io::write_file(path, config);
  io::write_file(folder.path() + "/tokenizer.json", "{}");
  EXPECT_NE(load_pretrained(folder.path()).no_tokenizer.find("bert-base-uncased"), std::string::npos);
}

}  // namespace
