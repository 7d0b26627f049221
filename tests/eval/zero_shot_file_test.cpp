#include "couplet/eval/zero_shot_file.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "support/expect_near.hpp"
#include "support/file_errors.hpp"
#include "support/small_bundle.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using eval::cached_zero_shot;

const std::vector<std::string> cached_labels{"red circle", "blue square"};
const std::vector<std::string> cached_templates{"a {}", "a picture of a {}."};

std::string bytes_of(const std::string& path) { return io::read_file(path, 1U << 20U); }

TEST(ZeroShotFile, IsWrittenOnceAndReadWithTheSameBits) {
  const Pretrained<float> clip = test::small_bundle();
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("classes.safetensors");
  const auto first = cached_zero_shot(path, clip, cached_labels, cached_templates);
  EXPECT_TRUE(first.built);
  EXPECT_EQ(first.other, "");
  const std::string written = bytes_of(path);
  const auto again = cached_zero_shot(path, clip, cached_labels, cached_templates);
  EXPECT_FALSE(again.built);
  EXPECT_EQ(bytes_of(path), written);
  const ZeroShotClassifier<float> expected(clip, cached_labels, cached_templates);
  EXPECT_TRUE(test::same_bits(first.classifier.class_embeds(), expected.class_embeds()));
  EXPECT_TRUE(test::same_bits(again.classifier.class_embeds(), expected.class_embeds()));
  const auto images = test::random_images(2);
  EXPECT_EQ(again.classifier.classify(images[1])[0].label, expected.classify(images[1])[0].label);
}

/// Class vectors that no text tower gave, in a file that fits: they come back, so the tower did not run.
TEST(ZeroShotFile, TheTextTowerDoesNotRun) {
  const Pretrained<float> clip = test::small_bundle();
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("classes.safetensors");
  Tensor<float, 2> made_up({2, clip.embed_dim()});
  made_up(0, 3) = made_up(1, 5) = 1;
  eval::detail::save_class_embeds(path, made_up, eval::detail::zero_shot_key(clip, cached_labels, cached_templates));
  const auto found = cached_zero_shot(path, clip, cached_labels, cached_templates);
  EXPECT_FALSE(found.built);
  EXPECT_TRUE(test::same_bits(found.classifier.class_embeds(), made_up));
}

TEST(ZeroShotFile, IsReplacedForAnotherModelOtherLabelsOrTemplates) {
  const Pretrained<float> clip = test::small_bundle();
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("classes.safetensors");
  (void)cached_zero_shot(path, clip, cached_labels, cached_templates);
  const auto expect_replaced = [&](const Pretrained<float>& model, const std::vector<std::string>& labels,
                                   const std::vector<std::string>& templates, const std::string& other) {
    const auto built = cached_zero_shot(path, model, labels, templates);
    EXPECT_TRUE(built.built);
    EXPECT_EQ(built.other, other);
    const ZeroShotClassifier<float> expected(model, labels, templates);
    EXPECT_TRUE(test::same_bits(built.classifier.class_embeds(), expected.class_embeds()));
    EXPECT_FALSE(cached_zero_shot(path, model, labels, templates).built);
  };
  expect_replaced(clip, {"blue square", "red circle"}, cached_templates, "labels, tokens");
  expect_replaced(clip, cached_labels, {"a picture of a {}.", "a {}"}, "labels, templates, tokens");
  Pretrained<float> tuned = clip;
  const Index layer = static_cast<Index>(tuned.model.text.transformer.resblocks.size()) - 1;
  tuned.model.text.transformer.resblocks[static_cast<std::size_t>(layer)].mlp.c_fc.weight.value.data()[7] += 1;
  tuned.model.prepare();
  expect_replaced(tuned, cached_labels, {"a picture of a {}.", "a {}"}, "text tower");
  Pretrained<float> other_tokens = tuned;
  other_tokens.tokenizer = other_tokens.tokenizer->with_context_length(other_tokens.tokenizer->context_length() - 1);
  expect_replaced(other_tokens, cached_labels, {"a picture of a {}.", "a {}"}, "tokens");
}

TEST(ZeroShotFile, ServesEveryPackingOfAModel) {
  const test::TemporaryDirectory folder;
  Pretrained<float> bundle = test::small_bundle();
  for (const Layout layout : {Layout::hugging_face, Layout::open_clip}) {
    const std::string path = folder.path("classes.safetensors");
    save_pretrained(bundle, folder.path("model"), layout);
    std::filesystem::remove(path);
    for (const nn::Packing packing : {nn::Packing::only, nn::Packing::kept, nn::Packing::at_use, nn::Packing::only}) {
      const auto clip = load_pretrained(folder.path("model"), {.layout = layout, .packing = packing});
      const bool is_first = !std::filesystem::exists(path);
      EXPECT_EQ(cached_zero_shot(path, clip, cached_labels).built, is_first);
    }
  }
}

TEST(ZeroShotFile, AModelWhoseDirectoryHasChangedIsNotTakenForTheNewOne) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("classes.safetensors");
  Pretrained<float> first = test::small_bundle(), second = test::small_bundle(false, 2);
  save_pretrained(second, folder.path("model"));
  (void)cached_zero_shot(path, second, cached_labels);
  save_pretrained(first, folder.path("model"));
  const auto clip = load_pretrained(folder.path("model"), {.packing = nn::Packing::only});
  save_pretrained(second, folder.path("model"));
  EXPECT_TRUE(cached_zero_shot(path, clip, cached_labels).built);
  Pretrained<float> nowhere = first;
  nowhere.model.prepare(Precision::float32, nn::Packing::only);
  EXPECT_THROW((void)cached_zero_shot(path, nowhere, cached_labels), std::invalid_argument);
}

TEST(ZeroShotFile, DamagedFilesAndOtherFilesAreRefusedAndKept) {
  const Pretrained<float> clip = test::small_bundle();
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("classes.safetensors");
  const auto message = [&] {
    return test::file_error_of([&] { (void)cached_zero_shot(path, clip, cached_labels, cached_templates); });
  };
  EXPECT_EQ(message(), "");
  const std::string good = bytes_of(path);
  std::string damaged = good;
  damaged[damaged.size() - 9] = static_cast<char>(damaged[damaged.size() - 9] ^ 4);
  io::write_file(path, damaged);
  EXPECT_NE(message().find("damaged"), std::string::npos) << message();
  EXPECT_EQ(bytes_of(path), damaged);
  io::write_file(path, good.substr(0, good.size() - 8));
  EXPECT_NE(message(), "");
  io::write_file(path, "red circle\n");
  EXPECT_NE(message(), "");
  const std::vector<float> values(4);
  checkpoint::save_safetensors(path, {checkpoint::tensor_record("x", checkpoint::DType::f32, {4}, values.data())});
  EXPECT_NE(message().find("is no zero-shot classifier"), std::string::npos) << message();
}

}  // namespace
