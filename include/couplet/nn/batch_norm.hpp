#pragma once
/// Batch normalisation over the pixels of a batch of images, per channel, as torch.nn.BatchNorm2d.
///
/// Training normalises with the statistics of the batch and lets the running ones follow,
///   running <- (1 - 0.1) running + 0.1 batch          the variance of the batch here with R - 1 in the denominator
/// inference with the running ones. `frozen`: training, too, normalises with the running ones, which stay as they are
/// (torchvision's FrozenBatchNorm2d; open_clip's freeze_batch_norm_2d).
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "couplet/nn/parameter.hpp"
#include "couplet/ops/batch_norm.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class BatchNorm {
 public:
  static constexpr double momentum = 0.1;

  /// The statistics that forward() normalised with; the rows belong to whoever calls.
  struct Saved {
    Tensor<T, 1> mean, variance;  // (C), the variance biased
  };

  BatchNorm() = default;
  explicit BatchNorm(Index channels, double epsilon = 1e-5)
      : weight(Shape{channels}),
        bias(Shape{channels}),
        running_mean(Shape{channels}),
        running_var(Shape{channels}),
        num_batches_tracked(Shape{}),
        eps(epsilon) {
    std::fill_n(weight.value.data(), channels, T(1));
    std::fill_n(running_var.value.data(), channels, T(1));
    for (Parameter<T>* buffer : {&running_mean, &running_var, &num_batches_tracked}) buffer->trainable = false;
  }

  /// The factor and the offset of channel c in inference:  y = factor x + offset.
  [[nodiscard]] double factor(Index c) const {
    return static_cast<double>(weight.value.data()[c]) /
           std::sqrt(static_cast<double>(running_var.value.data()[c]) + eps);
  }
  [[nodiscard]] double offset(Index c) const {
    return static_cast<double>(bias.value.data()[c]) - static_cast<double>(running_mean.value.data()[c]) * factor(c);
  }

  /// Training: takes the statistics of x, or the running ones where they are frozen.   x: (R, C), R > 1
  void take_statistics(TensorView<const T, 2> x, Saved& saved) const {
    saved.mean.resize({weight.size()});
    saved.variance.resize({weight.size()});
    if (frozen) {
      copy(running_mean.vector(), saved.mean.view());
      copy(running_var.vector(), saved.variance.view());
      return;
    }
    if (x.extent(0) < 2) fail("batch_norm", "training needs more than one pixel per channel");
    ops::batch_norm_statistics<T>(x, saved.mean, saved.variance);
  }

  /// Training, with the statistics taken before.   x, y: (R, C), y assigned
  void forward(TensorView<const T, 2> x, const Saved& saved, TensorView<T, 2> y, Workspace& workspace) const {
    ops::batch_norm_forward<T>(x, saved.mean, saved.variance, eps, weight.vector(), bias.vector(), y, workspace);
  }

  /// Also lets the running statistics follow those of this batch: once per backward pass, so that computing a forward
  /// pass twice, as gradient caching does, counts once. Statistics that are not finite are left out.
  /// dy: (R, C)   x: (R, C), the input of forward()   dx: (R, C), assigned; may be dy
  void backward(TensorView<const T, 2> dy, TensorView<const T, 2> x, const Saved& saved, TensorView<T, 2> dx,
                Workspace& workspace) {
    ops::batch_norm_backward<T>(dy, x, saved.mean, saved.variance, eps, std::as_const(weight).vector(), frozen, dx,
                                weight.trainable ? weight.grad_vector() : TensorView<T, 1>{},
                                bias.trainable ? bias.grad_vector() : TensorView<T, 1>{}, workspace);
    if (!frozen) follow(saved, x.extent(0));
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("weight", weight);
    f("bias", bias);
  }
  template <class F>
  void visit_buffers(F&& f) {
    f("running_mean", running_mean);
    f("running_var", running_var);
    f("num_batches_tracked", num_batches_tracked);
  }

  Parameter<T> weight, bias;               ///< (C)
  Parameter<T> running_mean, running_var;  ///< (C), buffers
  Parameter<T> num_batches_tracked;  ///< [], a buffer: a whole number that files hold and nothing here reads; in float
                                     ///< exact up to 2^24
  double eps = 1e-5;
  bool frozen = false;

 private:
  void follow(const Saved& saved, Index rows) {
    double total = 0;
    for (Index c = 0; c < weight.size(); ++c) {
      total += std::abs(static_cast<double>(saved.mean[c])) + static_cast<double>(saved.variance[c]);
    }
    // By the exponent's bits, which -ffast-math leaves alone.
    if ((std::bit_cast<std::uint64_t>(total) >> 52U & 0x7ffU) == 0x7ffU) return;
    const double unbiased = static_cast<double>(rows) / static_cast<double>(rows - 1);
    const auto blend = [](T& running, double batch) {
      running = static_cast<T>((1 - momentum) * static_cast<double>(running) + momentum * batch);
    };
    for (Index c = 0; c < weight.size(); ++c) {
      blend(running_mean.value.data()[c], static_cast<double>(saved.mean[c]));
      blend(running_var.value.data()[c], unbiased * static_cast<double>(saved.variance[c]));
    }
    *num_batches_tracked.value.data() += T(1);
  }
};

}  // namespace couplet::inline COUPLET_ABI::nn
