// A directory of CoCa, of which the contrastive half is read.
#include "couplet/pretrained/pretrained.hpp"
#include "support/golden_model.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;

TEST(GoldenCoca, SaysThatItsDecoderIsNotUsedAndRefusesOtherTensors) {
  if (test::shared_directory().empty()) GTEST_SKIP() << test::no_shared_directory;
  const std::string directory = test::shared_directory() + "/golden/models/openclip-coca";
  Pretrained<float> bundle = load_pretrained(directory);
  EXPECT_NE(bundle.describe().find("caption decoder: not used"), std::string::npos) << bundle.describe();
  const auto lines = bundle.describe_lines();
  EXPECT_NE(std::find(lines.begin(), lines.end(), pretrained::DescriptionLine{"caption decoder", "not used"}),
            lines.end());
  const test::TemporaryDirectory folder;
  try {
    save_pretrained(bundle, folder.path() + "/new", Layout::hugging_face);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("CoCa does not exist there"), std::string::npos) << error.what();
  }
  const test::GoldenTensors<float> weights(directory + "/open_clip_model.safetensors");
  std::vector<checkpoint::TensorRecord> records;
  std::vector<std::vector<float>> values;
  values.reserve(weights.tensors().size());
  for (const checkpoint::TensorInfo& tensor : weights.tensors()) {
    const std::string name = tensor.name == "text_decoder.ln_final.bias" ? "caption.ln_final.bias" : tensor.name;
    values.push_back(weights.flat(tensor.name));
    records.push_back(checkpoint::tensor_record(name, tensor.dtype, tensor.shape, values.back().data()));
  }
  checkpoint::save_safetensors(folder.path() + "/open_clip_model.safetensors", records, {});
  std::filesystem::copy_file(directory + "/open_clip_config.json", folder.path() + "/open_clip_config.json");
  try {
    (void)load_pretrained(folder.path());
    FAIL();
  } catch (const file_error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("1 tensors do not fit"), std::string::npos) << message;
    EXPECT_NE(message.find("caption.ln_final.bias: (18), unexpected"), std::string::npos) << message;
  }
}

}  // namespace
