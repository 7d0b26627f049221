// The second half of demo.sh: classifies and searches generated scenes that the model has not seen, and writes a
// report.
//
//   demo_report --model build/demo/model --out build/demo/report.html
#include "couplet/report/html.hpp"
#include "program.hpp"

namespace {

using namespace couplet;
using data::ScenePairs;

struct Options {
  program::Common common;
  std::string model, out, pictures;
  Index images_per_class = 20;
};

/// "a {}": scenes are not photos, and their captions say "a red circle".
const std::vector<std::string> scene_templates{"a {}", "a picture of a {}"};

std::shared_ptr<const data::Dataset> scenes(const Pretrained<float>& clip, Index count, std::uint64_t seed,
                                            ScenePairs pairs, data::SceneKinds kinds, ScenePairs classes) {
  data::SceneOptions options;
  options.seed = seed;
  options.count = count;
  options.image_size = static_cast<int>(clip.model.config().vision.image_height);
  options.pairs = pairs;
  options.kinds = kinds;
  options.classes = classes;
  return std::make_shared<data::SceneDataset>(options);
}

train::Evaluation classify(const Pretrained<float>& clip, const data::Dataset& data) {
  train::EvaluationOptions options;
  options.templates = scene_templates;
  return train::evaluate(clip, data, options);
}

/// One line of a training log: its step, and a number under `key`.
std::vector<std::pair<double, double>> curve(const std::string& log, const char* key) {
  std::vector<std::pair<double, double>> points;
  for (const std::string& line : program::read_lines(log)) {
    const io::Json json = io::Json::parse(line, log);
    const io::Json* value = json.find(key);
    if (value != nullptr) points.emplace_back(json.find("step")->as_number(), value->as_number());
  }
  return points;
}

void add_classified(report::HtmlReport& page, const Pretrained<float>& clip, const data::Dataset& data, Index count) {
  const ZeroShotClassifier classifier(clip, data.class_names(), scene_templates);
  std::vector<report::Card> cards;
  for (Index i = 0; i < count; ++i) {
    const data::Sample sample = data.sample(i);
    const auto scores = classifier.classify(sample.image);
    const std::string& truth = classifier.labels()[static_cast<std::size_t>(*sample.label)];
    report::Card card{.picture = sample.image, .caption = scores.front().label};
    card.verdict = scores.front().label == truth ? report::Verdict::good : report::Verdict::bad;
    if (card.verdict == report::Verdict::bad) card.note = "it is a " + truth;
    for (std::size_t k = 0; k < 3; ++k) card.bars.push_back({scores[k].label, scores[k].probability, "", k == 0});
    cards.push_back(std::move(card));
  }
  page.cards(cards);
}

void add_search(report::HtmlReport& page, const Pretrained<float>& clip, const data::Dataset& data,
                const std::vector<std::string>& queries) {
  train::ImageEmbeddings images = train::embed_images(clip, data);
  std::vector<std::string> items;
  for (const Index i : images.indices) items.push_back(data.annotation(i).captions.front());
  const search::EmbeddingIndex index(std::move(images.embeds), std::move(items));
  for (const std::string& query : queries) {
    const Tensor<float, 2> text = clip.encode_text(query);
    std::vector<report::Card> cards;
    for (const search::Hit& hit : index.search({text.data(), static_cast<std::size_t>(clip.embed_dim())}, 6)) {
      cards.push_back({.picture = data.sample(hit.item).image,
                       .caption = index.items()[static_cast<std::size_t>(hit.item)],
                       .note = program::format("similarity %.3f", double{hit.score})});
    }
    page.section("\xe2\x80\x9c" + query + "\xe2\x80\x9d").cards(cards);
  }
}

void save_pictures(const data::Dataset& data, const std::string& folder, Index count) {
  std::filesystem::create_directories(folder);
  for (Index i = 0; i < count; ++i) {
    const data::Sample sample = data.sample(i);
    std::string name = program::format("%03ld ", static_cast<long>(i)) + sample.captions.front() + ".png";
    std::replace(name.begin(), name.end(), ' ', '_');
    io::write_file(folder + "/" + name, image::encode_png(sample.image));
  }
}

int run(const Options& o) {
  const Pretrained<float> clip = o.common.load(o.model);
  using data::SceneKinds;
  const auto seen = scenes(clip, 48 * o.images_per_class, 7001, ScenePairs::seen, SceneKinds::single, ScenePairs::seen);
  const auto unseen =
      scenes(clip, 16 * o.images_per_class, 7002, ScenePairs::held_out, SceneKinds::single, ScenePairs::all);
  const auto mixed = scenes(clip, 1000, 7003, ScenePairs::seen, SceneKinds::mixed, ScenePairs::seen);
  const train::Evaluation on_seen = classify(clip, *seen);
  const train::Evaluation on_unseen = classify(clip, *unseen);
  const std::string top1 = program::format("%.1f %%", on_seen.top1);
  const std::string unseen_top1 = program::format("%.1f %%", on_unseen.top1);
  std::cout << "zero-shot, " << on_seen.labelled
            << " new scenes, 48 classes whose colour and shape were seen together: " << top1 << " top-1\n"
            << "zero-shot, " << on_unseen.labelled
            << " scenes of 16 pairs never seen together, among all 64 classes: " << unseen_top1 << " top-1\n";

  report::HtmlReport page("couplet: a model trained from scratch", clip.describe());
  page.figures({{top1, "top-1, 48 classes seen in training"},
                {unseen_top1, "top-1, 16 unseen pairs among 64 classes"},
                {std::to_string(pretrained::parameter_count(clip.model.config()) / 1000) + " k", "parameters"}});
  page.section("New scenes, classified by words", "Every class is a sentence; the model never saw these pictures.");
  add_classified(page, clip, *seen, 18);
  page.section("Pairs of colour and shape that training left out",
               "The model knows both words, but has never met them together.");
  add_classified(page, clip, *unseen, 12);
  add_search(page, clip, *mixed,
             {"a red circle above a blue square", "three small green stars", "a large yellow heart", "two cyan rings"});
  const std::string log = o.model + "/log.jsonl";
  if (std::filesystem::exists(log)) {
    page.section("Training")
        .line_chart(
            {.title = "Loss", .x_label = "step", .y_label = "InfoNCE", .series = {{"loss", curve(log, "loss")}}});
  }
  page.footer("couplet " + std::string(version));
  page.save(o.out);
  if (!o.pictures.empty()) save_pictures(*mixed, o.pictures, 200);
  std::cout << "report: " << o.out << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  program::App app("Classifies and searches generated scenes and writes an HTML report.", "demo_report");
  app.add_option("--model", o.model, "model directory made by train")->required();
  app.add_option("--out", o.out, "HTML file to write")->required();
  app.add_option("--pictures", o.pictures, "folder to write some scenes to, as PNG files");
  app.add_option("--images-per-class", o.images_per_class)->check(CLI::Range(1, 10000));
  o.common.add_to(app);
  return program::run(app, argc, argv, o.common, [&] { return run(o); });
}
