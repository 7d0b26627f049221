// Converts a model directory to another layout, number type or image size; mixes two models.
//
//   convert --model clip-vit-base-patch32 --to open_clip --dtype float16 --out converted
#include <map>

#include "program.hpp"

namespace {

using namespace couplet;

struct Options {
  program::Common common;
  std::string model, wise_ft, out, to, from, dtype;
  double alpha = 0.5;
  std::optional<int> image_size;
};

const std::map<std::string, Layout> layouts{
    {"hugging_face", Layout::hugging_face}, {"open_clip", Layout::open_clip}, {"openai", Layout::openai}};
const std::map<std::string, checkpoint::DType> dtypes{
    {"float32", checkpoint::DType::f32}, {"float16", checkpoint::DType::f16}, {"bfloat16", checkpoint::DType::bf16}};

int convert(const Options& o) {
  LoadOptions options{.packing = nn::Packing::at_use};
  if (!o.from.empty()) options.layout = layouts.at(o.from);
  if (o.image_size) options.image_size = image::Size{*o.image_size, *o.image_size};
  Pretrained<float> clip = o.common.load(o.model, options);
  if (!o.wise_ft.empty()) {
    Pretrained<float> fine_tuned = o.common.load(o.wise_ft, options);
    interpolate_weights(clip.model, fine_tuned.model, o.alpha);
  }
  if (!o.dtype.empty()) clip.storage = dtypes.at(o.dtype);
  save_pretrained(clip, o.out, layouts.at(o.to));
  const Pretrained<float> written = load_pretrained(o.out, {.layout = layouts.at(o.to), .packing = nn::Packing::only});
  std::cout << o.out << ":\n";
  program::Common::describe(written);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  program::App app("Converts a model directory to another layout, number type or image size; mixes two models.",
                   "convert");
  app.footer(
      "Examples:\n"
      "  convert --model laion-b-32 --to hugging_face --out laion-b-32-hf\n"
      "  convert --model clip-vit-base-patch32 --to open_clip --dtype float16 --out b-32-open-clip\n"
      "  convert --model clip --wise-ft OUT/checkpoints/best --alpha 0.5 --to hugging_face --out mixed\n"
      "The weights stay as they are (but for --wise-ft, --dtype and --image-size). What the target layout cannot hold "
      "is "
      "refused.");
  app.add_option("--model", o.model, "model directory")->required();
  app.add_option("--out", o.out, "directory to write")->required();
  app.add_option("--to", o.to, "layout to write")->required()->check(CLI::IsMember({"hugging_face", "open_clip"}));
  app.add_option("--from", o.from, "layout to read, where the files leave a choice or cannot tell")
      ->check(CLI::IsMember({"hugging_face", "open_clip", "openai"}));
  auto* wise_ft = app.add_option("--wise-ft", o.wise_ft,
                                 "a fine-tuned model of the same structure to be mixed in (WiSE-FT): fine-tuning "
                                 "forgets what zero-shot classification knew, a mixture keeps much of both");
  app.add_option("--alpha", o.alpha, "share of the fine-tuned weights")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0))
      ->needs(wise_ft);
  app.add_option("--dtype", o.dtype, "number type of the weights (default: as they are stored)")
      ->check(CLI::IsMember({"float32", "float16", "bfloat16"}));
  app.add_option("--image-size", o.image_size, "resize the position table to images of N x N")
      ->check(CLI::Range(1, 16384));
  app.add_option("--vocab", o.common.vocab,
                 "vocabulary for a model without tokenizer files: a vocab.json or the original merges file");
  app.add_option("--threads", o.common.threads, "threads to use (default: all cores)")->check(CLI::Range(1, 1024));
  return program::run(app, argc, argv, o.common, [&] { return convert(o); });
}
