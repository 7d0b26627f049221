#pragma once
/// Steps of contrastive training: forward, loss, backward, clipping, AdamW, clamp of logit_scale.
#include <string>

#include "couplet/optim/adamw.hpp"
#include "couplet/optim/clamp_logit_scale.hpp"
#include "couplet/optim/clip_grad_norm.hpp"
#include "couplet/optim/schedule.hpp"
#include "couplet/train/contrastive_step.hpp"
#include "couplet/train/training_state.hpp"

namespace couplet::inline COUPLET_ABI::train {

struct TrainerOptions {
  LossKind loss = LossKind::clip;
  optim::LearningRateSchedule schedule = {};
  optim::AdamWOptions adamw = {};
  double grad_clip_norm = 0;  ///< 0: not clipped
  Index micro_batch = 0;      ///< pairs whose activations are in memory at a time; 0: the whole batch
};

/// What one step did.
struct StepReport {
  std::int64_t step = 0;  ///< its number, from 1
  double loss = 0;
  double grad_norm = 0;  ///< before clipping
  double learning_rate = 0;
  double logit_scale = 0;  ///< after the step, in log space
  double logit_bias = 0;
};

/// Borrows the model, which must outlive it. Freeze towers (nn::set_trainable) before making the trainer.
template <class T>
class Trainer {
 public:
  Trainer(Clip<T>& model, const TrainerOptions& options)
      : model_(model), options_(options), optimizer_(model, options.adamw), step_(options.loss, options.micro_batch) {
    options_.schedule.validate();
    if (options.loss == LossKind::siglip && !model.has_logit_bias()) {
      fail("train", "the sigmoid loss needs a model with a logit_bias");
    }
    progress.logit_scale_limit = static_cast<double>(optim::logit_scale_limit(model.log_scale()));
  }

  /// One optimiser step on B pairs. Throws std::runtime_error naming the parameter, and changes nothing, when the loss
  /// or a gradient is not finite.
  StepReport step(TensorView<const T, 4> pixels, TensorView<const std::int64_t, 2> ids) {
    optimizer_.zero_grad();
    StepReport report{.step = progress.step + 1, .learning_rate = options_.schedule.at(progress.step)};
    const T loss = step_.forward_backward(model_, pixels, ids);
    const optim::GradientNorm norm = optim::gradient_norm(model_, workspace_);
    if (!norm.finite()) throw std::runtime_error("step " + std::to_string(report.step) + ": " + norm.message());
    if (!optim::is_finite(&loss)) {
      throw std::runtime_error("step " + std::to_string(report.step) + ": the loss is not finite");
    }
    const double scale = options_.grad_clip_norm > 0 ? optim::clip_coefficient(norm.norm, options_.grad_clip_norm) : 1;
    optimizer_.step(report.learning_rate, scale);
    optim::clamp_logit_scale(model_.logit_scale, static_cast<T>(progress.logit_scale_limit));
    model_.prepare();
    ++progress.step;
    report.loss = static_cast<double>(loss);
    report.grad_norm = norm.norm;
    report.logit_scale = static_cast<double>(model_.log_scale());
    report.logit_bias = static_cast<double>(model_.bias());
    return report;
  }

  /// Writes everything that a later step depends on; see save_training_state().
  void save(const std::string& path, const std::string& fingerprint) {
    save_training_state(path, model_, optimizer_, progress, fingerprint);
  }
  void load(const std::string& path, const std::string& fingerprint) {
    progress = load_training_state(path, model_, optimizer_, fingerprint);
  }

  Progress progress;

 private:
  Clip<T>& model_;
  TrainerOptions options_;
  optim::AdamW<T> optimizer_;
  ContrastiveStep<T> step_;
  Workspace workspace_;
};

}  // namespace couplet::inline COUPLET_ABI::train
