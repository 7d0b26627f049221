#pragma once
/// Convolution of images without a bias, as torch.nn.Conv2d(..., padding=(k - 1) / 2): k odd, zeros around the image.
///   y[b, i, j, o] = sum over ky, kx, c of  W[o, ky, kx, c] x[b, s i + ky - p, s j + kx - p, c],    p = (k - 1) / 2
///
/// Images are rows of pixels (ops/feature_map.hpp), so every output pixel is one row of a product
///   y (R, O) = patches (R, k k C) W^T,      columns of a patch in the order (ky, kx, c)
/// Patches are laid out a block of rows at a time, small enough for the cache, and never for the whole batch; a 1 x 1
/// convolution with stride 1 reads x itself.
///
///   backward, s = 1    dx = the convolution of dy with W turned by 180 degrees, inputs and outputs exchanged
///                      dW += dy^T patches, rows in order from row 0
#include <algorithm>

#include "couplet/ops/feature_map.hpp"
#include "couplet/ops/linear.hpp"

namespace couplet::inline COUPLET_ABI::ops {

/// What a convolution does to the images of a map.
struct Convolution {
  FeatureMap map;  ///< of x
  Index kernel = 1;
  Index stride = 1;

  [[nodiscard]] FeatureMap output() const {
    return {map.batch, (map.height - 1) / stride + 1, (map.width - 1) / stride + 1};
  }
  /// Whether patches are the pixels themselves.
  [[nodiscard]] bool pointwise() const { return kernel == 1 && stride == 1; }
};

namespace detail {

/// Elements of a block of patches: 2 MiB of float.
inline constexpr Index patch_block_elements = Index{1} << 19;

inline void check_conv2d(const char* op, const Convolution& conv, const Shape& x, const Shape& y) {
  if (conv.kernel >= 1 && conv.kernel % 2 == 1 && conv.stride >= 1 && x[0] == conv.map.rows() &&
      y[0] == conv.output().rows()) {
    return;
  }
  fail(op, "shapes do not fit: x " + couplet::to_string(x) + ", y " + couplet::to_string(y) + ", " +
               to_string(conv.map) + ", kernel " + std::to_string(conv.kernel) + ", stride " +
               std::to_string(conv.stride));
}

/// One patch: for each line of the kernel, the pixels inside the image lie side by side.   patch: (k k C)
template <class T>
void copy_patch(TensorView<const T, 2> x, const Convolution& conv, Index row, T* patch) {
  const auto& [map, kernel, stride] = conv;
  const FeatureMap out = conv.output();
  const Index channels = x.extent(1);
  const Index image = row / out.pixels();
  const Index top = row % out.pixels() / out.width * stride - (kernel - 1) / 2;
  const Index left = row % out.width * stride - (kernel - 1) / 2;
  const Index begin = std::max<Index>(0, -left);
  const Index end = std::min(kernel, map.width - left);
  for (Index ky = 0; ky < kernel; ++ky, patch += kernel * channels) {
    const Index y = top + ky;
    if (y < 0 || y >= map.height) {
      std::fill_n(patch, kernel * channels, T(0));
      continue;
    }
    std::fill_n(patch, begin * channels, T(0));
    const TensorView<const T, 2> line = x.slice((image * map.height + y) * map.width, x.extent(0));
    for (Index kx = begin; kx < end; ++kx) std::copy_n(line[left + kx].data(), channels, patch + kx * channels);
    std::fill_n(patch + end * channels, (kernel - end) * channels, T(0));
  }
}

/// Rows [begin, end) of the patches.
template <class T>
void copy_patches(TensorView<const T, 2> x, const Convolution& conv, Index begin, Index end, const Operand<T>& out) {
  for (Index row = begin; row < end; ++row) {
    out.write_row(row - begin, [&](T* patch) { copy_patch(x, conv, row, patch); });
  }
}

/// Calls f(begin, end, patches, workspace) for blocks of output rows, in parallel; `precision` is that of the product
/// that reads the patches.
template <class T, class F>
void for_each_patch_block(TensorView<const T, 2> x, const Convolution& conv, Precision precision, Workspace& workspace,
                          F&& f) {
  const Index rows = conv.output().rows();
  const Index columns = conv.kernel * conv.kernel * x.extent(1);
  const Index share = (rows + available_threads() - 1) / available_threads();
  const Index in_cache = std::max<Index>(64, patch_block_elements / columns);
  const Index block = std::max<Index>(1, (std::min(share, in_cache) + 15) / 16 * 16);
  parallel_for(workspace, (rows + block - 1) / block, [&](Index i, Workspace& local) {
    const Index begin = i * block;
    const Index end = std::min(rows, begin + block);
    const Workspace::Scope scope(local);
    const Operand<T> patches(local, end - begin, columns, precision);
    copy_patches(x, conv, begin, end, patches);
    f(begin, end, patches, local);
  });
}

}  // namespace detail

/// y = f(conv(x) + b), or y += f(conv(x) + b).   x: (B H W, C)   weight: (O, k k C), packed   y: (B H' W', O)
template <class T>
void conv2d_forward(const Operand<T>& x, const Convolution& conv, const PackedWeight<T>& weight,
                    const Epilogue<T>& epilogue, TensorView<T, 2> y, Workspace& workspace) {
  detail::check_conv2d("conv2d", conv, Shape{x.rows(), x.columns()}, y.shape());
  if (epilogue.preactivation.data() != nullptr) fail("conv2d", "the preactivation is not kept");
  if (conv.pointwise()) return linear_forward(x, weight, epilogue, y, workspace);
  detail::for_each_patch_block<T>(x.view(), conv, weight.precision(), workspace,
                                  [&](Index begin, Index end, const Operand<T>& patches, Workspace& local) {
                                    linear_forward(patches, weight, epilogue, y.slice(begin, end), local);
                                  });
}

/// y = conv(x) with a weight that is not packed, as training needs it.   x: (B H W, C)   weight: (O, k k C)
/// y: (B H' W', O)
template <class T>
void conv2d(TensorView<const T, 2> x, const Convolution& conv, TensorView<const T, 2> weight, TensorView<T, 2> y,
            Workspace& workspace, Precision precision = Precision::float32) {
  detail::check_conv2d("conv2d", conv, x.shape(), y.shape());
  const Workspace::Scope scope(workspace);
  const PackedFactor<T> factor({weight, true}, precision, workspace);
  if (conv.pointwise()) return factor.multiply({x}, y, false, workspace);
  detail::for_each_patch_block<T>(x, conv, Precision::float32, workspace,
                                  [&](Index begin, Index end, const Operand<T>& patches, Workspace& local) {
                                    factor.multiply({patches.view()}, y.slice(begin, end), false, local);
                                  });
}

/// dW += dy^T patches.   dy: (B H' W', O)   x: (B H W, C)   dweight: (O, k k C)
template <class T>
void conv2d_backward_weight(TensorView<const T, 2> dy, TensorView<const T, 2> x, const Convolution& conv,
                            TensorView<T, 2> dweight, Workspace& workspace, Precision precision = Precision::float32) {
  detail::check_conv2d("conv2d backward", conv, x.shape(), dy.shape());
  if (conv.pointwise()) return linear_backward_weight(dy, x, dweight, workspace, precision);
  const Index columns = conv.kernel * conv.kernel * x.extent(1);
  const Index block = std::max<Index>(1, 4 * detail::patch_block_elements / columns / rows_per_sum) * rows_per_sum;
  const Workspace::Scope scope(workspace);
  const Operand<T> patches(workspace, std::min(block, dy.extent(0)), columns);
  for (Index begin = 0; begin < dy.extent(0); begin += block) {
    const Index end = std::min(dy.extent(0), begin + block);
    parallel_row_blocks(end - begin, columns, [&](Index first, Index last) {
      for (Index r = first; r < last; ++r) detail::copy_patch(x, conv, begin + r, patches.view()[r].data());
    });
    linear_backward_weight<T>(dy.slice(begin, end), patches.view().slice(0, end - begin), dweight, workspace,
                              precision);
  }
}

}  // namespace couplet::inline COUPLET_ABI::ops
