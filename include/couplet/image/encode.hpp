#pragma once
/// A small PNG writer (8-bit RGB, or RGBA when the image has alpha), for reports and generated data, and base64.
///
/// Each row takes the filter with the smallest sum of absolute differences; the zlib stream is one block of fixed
/// Huffman codes with greedy matches found through a hash of three bytes. Files are about 1.3 times those of zlib.
/// References: RFC 1950, RFC 1951, the PNG specification (W3C, 2003).
#include <bit>
#include <string>
#include <string_view>

#include "couplet/image/checksum.hpp"
#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::image {

namespace detail {

/// Bits are packed from the least significant one upwards, Huffman codes most significant bit first.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}
  void bits(std::uint32_t value, int count) {
    buffer_ |= std::uint64_t{value} << filled_;
    for (filled_ += count; filled_ >= 8; filled_ -= 8, buffer_ >>= 8) out_ += static_cast<char>(buffer_ & 0xff);
  }
  void code(std::uint32_t value, int count) {
    std::uint32_t reversed = 0;
    for (int i = 0; i < count; ++i) reversed |= (value >> i & 1) << (count - 1 - i);
    bits(reversed, count);
  }
  void finish() { bits(0, (8 - filled_) % 8); }

 private:
  std::string& out_;
  std::uint64_t buffer_ = 0;
  int filled_ = 0;
};

/// A literal (0-255), the end of the block (256) or a length (257-285), in the fixed code of RFC 1951, 3.2.6.
inline void put_symbol(BitWriter& to, std::uint32_t symbol) {
  if (symbol < 144)
    to.code(0x30 + symbol, 8);
  else if (symbol < 256)
    to.code(0x190 + symbol - 144, 9);
  else if (symbol < 280)
    to.code(symbol - 256, 7);
  else
    to.code(0xc0 + symbol - 280, 8);
}

/// A match of `length` (3-258) at `distance` (1-32768): codes and extra bits double in range every 4 (or 2) codes.
inline void put_match(BitWriter& to, std::uint32_t length, std::uint32_t distance) {
  const std::uint32_t l = length - 3, d = distance - 1;
  if (length == 258) {
    put_symbol(to, 285);
  } else if (l < 8) {
    put_symbol(to, 257 + l);
  } else {
    const int extra = static_cast<int>(std::bit_width(l)) - 3;
    put_symbol(to, 257 + 4 * static_cast<std::uint32_t>(extra) + (l >> extra));
    to.bits(l & ((1u << extra) - 1), extra);
  }
  if (d < 4) {
    to.code(d, 5);
  } else {
    const int extra = static_cast<int>(std::bit_width(d)) - 2;
    to.code(2 * static_cast<std::uint32_t>(extra) + (d >> extra), 5);
    to.bits(d & ((1u << extra) - 1), extra);
  }
}

/// A zlib stream of `data`: one block of fixed Huffman codes.
inline std::string zlib_compressed(std::span<const std::uint8_t> data) {
  std::string out("\x78\x5e", 2);
  BitWriter to(out);
  to.bits(1 | 1 << 1, 3);  // last block, fixed codes
  std::vector<std::size_t> last(1u << 15, data.size());
  for (std::size_t i = 0; i < data.size();) {
    std::size_t length = 0, distance = 0;
    if (i + 3 <= data.size()) {
      const std::uint32_t three = data[i] | std::uint32_t{data[i + 1]} << 8 | std::uint32_t{data[i + 2]} << 16;
      std::size_t& seen = last[(three * 0x9E3779B1u) >> 17];
      if (seen < i && i - seen <= 32768) {
        distance = i - seen;
        while (length < 258 && i + length < data.size() && data[seen + length] == data[i + length]) ++length;
      }
      seen = i;
    }
    if (length >= 3) {
      put_match(to, static_cast<std::uint32_t>(length), static_cast<std::uint32_t>(distance));
      i += length;
    } else {
      put_symbol(to, data[i++]);
    }
  }
  put_symbol(to, 256);
  to.finish();
  const std::uint32_t adler = adler32(data);
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(adler >> shift & 0xff);
  return out;
}

/// PNG's predictor of filter 4.
constexpr int paeth(int left, int up, int corner) noexcept {
  const int p = left + up - corner;
  const int a = p < left ? left - p : p - left, b = p < up ? up - p : p - up;
  const int c = p < corner ? corner - p : p - corner;
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/// row minus what `filter` (0 none, 1 sub, 2 up, 3 average, 4 Paeth) predicts from the left and from `above`.
inline void filter_row(int filter, std::span<const std::uint8_t> row, const std::uint8_t* above, std::size_t step,
                       std::uint8_t* out) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    const int left = i < step ? 0 : row[i - step];
    const int up = above == nullptr ? 0 : above[i];
    const int corner = i < step || above == nullptr ? 0 : above[i - step];
    const int predicted[5] = {0, left, up, (left + up) / 2, paeth(left, up, corner)};
    out[i] = static_cast<std::uint8_t>(row[i] - predicted[filter]);
  }
}

inline void put_chunk(std::string& out, std::string_view type, std::string_view data) {
  const auto number = [&out](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  };
  number(static_cast<std::uint32_t>(data.size()));
  const std::size_t begin = out.size();
  out.append(type).append(data);
  number(crc32({reinterpret_cast<const std::uint8_t*>(out.data()) + begin, out.size() - begin}));
}

/// All rows, each with its filter byte in front; filter -1 chooses for each row.
inline std::vector<std::uint8_t> filtered_rows(std::span<const std::uint8_t> pixels, std::size_t stride,
                                               std::size_t step, int filter) {
  std::vector<std::uint8_t> out, candidate(stride);
  for (std::size_t at = 0; at < pixels.size(); at += stride) {
    const auto row = pixels.subspan(at, stride);
    const std::uint8_t* above = at == 0 ? nullptr : pixels.data() + at - stride;
    int best = filter;
    long least = -1;
    for (int f = 0; filter < 0 && f < 5; ++f) {
      filter_row(f, row, above, step, candidate.data());
      long sum = 0;
      for (const std::uint8_t byte : candidate) sum += byte < 128 ? byte : 256 - byte;
      if (least < 0 || sum < least) {
        least = sum;
        best = f;
      }
    }
    out.push_back(static_cast<std::uint8_t>(best));
    out.resize(out.size() + stride);
    filter_row(best, row, above, step, out.data() + out.size() - stride);
  }
  return out;
}

inline std::string encode_png(const Image& image, int filter) {
  check_image("encode_png", image);
  const bool rgba = !image.alpha.empty();
  const std::size_t step = rgba ? 4 : 3;
  std::vector<std::uint8_t> four;
  for (std::size_t i = 0; i < image.alpha.size(); ++i) {
    four.insert(four.end(), image.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i),
                image.pixels.begin() + static_cast<std::ptrdiff_t>(3 * i + 3));
    four.push_back(image.alpha[i]);
  }
  std::string header;
  for (const int side : {image.width, image.height})
    for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(side >> shift & 0xff);
  header += '\x08';                  // bits a sample
  header += rgba ? '\x06' : '\x02';  // colour type
  header.append("\0\0\0", 3);        // deflate, adaptive filters, not interlaced
  const auto rows =
      filtered_rows(rgba ? four : image.pixels, static_cast<std::size_t>(image.width) * step, step, filter);
  std::string out("\x89PNG\r\n\x1a\n", 8);
  put_chunk(out, "IHDR", header);
  put_chunk(out, "IDAT", zlib_compressed(rows));
  put_chunk(out, "IEND", {});
  return out;
}

}  // namespace detail

/// The bytes of a PNG file. Decodes to an equal image. std::invalid_argument: sizes that do not fit the buffers.
inline std::string encode_png(const Image& image) { return detail::encode_png(image, -1); }

/// RFC 4648, with padding.
inline std::string base64(std::string_view bytes) {
  static constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = bytes.size() - i < 3 ? bytes.size() - i : 3;
    std::uint32_t three = 0;
    for (std::size_t k = 0; k < 3; ++k) three = three << 8 | (k < n ? static_cast<std::uint8_t>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= n ? digits[three >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::image
