#pragma once
/// Tensors of normal random numbers, the same ones for float and double.
#include "couplet/core/random.hpp"
#include "couplet/core/tensor.hpp"

namespace couplet::test {

/// Normal numbers with the given standard deviation and mean, all representable in float.
template <class T, std::size_t Rank>
Tensor<T, Rank> random_tensor(const Extents<Rank>& extents, std::uint64_t seed, double deviation = 1, double mean = 0) {
  Tensor<T, Rank> tensor(extents);
  Random random(seed, 0x7e57);
  for (Index i = 0; i < tensor.size(); ++i) {
    tensor.data()[i] = static_cast<T>(static_cast<float>(mean + deviation * random.normal()));
  }
  return tensor;
}

template <class T>
Tensor<T, 2> random_matrix(Index rows, Index columns, std::uint64_t seed, double deviation = 1, double mean = 0) {
  return random_tensor<T, 2>({rows, columns}, seed, deviation, mean);
}

template <class T>
Tensor<T, 1> random_vector(Index size, std::uint64_t seed, double deviation = 1, double mean = 0) {
  return random_tensor<T, 1>({size}, seed, deviation, mean);
}

}  // namespace couplet::test
