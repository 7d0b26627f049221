#pragma once
/// Zero-shot classification: the classes are words.
///
///   w_c = normalize(mean over templates of normalize(text(template(c))))
///   logits = exp(logit_scale) image w^T + logit_bias
///
/// CLIP's probabilities are the softmax over the classes; SigLIP's are a sigmoid for each class on its own, so they
/// need not add up to 1. Radford et al. 2021, section 3.1.4; open_clip build_zero_shot_classifier.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "couplet/eval/templates.hpp"
#include "couplet/ops/matmul.hpp"
#include "couplet/pretrained/pretrained.hpp"

namespace couplet::inline COUPLET_ABI {

/// What a classifier says of one class.
struct ZeroShotScore {
  std::string label;
  double probability = 0;
  double logit = 0;
};

/// Builds the class matrix once; classifying is one image tower and one small product. Borrows the model.
template <class T>
class ZeroShotClassifier {
 public:
  /// Each template holds "{}" where the label goes.
  ZeroShotClassifier(const Pretrained<T>& model, std::vector<std::string> labels,
                     const std::vector<std::string>& templates = eval::default_templates())
      : model_(&model), labels_(std::move(labels)), class_embeds_({size(), model.embed_dim()}) {
    if (labels_.empty()) fail("zero_shot", "no labels are given");
    if (templates.empty()) fail("zero_shot", "no templates are given");
    for (const std::string& one : templates) add_template(one);
    normalize(class_embeds_);
  }

  /// With class vectors that were computed before. class_embeds: (C, E), unit length
  static ZeroShotClassifier from_class_embeds(const Pretrained<T>& model, std::vector<std::string> labels,
                                              Tensor<T, 2> class_embeds) {
    const Shape expected{static_cast<Index>(labels.size()), model.embed_dim()};
    if (labels.empty()) fail("zero_shot", "no labels are given");
    if (!(Shape(class_embeds.extents()) == expected)) {
      fail("zero_shot",
           "class_embeds " + to_string(Shape(class_embeds.extents())) + ", expected " + to_string(expected));
    }
    return {&model, std::move(labels), std::move(class_embeds)};
  }

  /// The number of classes.
  [[nodiscard]] Index size() const { return static_cast<Index>(labels_.size()); }
  [[nodiscard]] const std::vector<std::string>& labels() const { return labels_; }
  /// (C, E), unit length.
  [[nodiscard]] const Tensor<T, 2>& class_embeds() const { return class_embeds_; }

  /// image_embeds: (N, E), unit length. Returns (N, C).
  [[nodiscard]] Tensor<T, 2> logits(TensorView<const T, 2> image_embeds) const {
    Tensor<T, 2> z({image_embeds.extent(0), size()});
    Workspace workspace;
    ops::matmul<T>(image_embeds, class_embeds_, z, workspace);
    const T scale = std::exp(model_->model.log_scale());
    for (Index i = 0; i < z.size(); ++i) z.data()[i] = scale * z.data()[i] + model_->model.bias();
    return z;
  }

  /// Scores of all classes, best first.
  [[nodiscard]] std::vector<ZeroShotScore> classify(const image::Image& image) const {
    const Tensor<T, 2> z = logits(model_->encode_image(image));
    return scores(z.view()[0]);
  }
  [[nodiscard]] std::vector<std::vector<ZeroShotScore>> classify(std::span<const image::Image> images) const {
    const Tensor<T, 2> z = logits(model_->encode_image(images));
    std::vector<std::vector<ZeroShotScore>> all;
    for (Index i = 0; i < z.extent(0); ++i) all.push_back(scores(z.view()[i]));
    return all;
  }

  /// The scores that belong to one row of logits, best first; equal ones in the order of the labels.
  [[nodiscard]] std::vector<ZeroShotScore> scores(TensorView<const T, 1> row) const {
    const bool sigmoid = model_->model.config().family == ClipConfig::Family::siglip;
    double largest = -HUGE_VAL;
    for (Index c = 0; c < size(); ++c) largest = std::max(largest, static_cast<double>(row[c]));
    double sum = 0;
    for (Index c = 0; c < size(); ++c) sum += std::exp(static_cast<double>(row[c]) - largest);
    std::vector<ZeroShotScore> result;
    for (Index c = 0; c < size(); ++c) {
      const auto logit = static_cast<double>(row[c]);
      const double probability = sigmoid ? 1 / (1 + std::exp(-logit)) : std::exp(logit - largest) / sum;
      result.push_back({labels_[static_cast<std::size_t>(c)], probability, logit});
    }
    std::stable_sort(result.begin(), result.end(), [](const auto& a, const auto& b) { return a.logit > b.logit; });
    return result;
  }

 private:
  ZeroShotClassifier(const Pretrained<T>* model, std::vector<std::string>&& labels, Tensor<T, 2>&& class_embeds)
      : model_(model), labels_(std::move(labels)), class_embeds_(std::move(class_embeds)) {}

  void add_template(const std::string& one) {
    std::vector<std::string> texts;
    for (const std::string& label : labels_) texts.push_back(eval::format_template(one, label));
    const Tensor<T, 2> embeds = model_->encode_text(texts);
    for (Index i = 0; i < embeds.size(); ++i) class_embeds_.data()[i] += embeds.data()[i];
  }

  static void normalize(Tensor<T, 2>& rows) {
    Tensor<T, 1> norms({rows.extent(0)});
    ops::l2_normalize_forward<T>(rows, rows, norms);
  }

  const Pretrained<T>* model_;
  std::vector<std::string> labels_;
  Tensor<T, 2> class_embeds_;
};

}  // namespace couplet::inline COUPLET_ABI
