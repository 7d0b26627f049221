#pragma once
/// The weights of Pillow's and torchvision's 8-bit resampling, as integers.
///
/// One axis, n samples in, m out, all in double and in this order:
///   scale = n / m;  s = max(scale, 1);  support = S s;  inv = 1 / s   S: box .5, bilinear 1, hamming 1, bicubic 2,
///   lanczos 3 c = (i + 0.5) scale;  first = max(0, int(c - support + 0.5));  last = min(n, int(c + support + 0.5)) w_k
///   = f((k - c + 0.5) inv) for k in [first, last);  w_k /= sum of w;  K_k = int(w_k 2^bits +- 0.5), half away from 0
/// Pillow: bits = 22. torch: the largest bits <= 22 for which every K fits 16 bits signed, one for the whole axis.
/// Reference: Pillow src/libImaging/Resample.c, PyTorch aten/src/ATen/native/cpu/UpSampleKernel.cpp.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "couplet/image/exact.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// The numbers are those of PIL.Image.Resampling and of "resample" in preprocessor_config.json.
enum class Filter { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };

/// Whose integers: Pillow's (transformers' PIL backend, open_clip) or torchvision's for uint8 tensors.
enum class ResizeEngine { pillow, torchvision };

constexpr const char* name(Filter filter) noexcept {
  constexpr const char* names[] = {"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"};
  return names[static_cast<int>(filter)];
}

namespace detail {

constexpr double filter_support(Filter filter) noexcept {
  constexpr double support[] = {0.0, 3.0, 1.0, 2.0, 0.5, 1.0};
  return support[static_cast<int>(filter)];
}

inline double sinc(double x) noexcept {
  if (x == 0.0) return 1.0;
  const double t = exact::mul(x, 3.14159265358979323846);
  return exact::div(exact::sin(t), t);
}

/// Keys' cubic convolution with a = -0.5.
inline double cubic(double x) noexcept {
  using exact::add, exact::mul, exact::sub;
  if (x < 1.0) return add(mul(mul(sub(mul(1.5, x), 2.5), x), x), 1.0);
  if (x < 2.0) return mul(sub(mul(add(mul(sub(x, 5.0), x), 8.0), x), 4.0), -0.5);
  return 0.0;
}

inline double filter_value(Filter filter, double x) noexcept {
  using exact::add, exact::div, exact::mul, exact::sub;
  const double distance = x < 0.0 ? -x : x;
  switch (filter) {
    case Filter::box:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::bilinear:
      return distance < 1.0 ? sub(1.0, distance) : 0.0;
    case Filter::hamming:
      if (distance >= 1.0) return 0.0;
      return mul(sinc(distance), add(0.54, mul(0.46, exact::cos(mul(distance, 3.14159265358979323846)))));
    case Filter::bicubic:
      return cubic(distance);
    case Filter::lanczos:
      return x >= -3.0 && x < 3.0 ? mul(sinc(x), sinc(div(x, 3.0))) : 0.0;
    case Filter::nearest:
      break;
  }
  return 0.0;
}

/// One axis of a resize from `in` to `out` samples.
struct Axis {
  int in, out;
};

/// Weights of one output sample in double; w is overwritten. Returns the first input sample.
inline int sample_weights(Filter filter, Axis axis, int i, std::vector<double>& w) {
  using exact::add, exact::div, exact::mul, exact::sub;
  const double scale = div(axis.in, axis.out);
  const double stretch = scale > 1.0 ? scale : 1.0;
  const double support = mul(filter_support(filter), stretch);
  const double inverse = div(1.0, stretch);
  const double center = mul(add(i, 0.5), scale);
  const int first = std::max(static_cast<int>(add(sub(center, support), 0.5)), 0);
  const int last = std::min(static_cast<int>(add(add(center, support), 0.5)), axis.in);
  w.clear();
  double sum = 0.0;
  for (int k = first; k < last; ++k) {
    w.push_back(filter_value(filter, mul(add(sub(k, center), 0.5), inverse)));
    sum = add(sum, w.back());
  }
  if (sum != 0.0)
    for (double& value : w) value = div(value, sum);
  return first;
}

/// int(w 2^bits +- 0.5): to the nearest integer, halves away from zero.
inline std::int32_t quantised(double w, int bits) noexcept {
  const double scaled = exact::mul(w, static_cast<double>(1 << bits));
  return static_cast<std::int32_t>(w < 0.0 ? exact::sub(scaled, 0.5) : exact::add(scaled, 0.5));
}

/// torch's precision for 16-bit weights: it depends on the largest weight of the whole axis.
inline int torch_bits(Filter filter, Axis axis) {
  std::vector<double> w;
  double most = 0.0;
  for (int i = 0; i < axis.out; ++i) {
    sample_weights(filter, axis, i, w);
    for (const double value : w) most = value > most ? value : most;
  }
  int bits = 0;
  while (bits < 22 && quantised(most, bits + 1) < (1 << 15)) ++bits;
  return bits;
}

/// Integer weights of output samples [begin, begin + count) of an axis: sample i reads inputs first[i] .. first[i] +
/// size[i], its weights start at weights[i * taps].
struct Weights {
  int bits = 22;
  int taps = 0;
  std::vector<int> first, size;
  std::vector<std::int32_t> weights;

  Weights(Filter filter, ResizeEngine engine, Axis axis, int begin, int count) {
    if (engine == ResizeEngine::torchvision) bits = torch_bits(filter, axis);
    const auto n = static_cast<std::size_t>(count);
    first.resize(n);
    size.resize(n);
    std::vector<double> w;
    std::vector<std::int32_t> ragged;  // one sample after the other; then laid out with a fixed step
    for (std::size_t i = 0; i < n; ++i) {
      first[i] = sample_weights(filter, axis, begin + static_cast<int>(i), w);
      size[i] = static_cast<int>(w.size());
      taps = std::max(taps, size[i]);
      for (const double value : w) ragged.push_back(quantised(value, bits));
    }
    weights.resize(n * static_cast<std::size_t>(taps));
    auto from = ragged.begin();
    for (std::size_t i = 0; i < n; ++i) {
      std::copy_n(from, size[i], weights.begin() + static_cast<std::ptrdiff_t>(i) * taps);
      from += size[i];
    }
  }

  [[nodiscard]] int count() const noexcept { return static_cast<int>(first.size()); }
  /// Inputs [lowest(), highest()) are the only ones read. (Both ends of the range grow with the output position.)
  [[nodiscard]] int lowest() const noexcept { return first.front(); }
  [[nodiscard]] int highest() const noexcept { return first.back() + size.back(); }
};

/// Pillow's NEAREST: the position is a running sum in double, not (i + 0.5) step.
inline std::vector<int> nearest_index(Axis axis, int begin, int count) {
  const double step = exact::div(axis.in, axis.out);
  double position = exact::mul(step, 0.5);
  std::vector<int> index;
  for (int i = 0; i < begin + count; ++i) {
    if (i >= begin) index.push_back(std::min(static_cast<int>(position), axis.in - 1));
    position = exact::add(position, step);
  }
  return index;
}

}  // namespace detail
}  // namespace couplet::inline COUPLET_ABI::image
