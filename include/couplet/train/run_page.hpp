#pragma once
/// A run as one HTML page: curves of its steps and evaluations, sample retrievals with their pictures.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/decode_picture.hpp"
#include "couplet/io/json.hpp"
#include "couplet/report/html.hpp"
#include "couplet/train/evaluation.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// The numbers of a run, as its log has them.
class RunHistory {
 public:
  using Curve = std::vector<std::pair<double, double>>;

  /// A line of log.jsonl; what is no step and no evaluation is left out.
  void add(const io::Json& line) {
    const io::Json* step = line.find("step");
    if (step == nullptr || !step->is_number()) return;
    const double x = step->as_number();
    const auto append = [&](const io::Json& from, const char* key, Curve& curve) {
      const io::Json* value = from.find(key);
      if (value != nullptr && value->is_number()) curve.emplace_back(x, value->as_number());
    };
    append(line, "loss", loss);
    append(line, "lr", lr);
    append(line, "grad_norm", grad_norm);
    append(line, "logit_scale", logit_scale);
    if (line.find("skipped") != nullptr) ++skipped;
    const io::Json* evaluation = line.find("evaluation");
    if (evaluation == nullptr || !evaluation->is_object()) return;
    for (std::size_t way = 0; way < 2; ++way) {
      const io::Json* recalls = evaluation->find(way == 0 ? "image_to_text" : "text_to_image");
      if (recalls == nullptr || !recalls->is_object()) continue;
      for (std::size_t k = 0; k < 3; ++k) append(*recalls, recall_names[k], recall[way][k]);
    }
  }

  static constexpr const char* recall_names[3] = {"R@1", "R@5", "R@10"};

  Curve loss, lr, grad_norm, logit_scale;  ///< over steps
  Curve recall[2][3];                      ///< image to text, text to image; R@1, R@5, R@10 in percent
  std::int64_t skipped = 0;
};

/// What else stands on the page.
struct RunPage {
  std::string title, subtitle = {};
  std::string note = {};          ///< about the run's health; empty: nothing is wrong
  double pairs_per_second = 0;    ///< 0: not known
  std::string options_json = {};  ///< shown as it is
};

namespace detail {

/// The picture, its own caption, and the captions the model finds nearest.
inline report::Card retrieval_card(const RetrievalSample& sample, const data::Dataset& dataset,
                                   const image::DecodeOptions& decode) {
  report::Card card{.picture = data::decode_picture(dataset.sample(sample.index), decode), .caption = sample.caption};
  for (const auto& [caption, similarity] : sample.found) {
    const bool own = caption == sample.caption;
    card.bars.push_back({caption, similarity, report::number_text(similarity), own});
  }
  const bool right = !sample.found.empty() && sample.found.front().first == sample.caption;
  card.verdict = right ? report::Verdict::good : report::Verdict::bad;
  return card;
}

inline void add_curves(report::HtmlReport& page, const RunHistory& history) {
  page.section("Training");
  page.line_chart({"Loss", "step", "loss", {{"loss", history.loss}}});
  page.line_chart({"Learning rate", "step", "learning rate", {{"lr", history.lr}}});
  page.line_chart({"Temperature, in log space", "step", "logit_scale", {{"logit_scale", history.logit_scale}}});
  page.line_chart({"Gradient norm, before clipping", "step", "norm", {{"grad_norm", history.grad_norm}}});
}

inline void add_retrieval(report::HtmlReport& page, const RunHistory& history) {
  if (history.recall[0][0].empty()) return;
  page.section("Retrieval on the validation data");
  for (std::size_t way = 0; way < 2; ++way) {
    std::vector<report::Series> series;
    for (std::size_t k = 0; k < 3; ++k) series.push_back({RunHistory::recall_names[k], history.recall[way][k]});
    page.line_chart({way == 0 ? "From image to text" : "From text to image", "step", "percent", std::move(series)});
  }
}

inline std::string percent_text(const RunHistory::Curve& curve) {
  return curve.empty() ? "-" : report::number_text(curve.back().second) + " %";
}

}  // namespace detail

/// `evaluation` is the last one, of `dataset`; both may be null.
inline report::HtmlReport run_page(const RunPage& about, const RunHistory& history, const Evaluation* evaluation,
                                   const data::Dataset* dataset, const image::DecodeOptions& decode) {
  report::HtmlReport page(about.title, about.subtitle);
  if (!about.note.empty()) page.paragraph(about.note);
  std::vector<report::Figure> figures;
  if (!history.loss.empty()) {
    figures.push_back({report::number_text(history.loss.back().first, 9), "steps"});
    figures.push_back({report::number_text(history.loss.back().second, 4), "loss"});
  }
  figures.push_back({detail::percent_text(history.recall[0][0]), "R@1, image to text"});
  figures.push_back({detail::percent_text(history.recall[1][0]), "R@1, text to image"});
  if (about.pairs_per_second > 0) figures.push_back({report::number_text(about.pairs_per_second, 4), "pairs/s"});
  if (history.skipped > 0) figures.push_back({std::to_string(history.skipped), "steps skipped: not finite"});
  page.figures(figures);
  detail::add_curves(page, history);
  detail::add_retrieval(page, history);
  if (evaluation != nullptr && dataset != nullptr && !evaluation->samples.empty()) {
    page.section("Samples", "Pictures of the validation data with their captions, and the captions nearest to them.");
    std::vector<report::Card> cards;
    for (const RetrievalSample& sample : evaluation->samples) {
      try {
        cards.push_back(detail::retrieval_card(sample, *dataset, decode));
      } catch (const file_error&) {  // the picture could be read a moment ago: the page goes without it
      }
    }
    page.cards(cards);
  }
  if (!about.options_json.empty()) page.section("Options").commands(about.options_json);
  return page;
}

}  // namespace couplet::inline COUPLET_ABI::train
