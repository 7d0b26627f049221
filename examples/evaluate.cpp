// Retrieval and zero-shot accuracy of a model on captioned or labelled images.
//
//   evaluate --model DIR --data val.tar
#include "couplet/train/word_regression.hpp"
#include "program.hpp"

namespace {

using namespace couplet;

struct Options {
  program::Common common;
  std::string model, data, baseline, labels_file, templates_file;
  std::vector<std::string> templates;
  std::uint64_t seed = 1000;
};

void print_recalls(const std::string& of, const train::Evaluation& e) {
  const auto row = [](const std::string& name, const train::Recalls& r) {
    std::cout << program::format("%-24s %6.2f %% %6.2f %% %6.2f %%\n", name.c_str(), r.at_1, r.at_5, r.at_10);
  };
  row(of + "image to text", e.image_to_text);
  row(of + "text to image", e.text_to_image);
}

void print_table(const train::Evaluation& e, const std::optional<train::Evaluation>& baseline) {
  std::cout << e.images << " images, " << e.texts << " texts\n";
  if (e.texts > 0) {
    std::cout << std::string(24, ' ') << "      R@1      R@5     R@10\n";
    print_recalls("", e);
    if (baseline) print_recalls("baseline, ", *baseline);
  }
  if (e.labelled > 0) {
    std::cout << program::format("zero-shot top-1 %.2f %%, top-5 %.2f %% over %ld labelled images, %ld classes\n",
                                 e.top1, e.top5, static_cast<long>(e.labelled), static_cast<long>(e.classes));
  }
}

int run(const Options& o) {
  const Pretrained<float> clip = o.common.load(o.model);
  const int side = static_cast<int>(clip.model.config().vision.image_height);
  const auto data = program::open_data(o.data, o.seed, side);
  train::EvaluationOptions options;
  if (!o.labels_file.empty()) options.class_names = program::read_lines(o.labels_file);
  if (!o.templates.empty()) options.templates = o.templates;
  if (!o.templates_file.empty()) options.templates = program::read_lines(o.templates_file);
  program::ProgressBar bar("images");
  options.on_progress = [&](Index done, Index total) { bar.show(done, total); };
  const train::Evaluation evaluation = train::evaluate(clip, *data, options);
  bar.clear();
  program::report_unreadable(evaluation.unreadable);
  std::optional<train::Evaluation> baseline;
  if (!o.baseline.empty()) {
    const image::DecodeOptions decode = o.common.decode_options(clip);
    const train::WordRegression regression(*program::open_data(o.baseline, o.seed + 1, side), {.decode = decode});
    baseline = regression.evaluate(*data);
  }
  if (o.common.json) {
    io::JsonWriter json(0);
    json.begin_object();
    train::write_members(json, evaluation);
    if (baseline) {
      train::write_members(json.key("baseline").begin_object(), *baseline);
      json.end_object();
    }
    std::cout << json.end_object().str() << '\n';
  } else {
    print_table(evaluation, baseline);
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
      "  evaluate --model DIR --data val.tar --baseline train.tar\n"
      "  evaluate --model DIR --data labelled.tsv --labels-file classes.txt --json\n"
      "  evaluate --model DIR --data scenes:960        (generated scenes)");
  app.add_option("--model", o.model, "model directory")->required();
  app.add_option("--data", o.data, "shards (.tar), a list (.tsv, .csv) or scenes:N")->required();
  app.add_option("--baseline", o.baseline,
                 "training data: also shows what ridge regression from pixels and gradients to words finds");
  app.add_option("--labels-file", o.labels_file, "names of the classes, one per line, in the order of the labels");
  app.add_option("--template", o.templates, "sentence with {} for the label; several are averaged")
      ->allow_extra_args(false);
  app.add_option("--templates-file", o.templates_file, "file with one template per line");
  app.add_option("--seed", o.seed, "of generated scenes");
  o.common.add_to(app);
  o.common.add_json(app);
  return program::run(app, argc, argv, o.common, [&] { return run(o); });
}
