#pragma once
/// Small PNG and JPEG files made here: the raw material of the decoder tests.
#include <array>
#include <string>
#include <vector>

#include "couplet/image/encode.hpp"

namespace couplet::test {

inline image::Bytes bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

inline std::string number32(std::uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
  return out;
}

inline std::string chunk(std::string_view type, std::string_view data) {
  std::string out;
  image::detail::put_chunk(out, type, data);
  return out;
}

/// A zlib stream of stored blocks.
inline std::string stored(const std::string& data) {
  std::string out("\x78\x01", 2);
  for (std::size_t i = 0; i == 0 || i < data.size(); i += 65535) {
    const std::string block = data.substr(i, 65535);
    const auto size = static_cast<unsigned>(block.size());
    out += i + 65535 >= data.size() ? '\x01' : '\x00';
    for (const unsigned n : {size, ~size}) (out += static_cast<char>(n & 0xff)) += static_cast<char>(n >> 8 & 0xff);
    out += block;
  }
  return out + number32(image::adler32({reinterpret_cast<const std::uint8_t*>(data.data()), data.size()}));
}

/// The parts of a PNG file, each of which a test may change before it is put together.
struct PngParts {
  std::uint32_t width = 4, height = 3;
  char depth = 8, color_type = 2, compression = 0, filter = 0, interlace = 0;
  std::string before_data = {};  ///< chunks between IHDR and IDAT
  std::string rows = {};         ///< filter byte and samples of each row

  [[nodiscard]] std::string header() const {
    return number32(width) + number32(height) + std::string{depth, color_type, compression, filter, interlace};
  }
  [[nodiscard]] std::string bytes() const {
    return std::string("\x89PNG\r\n\x1a\n", 8) + chunk("IHDR", header()) + before_data + chunk("IDAT", stored(rows)) +
           chunk("IEND", {});
  }
};

/// Filter 0 in front of each row of `samples`.
inline std::string plain_rows(const std::string& samples, std::size_t stride) {
  std::string out;
  for (std::size_t i = 0; i < samples.size(); i += stride) out += '\0' + samples.substr(i, stride);
  return out;
}

/// A baseline JPEG of flat 8x8 blocks, grey or YCbCr 4:4:4, with the quantisation step 8: each DC difference is 0 or
/// one of +-1 ... +-7 by a code of the lengths below.
struct JpegParts {
  int width = 16, height = 16, components = 1;
  std::vector<int> levels = {};  ///< DC of each block in scan order, in steps of 8 (-128 / 8 ... 127 / 8)

  static std::string segment(int marker, const std::string& content) {
    const auto size = static_cast<unsigned>(content.size() + 2);
    return std::string{'\xff', static_cast<char>(marker), static_cast<char>(size >> 8),
                       static_cast<char>(size & 0xff)} +
           content;
  }
  [[nodiscard]] std::string quantization() const {
    return segment(0xDB, std::string(1, '\0') + std::string(64, '\x08'));
  }
  [[nodiscard]] std::string frame(char marker = '\xC0') const {
    std::string content{'\x08',
                        static_cast<char>(height >> 8),
                        static_cast<char>(height & 0xff),
                        static_cast<char>(width >> 8),
                        static_cast<char>(width & 0xff),
                        static_cast<char>(components)};
    for (int c = 1; c <= components; ++c) content += std::string{static_cast<char>(c), '\x11', '\0'};
    return segment(static_cast<unsigned char>(marker), content);
  }
  /// DC: categories 0 to 7 with three bits each (000 ... 110) and four for the last; AC: the end of a block is "0".
  [[nodiscard]] std::string huffman() const {
    const std::string dc_counts("\0\0\7\1\0\0\0\0\0\0\0\0\0\0\0\0", 16),
        ac_counts("\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    return segment(0xC4, '\0' + dc_counts + std::string("\0\1\2\3\4\5\6\7", 8)) +
           segment(0xC4, '\x10' + ac_counts + std::string(1, '\0'));
  }
  [[nodiscard]] std::string scan_header() const {
    std::string content(1, static_cast<char>(components));
    for (int c = 1; c <= components; ++c) content += std::string{static_cast<char>(c), '\0'};
    return segment(0xDA, content + std::string("\0\x3f\0", 3));
  }
  [[nodiscard]] std::string entropy() const {
    std::string bits;
    std::array<int, 4> last{};
    for (std::size_t i = 0; i < levels.size(); ++i) {
      int& previous = last[i % static_cast<std::size_t>(components)];
      const int difference = levels[i] - previous, magnitude = difference < 0 ? -difference : difference;
      previous = levels[i];
      const int category = static_cast<int>(std::bit_width(static_cast<unsigned>(magnitude)));
      const auto put = [&bits](int value, int count) {
        for (int b = count - 1; b >= 0; --b) bits += (value >> b & 1) != 0 ? '1' : '0';
      };
      put(category < 7 ? category : 14, category < 7 ? 3 : 4);
      put(difference < 0 ? difference + (1 << category) - 1 : difference, category);
      bits += '0';  // end of block
    }
    bits.resize((bits.size() + 7) / 8 * 8, '1');
    std::string out;
    for (std::size_t i = 0; i < bits.size(); i += 8) {
      int byte = 0;
      for (std::size_t b = 0; b < 8; ++b) byte = 2 * byte + (bits[i + b] - '0');
      out += static_cast<char>(byte);
      if (byte == 0xff) out += '\0';
    }
    return out;
  }
  [[nodiscard]] std::string bytes() const {
    return "\xff\xd8" + quantization() + frame() + huffman() + scan_header() + entropy() + "\xff\xd9";
  }
};

/// The JPEG above with 2 x 2 blocks of chosen grey.
inline JpegParts grey_jpeg() {
  JpegParts jpeg;
  jpeg.levels = {-10, 0, 5, 100};
  return jpeg;
}
inline JpegParts color_jpeg() {
  JpegParts jpeg;
  jpeg.components = 3;
  jpeg.levels = {-10, 3, 4, 0, 20, -20, 5, 0, 0, 100, -50, 60};
  return jpeg;
}

/// An Exif segment (JPEG) with this orientation, in either byte order.
inline std::string exif_tiff(int orientation, bool little) {
  const auto value = static_cast<char>(orientation);
  if (little) return std::string("II*\0\10\0\0\0\1\0\x12\1\3\0\1\0\0\0", 18) + value + std::string("\0\0\0\0\0\0\0", 7);
  return std::string("MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0", 19) + value + std::string("\0\0\0\0\0\0", 6);
}

}  // namespace couplet::test
