#pragma once
/// How good a model is on captioned or labelled images: retrieval both ways, and zero-shot accuracy where the data has
/// labels and the names of its classes are known.
#include <algorithm>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "couplet/eval/classification.hpp"
#include "couplet/eval/retrieval.hpp"
#include "couplet/eval/zero_shot.hpp"
#include "couplet/io/json.hpp"
#include "couplet/train/embedding.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// Recall at 1, 5 and 10 in percent.
struct Recalls {
  double at_1 = 0, at_5 = 0, at_10 = 0;
};

/// A picture, its first caption, and the captions of the data set nearest to it.
struct RetrievalSample {
  Index index = 0;  ///< of the sample in the data set
  std::string caption;
  std::vector<std::pair<std::string, double>> found;  ///< captions and cosines, the nearest first; each caption once
};

struct Evaluation {
  Index images = 0;
  Index texts = 0;
  Recalls image_to_text = {}, text_to_image = {};
  Index labelled = 0;  ///< images with a label; 0: no zero-shot accuracy
  Index classes = 0;
  double top1 = 0, top5 = 0;  ///< percent
  std::vector<data::UnreadableSample> unreadable = {};
  std::vector<RetrievalSample> samples = {};

  /// The mean of R@1 both ways: what "best" means for checkpoints.
  [[nodiscard]] double score() const { return (image_to_text.at_1 + text_to_image.at_1) / 2; }
};

struct EvaluationOptions {
  std::vector<std::string> class_names = {};  ///< empty: those of the data set
  std::vector<std::string> templates = {};    ///< empty: eval::default_templates()
  Index samples = 0;                          ///< pictures, spread over the data set, to show what they retrieve
  std::function<void(Index done, Index total)> on_progress = [](Index, Index) {};
};

namespace detail {

inline Recalls percent(const eval::RetrievalMetrics& metrics) {
  return {100 * metrics.recall_at_1, 100 * metrics.recall_at_5, 100 * metrics.recall_at_10};
}

/// The captions nearest to row `image`, each once.
inline std::vector<std::pair<std::string, double>> nearest_captions(TensorView<const float, 1> image,
                                                                    const Tensor<float, 2>& texts,
                                                                    const std::vector<std::string>& captions,
                                                                    std::size_t count) {
  std::vector<std::pair<double, Index>> scores;
  for (Index t = 0; t < texts.extent(0); ++t) {
    double cosine = 0;
    for (Index c = 0; c < image.size(); ++c) cosine += static_cast<double>(image[c]) * static_cast<double>(texts(t, c));
    scores.emplace_back(-cosine, t);
  }
  std::sort(scores.begin(), scores.end());
  std::vector<std::pair<std::string, double>> found;
  for (const auto& [negative, t] : scores) {
    const std::string& caption = captions[static_cast<std::size_t>(t)];
    const auto same = [&](const auto& each) { return each.first == caption; };
    if (std::none_of(found.begin(), found.end(), same)) found.emplace_back(caption, -negative);
    if (found.size() == count) break;
  }
  return found;
}

/// The captions of some images, and whose they are.
struct Captions {
  std::vector<std::string> texts;
  std::vector<Index> image_of_text;

  void add(Index image, std::vector<std::string> own) {
    image_of_text.insert(image_of_text.end(), own.size(), image);
    std::move(own.begin(), own.end(), std::back_inserter(texts));
  }
};

/// images: (N, E) and texts: (captions, E), rows of length 1.
template <class T>
void measure_retrieval(const Tensor<T, 2>& images, const Tensor<T, 2>& texts, const Captions& captions,
                       Evaluation& result) {
  Workspace workspace;
  const eval::Retrieval found = eval::retrieval<T>(images, texts, captions.image_of_text, workspace);
  result.texts = texts.extent(0);
  result.image_to_text = percent(found.image_to_text);
  result.text_to_image = percent(found.text_to_image);
}

template <class T>
void evaluate_retrieval(const Pretrained<T>& bundle, const data::Dataset& dataset, const ImageEmbeddings& images,
                        Index samples, Evaluation& result) {
  Captions captions;
  const auto count = static_cast<Index>(images.indices.size());
  for (Index i = 0; i < count; ++i) {
    std::vector<std::string> own = dataset.annotation(images.indices[static_cast<std::size_t>(i)]).captions;
    if (own.empty()) return;  // retrieval is defined where every image has a caption
    captions.add(i, std::move(own));
  }
  const Tensor<T, 2> texts = bundle.encode_text(captions.texts);
  measure_retrieval(images.embeds, texts, captions, result);
  for (Index s = 0; s < std::min(samples, count); ++s) {
    const Index row = s * count / std::min(samples, count);
    const std::vector<Index>& owners = captions.image_of_text;
    const auto first = std::lower_bound(owners.begin(), owners.end(), row) - owners.begin();
    result.samples.push_back({images.indices[static_cast<std::size_t>(row)],
                              captions.texts[static_cast<std::size_t>(first)],
                              nearest_captions(images.embeds.view()[row], texts, captions.texts, 3)});
  }
}

template <class T>
void evaluate_classes(const Pretrained<T>& bundle, const data::Dataset& dataset, const ImageEmbeddings& images,
                      const EvaluationOptions& options, Evaluation& result) {
  const std::vector<std::string> names = options.class_names.empty() ? dataset.class_names() : options.class_names;
  if (names.empty()) return;
  const ZeroShotClassifier<T> classifier(bundle, names,
                                         options.templates.empty() ? eval::default_templates() : options.templates);
  result.classes = classifier.size();
  eval::TopKAccuracy accuracy;
  for (std::size_t i = 0; i < images.indices.size(); ++i) {
    const std::optional<std::int64_t> label = dataset.annotation(images.indices[i]).label;
    if (!label) continue;
    const Index row = static_cast<Index>(i);
    const Tensor<T, 2> logits = classifier.logits(images.embeds.view().slice(row, row + 1));
    accuracy.add(logits.view(), std::span(&*label, 1));
  }
  result.labelled = accuracy.count();
  result.top1 = 100 * accuracy.top1();
  result.top5 = 100 * accuracy.top5();
}

}  // namespace detail

/// Embeds the whole data set once and measures what its annotations allow.
template <class T>
Evaluation evaluate(const Pretrained<T>& bundle, const data::Dataset& dataset, const EvaluationOptions& options = {}) {
  const ImageEmbeddings images =
      embed_images(bundle, dataset, Normalize::yes, bundle.transform.decode_options(), options.on_progress);
  Evaluation result{.images = images.embeds.extent(0), .unreadable = images.unreadable};
  if (result.images == 0) return result;
  detail::evaluate_retrieval(bundle, dataset, images, options.samples, result);
  detail::evaluate_classes(bundle, dataset, images, options, result);
  return result;
}

/// Into an object: "images", "image_to_text": {"R@1", "R@5", "R@10"}, "text_to_image": {...}, "top1", "top5", in
/// percent.
inline void write_members(io::JsonWriter& json, const Evaluation& evaluation) {
  const auto recalls = [&](const char* key, const Recalls& r) {
    json.key(key).begin_object().key("R@1").value(r.at_1).key("R@5").value(r.at_5);
    json.key("R@10").value(r.at_10).end_object();
  };
  json.key("images").value(evaluation.images);
  if (evaluation.texts > 0) {
    recalls("image_to_text", evaluation.image_to_text);
    recalls("text_to_image", evaluation.text_to_image);
  }
  if (evaluation.labelled > 0) json.key("top1").value(evaluation.top1).key("top5").value(evaluation.top5);
}

inline void write_json(io::JsonWriter& json, const Evaluation& evaluation) {
  json.begin_object();
  write_members(json, evaluation);
  json.end_object();
}

}  // namespace couplet::inline COUPLET_ABI::train
