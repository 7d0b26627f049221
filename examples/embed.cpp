// Turns images or texts into vectors, in a safetensors file.
//
//   embed --model DIR --images photos/ --out photos.safetensors
#include "program.hpp"

namespace {

using namespace couplet;

struct Options {
  program::Common common;
  std::string model, texts, out;
  std::vector<std::string> images;
  bool no_normalize = false;
};

void save(const Options& o, const std::string& name, const Tensor<float, 2>& embeds,
          const std::vector<std::string>& items) {
  search::save_embeddings(o.out, name, embeds, items);
  std::cout << o.out << ": " << name << " " << to_string(embeds.shape()) << '\n';
}

int embed(const Options& o) {
  if (o.images.empty() == o.texts.empty()) throw std::invalid_argument("give either --images or --texts");
  const Pretrained<float> clip = o.common.load(o.model);
  const Normalize normalize = o.no_normalize ? Normalize::no : Normalize::yes;
  if (!o.texts.empty()) {
    const std::vector<std::string> texts = program::read_lines(o.texts);
    save(o, "text_embeds", clip.encode_text(texts, normalize), texts);
    return 0;
  }
  const auto pictures = program::open_pictures(o.images);
  program::ProgressBar bar("images");
  const train::ImageEmbeddings images = train::embed_images(clip, *pictures, normalize, o.common.decode_options(clip),
                                                            [&](Index done, Index total) { bar.show(done, total); });
  bar.clear();
  std::vector<std::string> items;
  for (const Index i : images.indices) items.push_back(pictures->annotation(i).key);
  program::report_unreadable(images.unreadable);
  if (items.empty()) throw std::invalid_argument("no picture could be read");
  save(o, "image_embeds", images.embeds, items);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  program::App app("Turns images or texts into vectors: image_embeds or text_embeds (N, E), float32.", "embed");
  app.footer(
      "Examples:\n"
      "  embed --model DIR --images photos/ --out photos.safetensors\n"
      "  embed --model DIR --texts captions.txt --out captions.safetensors\n"
      "The metadata key `items` lists the names in order. Vectors have unit length unless --no-normalize is given.");
  app.add_option("--model", o.model, "model directory")->required();
  app.add_option("--images", o.images, "images, folders or shards");
  app.add_option("--texts", o.texts, "file with one text per line");
  app.add_option("--out", o.out, "safetensors file to write")->required();
  app.add_flag("--no-normalize", o.no_normalize, "keep the features as the towers give them");
  o.common.add_to(app);
  o.common.add_exif(app);
  return program::run(app, argc, argv, o.common, [&] { return embed(o); });
}
