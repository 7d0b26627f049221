#pragma once
// A product of two matrices of given numbers, by the kernels of the machine's level.
#include "couplet/ops/matmul.hpp"

inline constexpr int rows = 53, columns = 71, depth = 300;

inline float left(int i, int k) { return static_cast<float>((7 * i + 3 * k) % 11 - 5) / 7; }
inline float right(int j, int k) { return static_cast<float>((5 * j + k * k) % 13 - 6) / 9; }

namespace {  // one per unit: the two are compiled with different flags

couplet::Tensor<float, 2> product() {
  couplet::Tensor<float, 2> a({rows, depth}), b({columns, depth}), c({rows, columns});
  for (int k = 0; k < depth; ++k) {
    for (int i = 0; i < rows; ++i) a(i, k) = left(i, k);
    for (int j = 0; j < columns; ++j) b(j, k) = right(j, k);
  }
  couplet::Workspace workspace;
  couplet::ops::matmul<float>(a, b, c, workspace);
  return c;
}

}  // namespace
