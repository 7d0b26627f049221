#pragma once
/// Resize of 8-bit images with the bytes of Pillow (and, by choice, of torchvision).
///
/// Two passes, each rounded to 8 bits: out = clip8((2^(bits-1) + sum_k u8_k K_k) >> bits), weights from resample.hpp. A
/// pass that would not change its size is left out. Images with alpha are premultiplied, resized, un-premultiplied.
#include <bit>
#include <cstring>
#include <span>

#include "couplet/image/image.hpp"
#include "couplet/image/recycled_bytes.hpp"
#include "couplet/image/resample.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// Which pass comes first; it matters for portrait images (bicubic: 10 % of the bytes change, by up to 17).
/// horizontal_first: Pillow up to 12.1, torch; what published models were trained with.
/// pillow13: vertical first if out_h < h and h - out_h > 2 (w - out_w), as Pillow 13.0.
enum class PassOrder { horizontal_first, pillow13 };

struct ResizeOptions {
  Filter filter = Filter::bicubic;
  PassOrder order = PassOrder::horizontal_first;
  ResizeEngine engine = ResizeEngine::pillow;
};

/// Rows [y, y + height) and columns [x, x + width) of an image.
struct Window {
  int y, x, height, width;
};

namespace detail {

/// (height, width, channels) bytes inside the resize; channels is 3 or 4 (with premultiplied alpha).
struct Pixels {
  int height, width;
  std::vector<std::uint8_t> data;
};

inline std::uint8_t clip8(std::int32_t sum, int bits) noexcept {
  return static_cast<std::uint8_t>(std::clamp(sum >> bits, 0, 255));
}

/// Four rows side by side, 4 samples of 16 bits for each row's pixel: 16 samples that share one weight. The fourth
/// sample of a pixel of 3 is whatever follows it and is never used.
template <int channels>
inline void interleave_rows(const std::uint8_t* const (&rows)[4], int width, std::int16_t* out) {
  const auto widen = [](std::uint32_t four, std::int16_t* to) {
    std::uint64_t wide = (four | std::uint64_t{four} << 16) & 0x0000ffff0000ffff;  // bytes 0, 1, 2, 3 of `four` ...
    wide = (wide | wide << 8) & 0x00ff00ff00ff00ff;                                // ... become samples 0, 1, 2, 3
    std::memcpy(to, &wide, 8);
  };
  std::uint32_t four = 0;
  for (int x = 0; x + 1 < width; ++x, out += 16)
    for (int r = 0; r < 4; ++r) {
      std::memcpy(&four, rows[r] + channels * x, 4);
      widen(four, out + 4 * r);
    }
  for (int r = 0; r < 4; ++r) {  // the last pixel: nothing may follow it
    std::memcpy(&four, rows[r] + channels * (width - 1), channels);
    widen(four, out + 4 * r);
  }
}
static_assert(std::endian::native == std::endian::little);

/// Eight 32-bit lanes, whatever the registers: the compiler splits them on baseline machines. (Left to itself, g++ 12
/// needs twice the time at -O3.)
using Lanes [[gnu::vector_size(32)]] = std::int32_t;

[[gnu::always_inline]] inline void multiply_add(Lanes& sum, const std::int16_t* in, std::int32_t weight) noexcept {
  using Samples [[gnu::vector_size(16)]] = std::int16_t;
  Samples samples;
  std::memcpy(&samples, in, sizeof samples);
  sum += __builtin_convertvector(samples, Lanes) * weight;
}

/// One output row from up to four interleaved input rows.
template <int channels>
[[gnu::always_inline]] inline void horizontal_rows(const std::int16_t* samples, const Weights& w, std::uint8_t* out,
                                                   std::ptrdiff_t stride, int rows) {
  const int base = w.lowest();
  for (int x = 0; x < w.count(); ++x) {
    const auto i = static_cast<std::size_t>(x);
    const std::int32_t* weight = w.weights.data() + i * static_cast<std::size_t>(w.taps);
    const std::int16_t* in = samples + 16 * static_cast<std::ptrdiff_t>(w.first[i] - base);
    const std::int32_t half = 1 << (w.bits - 1);
    Lanes sum[2] = {Lanes{} + half, Lanes{} + half};
    for (int k = 0; k < w.size[i]; ++k, in += 16) {
      multiply_add(sum[0], in, weight[k]);
      multiply_add(sum[1], in + 8, weight[k]);
    }
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < channels; ++c) out[r * stride + channels * x + c] = clip8(sum[r / 2][r % 2 * 4 + c], w.bits);
  }
}

/// One output row of `bytes` values from the rows first, first + stride, ... Blocks of constant size become vector code
/// at -O2 too (g++'s "very cheap" cost model).
[[gnu::always_inline]] inline void vertical_row(const std::uint8_t* first, std::ptrdiff_t stride, int size, int bits,
                                                const std::int32_t* weight, int bytes, std::uint8_t* out) {
  int x = 0;
  for (; x + 32 <= bytes; x += 32) {
    std::int32_t sum[32];
    for (int j = 0; j < 32; ++j) sum[j] = 1 << (bits - 1);
    for (int k = 0; k < size; ++k) {
      const std::uint8_t* in = first + k * stride + x;
      for (int j = 0; j < 32; ++j) sum[j] += in[j] * weight[k];
    }
    for (int j = 0; j < 32; ++j) out[x + j] = clip8(sum[j], bits);
  }
  for (; x < bytes; ++x) {
    std::int32_t sum = 1 << (bits - 1);
    for (int k = 0; k < size; ++k) sum += first[k * stride + x] * weight[k];
    out[x] = clip8(sum, bits);
  }
}

// The same loops for the baseline and for AVX2: integers, so the bytes are equal.
template <int channels>
inline void horizontal_baseline(const std::int16_t* in, const Weights& w, std::uint8_t* out, std::ptrdiff_t stride,
                                int rows) {
  horizontal_rows<channels>(in, w, out, stride, rows);
}
inline void vertical_baseline(const std::uint8_t* first, std::ptrdiff_t stride, int size, int bits,
                              const std::int32_t* weight, int bytes, std::uint8_t* out) {
  vertical_row(first, stride, size, bits, weight, bytes, out);
}
#if defined(__x86_64__)
template <int channels>
[[gnu::target("avx2")]] inline void horizontal_avx2(const std::int16_t* in, const Weights& w, std::uint8_t* out,
                                                    std::ptrdiff_t stride, int rows) {
  horizontal_rows<channels>(in, w, out, stride, rows);
}
[[gnu::target("avx2")]] inline void vertical_avx2(const std::uint8_t* first, std::ptrdiff_t stride, int size, int bits,
                                                  const std::int32_t* weight, int bytes, std::uint8_t* out) {
  vertical_row(first, stride, size, bits, weight, bytes, out);
}
inline bool has_avx2() noexcept { return __builtin_cpu_supports("avx2") != 0; }
#else
template <int channels>
inline constexpr auto& horizontal_avx2 = horizontal_baseline<channels>;
inline constexpr auto& vertical_avx2 = vertical_baseline;
inline bool has_avx2() noexcept { return false; }
#endif

/// Columns of the window of an axis, for rows [row, row + rows) of `in`.
template <int channels>
Pixels horizontal_pass(std::span<const std::uint8_t> in, int in_width, int row, int rows, const Weights& w) {
  Pixels out{rows, w.count(), recycled_bytes().take(checked_bytes("resize", rows, w.count(), channels))};
  const int base = w.lowest(), span = w.highest() - base;
  std::vector<std::int16_t> scratch(static_cast<std::size_t>(span) * 16);
  const std::ptrdiff_t in_stride = std::ptrdiff_t{channels} * in_width;
  const std::ptrdiff_t out_stride = std::ptrdiff_t{channels} * w.count();
  const auto run = has_avx2() ? horizontal_avx2<channels> : horizontal_baseline<channels>;
  for (int y = 0; y < rows; y += 4) {
    const std::uint8_t* sources[4];
    for (int r = 0; r < 4; ++r)
      sources[r] = in.data() + (row + std::min(y + r, rows - 1)) * in_stride + std::ptrdiff_t{channels} * base;
    interleave_rows<channels>(sources, span, scratch.data());
    run(scratch.data(), w, out.data.data() + y * out_stride, out_stride, std::min(4, rows - y));
  }
  return out;
}

/// Rows of the window of an axis, for columns [column, column + columns) of `in`, whose row 0 is input sample `base`.
template <int channels>
Pixels vertical_pass(std::span<const std::uint8_t> in, int in_width, int base, int column, int columns,
                     const Weights& w) {
  Pixels out{w.count(), columns, recycled_bytes().take(checked_bytes("resize", w.count(), columns, channels))};
  const std::ptrdiff_t stride = std::ptrdiff_t{channels} * in_width;
  const int bytes = channels * columns;
  const auto run = has_avx2() ? vertical_avx2 : vertical_baseline;
  for (int y = 0; y < w.count(); ++y) {
    const auto i = static_cast<std::size_t>(y);
    run(in.data() + (w.first[i] - base) * stride + std::ptrdiff_t{channels} * column, stride, w.size[i], w.bits,
        w.weights.data() + i * static_cast<std::size_t>(w.taps), bytes, out.data.data() + y * std::ptrdiff_t{bytes});
  }
  return out;
}

/// Rows and columns by index: NEAREST, and windows of an axis that keeps its size.
inline std::vector<std::uint8_t> gather(std::span<const std::uint8_t> in, int in_width, int channels,
                                        const std::vector<int>& rows, const std::vector<int>& columns) {
  const auto step = static_cast<std::size_t>(channels);
  std::vector<std::uint8_t> out(rows.size() * columns.size() * step);
  const bool contiguous = columns.back() - columns.front() + 1 == static_cast<int>(columns.size());
  std::uint8_t* to = out.data();
  for (const int y : rows) {
    const std::uint8_t* row = in.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(in_width) * step;
    if (contiguous) {
      std::memcpy(to, row + static_cast<std::size_t>(columns.front()) * step, columns.size() * step);
      to += columns.size() * step;
    } else {
      for (const int x : columns)
        for (std::size_t c = 0; c < step; ++c) *to++ = row[static_cast<std::size_t>(x) * step + c];
    }
  }
  return out;
}

inline bool vertical_first(PassOrder order, Axis y, Axis x) noexcept {
  return order == PassOrder::pillow13 && y.out < y.in && y.in - y.out > 2 * (x.in - x.out);
}

/// The window of in (y.in, x.in, channels) resized to (y.out, x.out).
template <int channels>
std::vector<std::uint8_t> resize_bytes(std::span<const std::uint8_t> in, Axis y, Axis x, const Window& window,
                                       const ResizeOptions& options) {
  const bool pass_y = y.in != y.out, pass_x = x.in != x.out;
  if (options.filter == Filter::nearest || (!pass_y && !pass_x))
    return gather(in, x.in, channels, nearest_index(y, window.y, window.height),
                  nearest_index(x, window.x, window.width));
  // An axis that keeps its size would have one weight of 1 for each sample: only its window is taken.
  if (!pass_x)
    return vertical_pass<channels>(in, x.in, 0, window.x, window.width,
                                   Weights(options.filter, options.engine, y, window.y, window.height))
        .data;
  const Weights weights_x(options.filter, options.engine, x, window.x, window.width);
  if (!pass_y) return horizontal_pass<channels>(in, x.in, window.y, window.height, weights_x).data;
  const Weights weights_y(options.filter, options.engine, y, window.y, window.height);
  if (vertical_first(options.order, y, x)) {
    Pixels tall = vertical_pass<channels>(in, x.in, 0, 0, x.in, weights_y);
    auto out = horizontal_pass<channels>(tall.data, x.in, 0, window.height, weights_x).data;
    recycled_bytes().give(std::move(tall.data));
    return out;
  }
  const int first = weights_y.lowest();  // only the rows that the second pass reads
  Pixels wide = horizontal_pass<channels>(in, x.in, first, weights_y.highest() - first, weights_x);
  auto out = vertical_pass<channels>(wide.data, wide.width, first, 0, wide.width, weights_y).data;
  recycled_bytes().give(std::move(wide.data));
  return out;
}

/// (H, W, 4): colours multiplied by alpha, and alpha.
inline std::vector<std::uint8_t> premultiplied(const Image& image) {
  std::vector<std::uint8_t> out(image.alpha.size() * 4);
  for (std::size_t i = 0; i < image.alpha.size(); ++i) {
    for (std::size_t c = 0; c < 3; ++c)
      out[4 * i + c] = static_cast<std::uint8_t>(multiply_255(image.pixels[3 * i + c], image.alpha[i]));
    out[4 * i + 3] = image.alpha[i];
  }
  return out;
}

/// The reverse, by Pillow's integers: colours of alpha 0 and 255 stay, others become min(255, 255 c / a).
inline void split_premultiplied(const std::vector<std::uint8_t>& rgba, Image& image) {
  const std::size_t n = rgba.size() / 4;
  image.pixels.resize(3 * n);
  image.alpha.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const int a = rgba[4 * i + 3];
    for (std::size_t c = 0; c < 3; ++c) {
      const int value = rgba[4 * i + c];
      image.pixels[3 * i + c] = static_cast<std::uint8_t>(a == 0 || a == 255 ? value : std::min(255, 255 * value / a));
    }
    image.alpha[i] = static_cast<std::uint8_t>(a);
  }
}

}  // namespace detail

/// The given window of `image` resized to (height, width): the same bytes as a crop of the whole result, without the
/// work for the rest. Throws std::invalid_argument for empty sizes and windows outside the result.
inline Image resize_window(const Image& image, int height, int width, const Window& window,
                           const ResizeOptions& options = {}) {
  check_image("resize", image);
  if (height < 1 || width < 1) fail("resize", "height and width must be > 0, found " + shape_text(height, width));
  if (window.y < 0 || window.x < 0 || window.height < 1 || window.width < 1 || window.height > height - window.y ||
      window.width > width - window.x)
    fail("resize", "the window at " + shape_text(window.y, window.x) + " of size " +
                       shape_text(window.height, window.width) + " is not inside " + shape_text(height, width));
  checked_bytes("resize", window.height, window.width, 4);
  const detail::Axis y{image.height, height}, x{image.width, width};
  Image out{window.width, window.height, {}, {}, image.indexed};
  const bool keeps_size = y.in == y.out && x.in == x.out;
  if (image.alpha.empty()) {
    out.pixels = detail::resize_bytes<3>(image.pixels, y, x, window, options);
  } else if (options.filter == Filter::nearest || keeps_size) {  // Pillow does not premultiply for these
    const auto rows = detail::nearest_index(y, window.y, window.height);
    const auto columns = detail::nearest_index(x, window.x, window.width);
    out.pixels = detail::gather(image.pixels, image.width, 3, rows, columns);
    out.alpha = detail::gather(image.alpha, image.width, 1, rows, columns);
  } else {
    detail::split_premultiplied(detail::resize_bytes<4>(detail::premultiplied(image), y, x, window, options), out);
  }
  return out;
}

/// `image` resized to (height, width), byte for byte as PIL.Image.resize or torchvision's resize of a uint8 tensor.
inline Image resize(const Image& image, int height, int width, const ResizeOptions& options = {}) {
  return resize_window(image, height, width, {0, 0, height, width}, options);
}

/// The window of an image, cut out.
inline Image crop(const Image& image, const Window& window) {
  return resize_window(image, image.height, image.width, window, {Filter::nearest});
}

}  // namespace couplet::inline COUPLET_ABI::image
