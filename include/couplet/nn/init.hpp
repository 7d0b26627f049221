#pragma once
/// Random initial values for parameters, as torch.nn.init. Every parameter draws from a stream of its own, keyed by
/// (seed, name), so its values do not depend on which other parameters a model has.
#include <cmath>
#include <string_view>

#include "couplet/core/random.hpp"
#include "couplet/nn/parameter.hpp"

namespace couplet::inline COUPLET_ABI::nn::init {

/// FNV-1a, 64 bits: turns a name into a stream number.
inline std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

template <class T>
void constant(Parameter<T>& parameter, double value) {
  std::fill_n(parameter.value.data(), parameter.size(), static_cast<T>(value));
}

/// N(0, std)
template <class T>
void normal(Parameter<T>& parameter, double std, Random random) {
  for (Index i = 0; i < parameter.size(); ++i) parameter.value.data()[i] = static_cast<T>(std * random.normal());
}

/// U(-bound, bound)
template <class T>
void uniform(Parameter<T>& parameter, double bound, Random random) {
  for (Index i = 0; i < parameter.size(); ++i) {
    parameter.value.data()[i] = static_cast<T>(random.uniform(-bound, bound));
  }
}

/// N(0, 1 / sqrt(fan_in)) cut at two standard deviations, then widened to that variance: flax's lecun_normal.
template <class T>
void lecun_normal(Parameter<T>& parameter, Index fan_in, Random random) {
  const double std = std::sqrt(1.0 / static_cast<double>(fan_in)) / 0.87962566103423978;
  for (Index i = 0; i < parameter.size(); ++i) {
    double value = random.normal();
    while (std::abs(value) > 2.0) value = random.normal();
    parameter.value.data()[i] = static_cast<T>(std * value);
  }
}

/// U(+-sqrt(6 / (fan_in + fan_out))): torch's xavier_uniform_.
template <class T>
void xavier_uniform(Parameter<T>& parameter, Index fan_in, Index fan_out, Random random) {
  uniform(parameter, std::sqrt(6.0 / static_cast<double>(fan_in + fan_out)), random);
}

/// U(+-1 / sqrt(fan_in)): what torch.nn.Linear and torch.nn.Conv2d do by default, for weight and bias alike.
template <class T>
void torch_default(Parameter<T>& parameter, Index fan_in, Random random) {
  uniform(parameter, 1.0 / std::sqrt(static_cast<double>(fan_in)), random);
}

}  // namespace couplet::inline COUPLET_ABI::nn::init
