// Classifies images with words as classes.
//
//   zero_shot --model DIR --labels "a cat,a dog" photo.jpg
#include "couplet/eval/zero_shot_file.hpp"
#include "program.hpp"

namespace {

using namespace couplet;

struct Options {
  program::Common common;
  std::string model, labels, labels_file, templates_file, classifier_cache;
  std::vector<std::string> templates, images;
  Index top = 5;
  bool describe = false;
};

std::vector<std::string> labels_of(const Options& o) {
  auto labels = o.labels_file.empty() ? program::split_labels(o.labels) : program::read_lines(o.labels_file);
  if (labels.empty()) throw std::invalid_argument("no labels: give --labels \"a cat,a dog\" or --labels-file FILE");
  return labels;
}

ZeroShotClassifier<float> build(const Options& o, const Pretrained<float>& clip) {
  std::vector<std::string> templates = eval::default_templates();
  if (!o.templates.empty()) templates = o.templates;
  if (!o.templates_file.empty()) templates = program::read_lines(o.templates_file);
  if (o.classifier_cache.empty()) return {clip, labels_of(o), templates};
  auto cached = eval::cached_zero_shot(o.classifier_cache, clip, labels_of(o), templates);
  if (!cached.other.empty()) {
    std::cerr << "note: " << o.classifier_cache << " was built from other " << cached.other << "; it is replaced\n";
  }
  return std::move(cached.classifier);
}

void print_json(const std::string& image, const std::vector<ZeroShotScore>& scores) {
  io::JsonWriter json(0);
  json.begin_object().key("image").value(image).key("scores").begin_array();
  for (const ZeroShotScore& score : scores) {
    json.begin_object().key("label").value(score.label).key("probability").value(score.probability);
    json.key("logit").value(score.logit).end_object();
  }
  json.end_array().end_object();
  std::cout << json.str() << '\n';
}

void print_table(const std::string& image, const std::vector<ZeroShotScore>& scores) {
  std::cout << image << '\n';
  for (const ZeroShotScore& score : scores) {
    std::cout << program::format("  %6.2f %%  %8.3f  ", 100 * score.probability, score.logit) << score.label << '\n';
  }
}

int classify(const Options& o) {
  const Pretrained<float> clip = o.common.load(o.model);
  if (o.describe) program::Common::describe(clip);
  if (o.describe && o.images.empty()) return 0;
  if (o.images.empty()) throw std::invalid_argument("no images given");
  const ZeroShotClassifier<float> classifier = build(o, clip);
  const auto pictures = program::open_pictures(o.images);
  program::ProgressBar bar("images");
  const train::ImageEmbeddings images =
      train::embed_images(clip, *pictures, Normalize::yes, o.common.decode_options(clip),
                          [&](Index done, Index total) { bar.show(done, total); });
  bar.clear();
  const Tensor<float, 2> logits = classifier.logits(images.embeds);
  for (Index i = 0; i < logits.extent(0); ++i) {
    auto scores = classifier.scores(logits.view()[i]);
    scores.resize(std::min(scores.size(), static_cast<std::size_t>(o.top)));
    const std::string name = pictures->annotation(images.indices[static_cast<std::size_t>(i)]).source;
    o.common.json ? print_json(name, scores) : print_table(name, scores);
  }
  program::report_unreadable(images.unreadable);
  return images.indices.empty() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  program::App app("Classifies images with words as classes.", "zero_shot");
  app.footer(
      "Examples:\n"
      "  zero_shot --model clip-vit-base-patch32 --labels \"cat,dog\" photo.jpg\n"
      "  zero_shot --model DIR --labels-file classes.txt --template \"a drawing of a {}.\" --top 3 --json pictures/\n"
      "CLIP's probabilities are a softmax over the labels; SigLIP's are independent of each other.");
  app.add_option("--model", o.model, "model directory")->required();
  auto* labels = app.add_option("--labels", o.labels, "classes, separated by commas");
  app.add_option("--labels-file", o.labels_file, "file with one class per line")->excludes(labels);
  app.add_option("--template", o.templates, "sentence with {} for the label; several are averaged")
      ->allow_extra_args(false);
  app.add_option("--templates-file", o.templates_file, "file with one template per line");
  app.add_option("--classifier-cache", o.classifier_cache,
                 "file that keeps the classifier: written once, read while model, labels and templates are the same");
  app.add_option("--top", o.top, "labels to print for each image")->check(CLI::Range(1, 1000000));
  app.add_flag("--describe", o.describe, "print what the model is; without images nothing else");
  app.add_option("images", o.images, "images, folders or shards");
  o.common.add_to(app);
  o.common.add_json(app);
  o.common.add_exif(app);
  return program::run(app, argc, argv, o.common, [&] { return classify(o); });
}
