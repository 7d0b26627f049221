#pragma once
/// How the contrastive losses go over the N x N matrix of similarities without holding it.
///
/// Blocks of 256 images x 4096 texts are formed one after the other, each by one product; the texts of a block are
/// packed once for all images. The columns of a block are divided among threads in tiles of 256. The gradient of a
/// block, written over it, goes at once into d image_features (its rows) and d text_features (its columns). The grid is
/// fixed and blocks are added in order, so the bits do not depend on the number of threads. Memory beyond the caller's
/// is one block and a few numbers per pair.
#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>

#include "couplet/core/parallel.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/core/workspace.hpp"
#include "couplet/ops/packed_factor.hpp"
#include "couplet/ops/shapes.hpp"
#include "couplet/simd/reduce.hpp"

namespace couplet::inline COUPLET_ABI::losses {

/// Where a loss writes its gradients; all are assigned. image_features, text_features: (N, E)
template <class T>
struct ContrastiveGradients {
  TensorView<T, 2> image_features{};
  TensorView<T, 2> text_features{};
  T logit_scale = 0;  ///< with respect to the scale in log space
  T logit_bias = 0;   ///< 0 for InfoNCE, which no bias changes
};

namespace detail {

inline constexpr Index block_rows = 256;
inline constexpr Index block_columns = 4096;
inline constexpr Index tile_columns = 256;

/// A sum in the written order: nothing that the optimiser may regroup, -ffast-math or not.
class OrderedSum {
 public:
  void add(double term) {
    value_ += term;
#if defined(__SSE2__)
    asm("" : "+x"(value_));
#else
    asm("" : "+m"(value_));
#endif
  }
  [[nodiscard]] double value() const { return value_; }

 private:
  double value_ = 0;
};

/// Added in double.
template <class T>
double squared_length(const T* x, Index count) {
  if constexpr (std::is_same_v<T, float>) return simd::reduce_kernels().dot(x, x, count);
  double squares = 0;
  for (Index i = 0; i < count; ++i) squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return squares;
}

/// Images and texts as unit vectors, exp(logit_scale) and the bias, checked: N pairs or, of N pairs that are divided
/// among processes, M consecutive images and texts that stand elsewhere in the order (shared_pairs.hpp).
template <class T>
struct Pairs {
  TensorView<const T, 2> image;  ///< (M, E), the rows of the matrix of similarities
  TensorView<const T, 2> text;   ///< (K, E), its columns
  T scale;
  T bias;
  Index count;              ///< N
  Index first_image = 0;    ///< which of the N pairs image 0 belongs to
  Index first_text = 0;     ///< the same of text 0
  bool accumulate = false;  ///< d image_features has the share of other texts already
  Precision precision;      ///< of the products
  T masked;                 ///< a similarity so low that its logit's exponential is nothing beside any other's

  Pairs(const char* op, TensorView<const T, 2> image_features, TensorView<const T, 2> text_features, T logit_scale,
        T logit_bias, Precision product_precision)
      : image(image_features),
        text(text_features),
        bias(logit_bias),
        count(image_features.extent(0)),
        precision(product_precision) {
    ops::require_equal_shapes(op, "image_features", image, "text_features", text);
    if (image.empty()) fail(op, "no pairs: " + ops::shapes_text("image_features", image));
    require_range(op, "logit_scale", logit_scale, -20, 20);
    require_range(op, "logit_bias", logit_bias, -1e6, 1e6);
    require_unit_rows(op, "image_features", image);
    require_unit_rows(op, "text_features", text);
    scale = std::exp(logit_scale);
    masked = -(T(100) + (T(2000) + std::abs(bias)) / scale);
  }

 private:
  /// Up to e^20 the rounding of a logit in float stays below the 88 that its exponential bears.
  static void require_range(const char* op, const char* name, T value, double low, double high) {
    if (value >= static_cast<T>(low) && value <= static_cast<T>(high)) return;
    fail(op, std::string(name) + " must be in [" + std::to_string(low) + ", " + std::to_string(high) + "], not " +
                 std::to_string(value));
  }
  /// Rows that nobody normalised are a mistake. Rows of zeros pass (the normalised form of a zero vector), and so does
  /// a NaN: it makes the loss NaN, for whoever watches over the training.
  static void require_unit_rows(const char* op, const char* name, TensorView<const T, 2> rows) {
    for (Index r = 0; r < rows.extent(0); ++r) {
      const double squares = squared_length(rows[r].data(), rows.extent(1));
      if (squares > 1.21) {
        fail(op, "normalise the features: row " + std::to_string(r) + " of " + name + " has length " +
                     std::to_string(std::sqrt(squares)));
      }
    }
  }
};

/// A part of the matrix of similarities: rows (images) from `row` on, columns (texts) from `column` on.
template <class T>
struct Block {
  TensorView<T, 2> s;
  Index row;
  Index column;
  Index pair_offset;                 ///< image i and text i + pair_offset are a pair
  const ops::PackedFactor<T>* text;  ///< (columns, E), packed; in backward passes

  [[nodiscard]] Index rows() const { return s.extent(0); }
  [[nodiscard]] Index columns() const { return s.extent(1); }
  [[nodiscard]] Index tiles() const { return (columns() + tile_columns - 1) / tile_columns; }
  [[nodiscard]] Block tile(Index i) const {
    const Index begin = i * tile_columns;
    return {s.columns(begin, std::min(begin + tile_columns, columns())), row, column + begin, pair_offset, nullptr};
  }
  /// f(r, c) for the elements s(r, c) that belong to a true pair, in order; the image is row + r.
  template <class F>
  void for_each_pair(F&& f) const {
    const Index first = column - pair_offset;  // the image of text `column`
    const Index end = std::min(row + rows(), first + columns());
    for (Index i = std::max(row, first); i < end; ++i) f(i - row, i - first);
  }
};

/// Whether a pass over the blocks ends in gradients.
enum class Pass { forward, backward };

/// f(block) for all blocks: block.s holds the similarities and may be overwritten. Texts outside, images inside: every
/// row and every column meets its blocks in rising order.
template <class T, class F>
void for_each_block(const Pairs<T>& pairs, Pass pass, Workspace& workspace, F&& f) {
  const Workspace::Scope scope(workspace);
  const Index images = pairs.image.extent(0);
  const Index texts = pairs.text.extent(0);
  const Index height = std::min(images, block_rows);
  const Index width = std::min(texts, block_columns);
  // One cache line more per row: rows a power of two apart would compete for the same sets of the cache.
  const Index stride = width + static_cast<Index>(alignment / sizeof(T));
  const TensorView<T, 2> memory(workspace.take<T>(height * stride), {height, width}, {stride, 1});
  for (Index j = 0; j < texts; j += block_columns) {
    const Workspace::Scope texts_scope(workspace);
    const Index j_end = std::min(j + block_columns, texts);
    const TensorView<const T, 2> text = pairs.text.slice(j, j_end);
    const ops::PackedFactor<T> columns({text, true}, pairs.precision, workspace);
    std::optional<ops::PackedFactor<T>> rows;
    if (pass == Pass::backward) rows.emplace(ops::Factor<T>{text}, pairs.precision, workspace);
    for (Index i = 0; i < images; i += block_rows) {
      const Index i_end = std::min(i + block_rows, images);
      const Block<T> block{memory.slice(0, i_end - i).columns(0, j_end - j), i, j, pairs.first_image - pairs.first_text,
                           rows ? &*rows : nullptr};
      columns.multiply({pairs.image.slice(i, i_end)}, block.s, false, workspace);
      f(block);
    }
  }
}

/// Shapes of the gradients checked, d text_features zero: ready for add_block_gradient().
template <class T>
void begin_gradients(const char* op, const Pairs<T>& pairs, ContrastiveGradients<T>& gradients) {
  ops::require_equal_shapes(op, "image_features", pairs.image, "its gradient", gradients.image_features);
  ops::require_equal_shapes(op, "text_features", pairs.text, "its gradient", gradients.text_features);
  for (Index i = 0; i < pairs.text.extent(0); ++i) {
    std::fill_n(gradients.text_features[i].data(), pairs.text.extent(1), T(0));
  }
}

/// With G = d loss / d S in `block`:  d text_features += G^T image_features,  d image_features += G text_features (and
/// = in the first block of a row of blocks, unless pairs.accumulate).
template <class T>
void add_block_gradient(const Pairs<T>& pairs, const Block<T>& block, ContrastiveGradients<T>& gradients,
                        Workspace& workspace) {
  const Index i_end = block.row + block.rows();
  const Index j_end = block.column + block.columns();
  const auto image = pairs.image.slice(block.row, i_end);
  ops::multiply<T>({block.s, true}, {image}, gradients.text_features.slice(block.column, j_end), true, pairs.precision,
                   workspace);
  block.text->multiply({block.s}, gradients.image_features.slice(block.row, i_end),
                       block.column > 0 || pairs.accumulate, workspace);
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::losses
