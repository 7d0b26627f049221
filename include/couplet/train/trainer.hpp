#pragma once
/// Steps of contrastive training: forward, loss, backward, clipping, optimiser, clamp of logit_scale, average.
#include <cmath>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "couplet/distributed/agreement.hpp"
#include "couplet/optim/adamw.hpp"
#include "couplet/optim/clamp_logit_scale.hpp"
#include "couplet/optim/clip_grad_norm.hpp"
#include "couplet/optim/layer_decay.hpp"
#include "couplet/optim/lion.hpp"
#include "couplet/optim/schedule.hpp"
#include "couplet/optim/weight_average.hpp"
#include "couplet/train/contrastive_step.hpp"
#include "couplet/train/training_state.hpp"

namespace couplet::inline COUPLET_ABI::train {

struct TrainerOptions {
  LossKind loss = LossKind::clip;
  optim::LearningRateSchedule schedule = {};
  std::variant<optim::AdamWOptions, optim::LionOptions> optimizer = optim::AdamWOptions{};
  double grad_clip_norm = 0;        ///< 0: not clipped
  double layer_decay = 1;           ///< of the learning rate, per layer; 1: none
  double ema_decay = 0;             ///< of the average of weights; 0: no average
  Index micro_batch = 0;            ///< pairs whose activations are in memory at a time; 0: the whole batch
  bool grad_checkpointing = false;  ///< keep the inputs of blocks alone, and run blocks forward again to go backward
};

/// What one step did.
struct StepReport {
  std::int64_t step = 0;  ///< its number, from 1
  double loss = 0;
  double grad_norm = 0;  ///< before clipping
  double learning_rate = 0;
  double logit_scale = 0;  ///< after the step, in log space
  double logit_bias = 0;
  std::string skipped = {};  ///< why the step changed no parameter: something was not finite; empty otherwise
};

/// Borrows the model, which must outlive it. Freeze towers (nn::set_trainable) before making the trainer. It leaves
/// towers that learn with weights that are packed at use (nn::Packing): inference in between belongs into
/// with_average(), and model.prepare() makes it fast again afterwards.
///
/// Where a communicator joins several processes, each passes its consecutive pairs of the batch to step() and, from the
/// same gradients, takes the same step: share_state() once, and the models stay equal bit by bit.
template <class T>
class Trainer {
 public:
  Trainer(Clip<T>& model, const TrainerOptions& options, distributed::Communicator& communicator = distributed::alone())
      : model_(model),
        options_(options),
        communicator_(communicator),
        optimizer_(make_optimizer(model, options)),
        step_(options.loss, options.micro_batch, options.grad_checkpointing, communicator) {
    options_.schedule.validate();
    if (options.loss == LossKind::siglip && !model.has_logit_bias()) {
      fail("train", "the sigmoid loss needs a model with a logit_bias");
    }
    if (options.ema_decay != 0) average_.emplace(model, options.ema_decay);
    if (options.layer_decay != 1) {
      const ClipConfig& config = model.config();
      const optim::LayerDecay factor(options.layer_decay, config.vision.layers, config.text.layers);
      std::visit([&](auto& optimizer) { optimizer.scale_learning_rates(factor); }, optimizer_);
    }
    progress.logit_scale_limit = static_cast<double>(optim::logit_scale_limit(model.log_scale()));
    prepare_towers(nn::Packing::kept, false);
    prepare_towers(nn::Packing::at_use);
  }

  /// One optimiser step on B pairs. When the loss or a gradient is not finite, parameters and optimiser stay as they
  /// are; the report and `progress` say so.
  StepReport step(TensorView<const T, 4> pixels, TensorView<const std::int64_t, 2> ids) {
    return step(Pictures<T>{pixels}, ids);
  }
  /// The same, where the image tower sees some patches of each picture.
  StepReport step(const Pictures<T>& pictures, TensorView<const std::int64_t, 2> ids) {
    begin_step();
    return finish(step_.forward_backward(model_, pictures, ids));
  }
  /// The same with the features that a frozen image tower gave for the pictures before. features: (B, E).
  StepReport step_features(TensorView<const T, 2> features, TensorView<const std::int64_t, 2> ids) {
    begin_step();
    return finish(step_.forward_backward_features(model_, features, ids));
  }
  /// The same with the features that a frozen text tower gave for the texts before. features: (B, E).
  StepReport step_features(const Pictures<T>& pictures, TensorView<const T, 2> features) {
    begin_step();
    return finish(step_.forward_backward_features(model_, pictures, features));
  }

  /// Calls f() while the model is prepared for inference and holds the averaged weights, if there is an average;
  /// otherwise the weights as they are.
  template <class F>
  void with_average(F&& f) {
    const Inference inference(*this);
    f();
  }

  /// Writes everything that a later step depends on; see save_training_state().
  void save(const std::string& path, const std::string& fingerprint) {
    save_training_state(path, state(), progress, fingerprint);
  }
  void load(const std::string& path, const std::string& fingerprint) {
    progress = load_training_state(path, state(), fingerprint);
    take_state();
  }
  /// Gives all processes the state of the first one.
  void share_state() {
    if (communicator_.is_alone()) return;
    for (const StateTensor<T>& tensor : state())
      distributed::broadcast(communicator_, tensor.data, tensor.shape.size());
    distributed::broadcast(communicator_, &progress, 1);
    take_state();
  }

  Progress progress;

 private:
  using AnyOptimizer = std::variant<optim::AdamW<T>, optim::Lion<T>>;

  /// The averages in the place of the weights, weights packed and no activations in memory, for a scope.
  class Inference {
   public:
    explicit Inference(Trainer& trainer) : trainer_(trainer) {
      trainer_.step_.clear_activations();
      if (trainer_.average_) trainer_.average_->swap();
      trainer_.prepare_towers(nn::Packing::kept);
    }
    ~Inference() {
      if (trainer_.average_) trainer_.average_->swap();
      trainer_.prepare_towers(nn::Packing::at_use);
    }
    Inference(const Inference&) = delete;
    Inference& operator=(const Inference&) = delete;

   private:
    Trainer& trainer_;
  };

  /// The towers that learn, or those that do not. Weights that change at every step are packed at use: packed copies of
  /// all of them would take as much room as they do.
  void prepare_towers(nn::Packing packing, bool learning = true) {
    if (nn::any_trainable(model_.visual) == learning) model_.visual.prepare(model_.precision(), packing);
    if (nn::any_trainable(model_.text) == learning) model_.text.prepare(model_.precision(), packing);
  }

  /// What follows new values of all state tensors.
  void take_state() {
    std::visit([&](auto& optimizer) { optimizer.set_steps(progress.step - progress.skipped); }, optimizer_);
    prepare_towers(nn::Packing::kept, false);
    prepare_towers(nn::Packing::at_use);
  }

  static AnyOptimizer make_optimizer(Clip<T>& model, const TrainerOptions& options) {
    if (const auto* lion = std::get_if<optim::LionOptions>(&options.optimizer)) {
      return AnyOptimizer(std::in_place_type<optim::Lion<T>>, model, *lion);
    }
    return AnyOptimizer(std::in_place_type<optim::AdamW<T>>, model, std::get<optim::AdamWOptions>(options.optimizer));
  }

  void begin_step() {
    prepare_towers(nn::Packing::at_use);
    std::visit([](auto& optimizer) { optimizer.zero_grad(); }, optimizer_);
  }

  /// What follows the gradients.
  StepReport finish(T loss) {
    const optim::GradientNorm norm = optim::gradient_norm(model_, workspace_);
    StepReport report{.step = progress.step + 1,
                      .loss = static_cast<double>(loss),
                      .grad_norm = norm.norm,
                      .learning_rate = options_.schedule.at(progress.step)};
    if (optim::is_finite(&loss) && norm.finite()) {
      update(report.learning_rate, norm.norm);
      progress.skipped_in_row = 0;
    } else {
      report.skipped = norm.finite() ? "the loss is not finite" : norm.message();
      ++progress.skipped;
      ++progress.skipped_in_row;
    }
    ++progress.step;
    report.logit_scale = static_cast<double>(model_.log_scale());
    report.logit_bias = static_cast<double>(model_.bias());
    return report;
  }

  void update(double learning_rate, double norm) {
    const double scale = options_.grad_clip_norm > 0 ? optim::clip_coefficient(norm, options_.grad_clip_norm) : 1;
    std::visit([&](auto& optimizer) { optimizer.step(learning_rate, scale); }, optimizer_);
    optim::clamp_logit_scale(model_.logit_scale, static_cast<T>(progress.logit_scale_limit));
    if (average_) average_->update(progress.step - progress.skipped);
  }

  std::vector<StateTensor<T>> state() {
    return std::visit(
        [&](auto& optimizer) {
          return average_ ? state_tensors<T>(model_, optimizer, *average_) : state_tensors<T>(model_, optimizer);
        },
        optimizer_);
  }

  Clip<T>& model_;
  TrainerOptions options_;
  distributed::Communicator& communicator_;
  AnyOptimizer optimizer_;
  std::optional<optim::WeightAverage<T>> average_;
  ContrastiveStep<T> step_;
  Workspace workspace_;
};

}  // namespace couplet::inline COUPLET_ABI::train
