// Retrieval and zero-shot accuracy of a model on captioned or labelled images.
//
//   evaluate --model DIR --data val.tar
#include "program.hpp"

namespace {

using namespace couplet;

struct Options {
  program::Common common;
  std::string model, data, labels_file, templates_file;
  std::vector<std::string> templates;
  std::uint64_t seed = 1000;
};

void print_table(const train::Evaluation& e) {
  std::cout << e.images << " images, " << e.texts << " texts\n";
  if (e.texts > 0) {
    std::cout << "                  R@1      R@5     R@10\n";
    const auto row = [](const char* name, const train::Recalls& r) {
      std::cout << program::format("%-14s %6.2f %% %6.2f %% %6.2f %%\n", name, r.at_1, r.at_5, r.at_10);
    };
    row("image to text", e.image_to_text);
    row("text to image", e.text_to_image);
  }
  if (e.labelled > 0) {
    std::cout << program::format("zero-shot top-1 %.2f %%, top-5 %.2f %% over %ld labelled images, %ld classes\n",
                                 e.top1, e.top5, static_cast<long>(e.labelled), static_cast<long>(e.classes));
  }
}

int run(const Options& o) {
  const Pretrained<float> clip = o.common.load(o.model);
  const auto data = program::open_data(o.data, o.seed, static_cast<int>(clip.model.config().vision.image_height));
  train::EvaluationOptions options;
  if (!o.labels_file.empty()) options.class_names = program::read_lines(o.labels_file);
  if (!o.templates.empty()) options.templates = o.templates;
  if (!o.templates_file.empty()) options.templates = program::read_lines(o.templates_file);
  program::ProgressBar bar("images");
  options.on_progress = [&](Index done, Index total) { bar.show(done, total); };
  const train::Evaluation evaluation = train::evaluate(clip, *data, options);
  bar.clear();
  program::report_unreadable(evaluation.unreadable);
  if (o.common.json) {
    io::JsonWriter json(0);
    train::write_json(json, evaluation);
    std::cout << json.str() << '\n';
  } else {
    print_table(evaluation);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  program::App app("Measures retrieval (R@1, R@5, R@10 both ways) and, where the data has labels, zero-shot accuracy.",
                   "evaluate");
  app.footer(
      "Examples:\n"
      "  evaluate --model DIR --data val.tar\n"
      "  evaluate --model DIR --data labelled.tsv --labels-file classes.txt --json\n"
      "  evaluate --model DIR --data scenes:960        (generated scenes)");
  app.add_option("--model", o.model, "model directory")->required();
  app.add_option("--data", o.data, "shards (.tar), a list (.tsv, .csv) or scenes:N")->required();
  app.add_option("--labels-file", o.labels_file, "names of the classes, one per line, in the order of the labels");
  app.add_option("--template", o.templates, "sentence with {} for the label; several are averaged")
      ->allow_extra_args(false);
  app.add_option("--templates-file", o.templates_file, "file with one template per line");
  app.add_option("--seed", o.seed, "of generated scenes");
  o.common.add_to(app);
  o.common.add_json(app);
  return program::run(app, argc, argv, o.common, [&] { return run(o); });
}
