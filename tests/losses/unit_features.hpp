#pragma once
/// Pairs of unit vectors for the losses, and the N x N formulas of both losses written out.
#include <cmath>
#include <vector>

#include "couplet/losses/contrastive_blocks.hpp"
#include "couplet/ops/l2_normalize.hpp"
#include "support/random_tensor.hpp"

namespace couplet::test {

/// Random unit rows.
template <class T>
Tensor<T, 2> unit_rows(Index rows, Index columns, std::uint64_t seed) {
  Tensor<T, 2> x = random_matrix<T>(rows, columns, seed);
  ops::l2_normalize_forward<T>(x, x, TensorView<T, 1>{});
  return x;
}

/// Unit rows that resemble those of `of`, as texts resemble their images in a trained model.
template <class T>
Tensor<T, 2> similar_unit_rows(const Tensor<T, 2>& of, std::uint64_t seed, double noise = 1) {
  Tensor<T, 2> x = random_matrix<T>(of.extent(0), of.extent(1), seed, noise / std::sqrt(double(of.extent(1))));
  for (Index i = 0; i < x.size(); ++i) x.data()[i] += of.data()[i];
  ops::l2_normalize_forward<T>(x, x, TensorView<T, 1>{});
  return x;
}

/// Memory for the gradients of (n, e) features, and the struct that points to it.
template <class T>
struct GradientMemory {
  GradientMemory(Index n, Index e) : image({n, e}), text({n, e}) {
    image.fill(T(7));  // losses assign
    text.fill(T(7));
    gradients.image_features = image;
    gradients.text_features = text;
  }
  Tensor<T, 2> image, text;
  losses::ContrastiveGradients<T> gradients;
};

/// Z = exp(logit_scale) image text^T + bias, (N, N), in long double.
template <class T>
std::vector<std::vector<long double>> all_logits(const Tensor<T, 2>& image, const Tensor<T, 2>& text,
                                                 double logit_scale, double bias = 0) {
  const auto n = static_cast<std::size_t>(image.extent(0));
  std::vector<std::vector<long double>> z(n, std::vector<long double>(n, bias));
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      long double dot = 0;
      for (Index k = 0; k < image.extent(1); ++k) {
        dot += static_cast<long double>(image(static_cast<Index>(i), k)) * text(static_cast<Index>(j), k);
      }
      z[i][j] += std::exp(static_cast<long double>(logit_scale)) * dot;
    }
  }
  return z;
}

/// What a loss written out over the whole matrix gives: the loss and D = d loss / d Z.
struct WrittenOut {
  long double loss = 0;
  std::vector<std::vector<long double>> d;
};

inline WrittenOut info_nce_written_out(const std::vector<std::vector<long double>>& z) {
  const std::size_t n = z.size();
  const auto count = static_cast<long double>(n);
  WrittenOut result{0, std::vector<std::vector<long double>>(n, std::vector<long double>(n))};
  for (std::size_t i = 0; i < n; ++i) {
    long double row = 0;  // sum over the others of exp(z_ij - z_ii)
    long double column = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (j != i) row += std::exp(z[i][j] - z[i][i]);
      if (j != i) column += std::exp(z[j][i] - z[i][i]);
    }
    result.loss += (std::log1p(row) + std::log1p(column)) / (2 * count);
    for (std::size_t j = 0; j < n; ++j) {
      result.d[i][j] += (j == i ? -row : std::exp(z[i][j] - z[i][i])) / (1 + row) / (2 * count);
      result.d[j][i] += (j == i ? -column : std::exp(z[j][i] - z[i][i])) / (1 + column) / (2 * count);
    }
  }
  return result;
}

inline WrittenOut sigmoid_written_out(const std::vector<std::vector<long double>>& z) {
  const std::size_t n = z.size();
  const auto count = static_cast<long double>(n);
  WrittenOut result{0, std::vector<std::vector<long double>>(n, std::vector<long double>(n))};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      const long double m = i == j ? 1 : -1;
      result.loss += std::log1p(std::exp(-m * z[i][j])) / count;
      result.d[i][j] = -m / (1 + std::exp(m * z[i][j])) / count;
    }
  }
  return result;
}

/// max |actual - expected| / max |expected| of the gradients that follow from D: image, text, logit_scale, logit_bias.
struct GradientErrors {
  double image = 0, text = 0, logit_scale = 0, logit_bias = 0;
};

template <class T>
GradientErrors gradient_errors(const WrittenOut& expected, const std::vector<std::vector<long double>>& z, double bias,
                               double logit_scale, const Tensor<T, 2>& image, const Tensor<T, 2>& text,
                               const losses::ContrastiveGradients<T>& actual) {
  const Index n = image.extent(0);
  const long double s = std::exp(static_cast<long double>(logit_scale));
  long double d_scale = 0, d_bias = 0, largest[2] = {0, 0}, error[2] = {0, 0};
  for (Index i = 0; i < n; ++i) {
    for (Index k = 0; k < image.extent(1); ++k) {
      long double g[2] = {0, 0};
      for (Index j = 0; j < n; ++j) {
        g[0] += s * expected.d[std::size_t(i)][std::size_t(j)] * text(j, k);
        g[1] += s * expected.d[std::size_t(j)][std::size_t(i)] * image(j, k);
      }
      const long double found[2] = {actual.image_features(i, k), actual.text_features(i, k)};
      for (int side = 0; side < 2; ++side) {
        largest[side] = std::max(largest[side], std::abs(g[side]));
        error[side] = std::max(error[side], std::abs(g[side] - found[side]));
      }
    }
    for (Index j = 0; j < n; ++j) {
      d_scale += expected.d[std::size_t(i)][std::size_t(j)] * (z[std::size_t(i)][std::size_t(j)] - bias);
      d_bias += expected.d[std::size_t(i)][std::size_t(j)];
    }
  }
  // float has no numbers for what e^-87 leaves of a gradient.
  const auto relative = [](long double e, long double of) { return static_cast<double>(e / std::max(of, 1e-30L)); };
  return {relative(error[0], largest[0]), relative(error[1], largest[1]),
          relative(std::abs(d_scale - actual.logit_scale), std::abs(d_scale)),
          relative(std::abs(d_bias - actual.logit_bias), std::abs(d_bias))};
}

}  // namespace couplet::test
