#pragma once
/// Cuts images into patches, so that the patch convolution (kernel = stride = p) is one matrix product.
///   pixels (B, 3, H, W)  ->  patches (B gy gx, 3 p p),   gy = floor(H / p), gx = floor(W / p)
/// Rows walk the grid row by row; the columns of a row are (channel, y, x), the order of a flattened convolution weight
/// (C, 3, p, p). Pixels right of and below the grid are not read, as a convolution without padding leaves them.
#include "couplet/core/tensor.hpp"
#include "couplet/ops/operand.hpp"
#include "couplet/ops/row_blocks.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::ops {

namespace detail {

struct PatchGrid {
  Index rows;     ///< gy
  Index columns;  ///< gx
};

inline PatchGrid check_patches(const char* op, const Shape& pixels, Index patch_size, const Shape& patches) {
  if (patch_size < 1) fail(op, "patch_size is " + std::to_string(patch_size));
  const PatchGrid grid{pixels[2] / patch_size, pixels[3] / patch_size};
  const Shape expected{pixels[0] * grid.rows * grid.columns, pixels[1] * patch_size * patch_size};
  if (!(patches == expected)) {
    fail(op, "patches must be " + to_string(expected) + " and are " + to_string(patches) + "; pixels " +
                 to_string(pixels) + ", patch_size " + std::to_string(patch_size));
  }
  return grid;
}

/// Calls f(column, line): the p pixels from `line` belong at `column` of the given row of the patches.
template <class T, class F>
void for_each_patch_line(TensorView<T, 4> pixels, Index patch_size, PatchGrid grid, Index row, F&& f) {
  const Index image = row / (grid.rows * grid.columns);
  const Index top = row / grid.columns % grid.rows * patch_size;
  const Index left = row % grid.columns * patch_size;
  for (Index channel = 0; channel < pixels.extent(1); ++channel) {
    for (Index y = 0; y < patch_size; ++y) {
      f((channel * patch_size + y) * patch_size, &pixels(image, channel, top + y, left));
    }
  }
}

}  // namespace detail

/// pixels: (B, 3, H, W)   patches: (B gy gx, 3 p p)
template <class T>
void image_to_patches(TensorView<const T, 4> pixels, Index patch_size, const Operand<T>& patches) {
  const TensorView<T, 2> out = patches.view();
  const auto grid = detail::check_patches("image_to_patches", pixels.shape(), patch_size, out.shape());
  parallel_row_blocks(out.extent(0), out.extent(1), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      detail::for_each_patch_line(pixels, patch_size, grid, row, [&](Index column, const T* line) {
        std::copy_n(line, patch_size, out[row].data() + column);
      });
    }
  });
}

/// The transpose: dpixels, assigned, is 0 where no patch lies.   dpatches: (B gy gx, 3 p p)   dpixels: (B, 3, H, W)
template <class T>
void patches_to_image(TensorView<const T, 2> dpatches, Index patch_size, TensorView<T, 4> dpixels) {
  const auto grid = detail::check_patches("patches_to_image", dpixels.shape(), patch_size, dpatches.shape());
  parallel_for(dpixels.extent(0) * dpixels.extent(1), [&](Index i) {
    const TensorView<T, 2> plane = dpixels[i / dpixels.extent(1)][i % dpixels.extent(1)];
    for (Index y = 0; y < plane.extent(0); ++y) std::fill_n(plane[y].data(), plane.extent(1), T(0));
  });
  parallel_row_blocks(dpatches.extent(0), dpatches.extent(1), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      detail::for_each_patch_line(dpixels, patch_size, grid, row, [&](Index column, T* line) {
        std::copy_n(dpatches[row].data() + column, patch_size, line);
      });
    }
  });
}

}  // namespace couplet::inline COUPLET_ABI::ops
