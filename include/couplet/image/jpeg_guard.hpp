#pragma once
/// Everything about a JPEG file that can be checked before a decoder sees it: markers and segment lengths, frame
/// header, Huffman and quantisation tables, scans and what they refer to, and that the data ends with EOI.
///
/// Accepted: baseline, extended (8 bit) and progressive Huffman JPEG with 1, 3 or 4 components and whole ratios of
/// sampling. Bytes after EOI and unreadable metadata are ignored. Damage inside entropy-coded data is the decoder's to
/// find. Reference: ITU-T T.81, annexes B and C.
#include <array>

#include "couplet/image/guard.hpp"

namespace couplet::inline COUPLET_ABI::image {

/// What the walk learnt.
struct JpegFile {
  int width = 0, height = 0;
  int components = 0;
  bool progressive = false;
  bool jfif = false;
  int adobe_transform = -1;           ///< of the Adobe segment: 0 RGB or CMYK, 1 YCbCr, 2 YCCK; -1 without one
  std::array<std::uint8_t, 4> ids{};  ///< of the components
  bool largest_table = false;         ///< a Huffman table of 256 symbols
  Bytes exif;                         ///< the TIFF block of the first Exif segment
  std::size_t end = 0;                ///< just after EOI

  /// 'R', 'G', 'B' as ids of the components.
  [[nodiscard]] bool rgb_ids() const noexcept {
    return components == 3 && ids[0] == 'R' && ids[1] == 'G' && ids[2] == 'B';
  }
};

namespace detail {

class JpegWalk {
 public:
  JpegWalk(Bytes file, const DecodeLimits& limits, std::string_view path) : file_(file), limits_(limits), path_(path) {}

  JpegFile run() {
    at_ = 2;  // after SOI
    for (int marker = next_marker(); marker != 0xD9; marker = next_marker()) segment(marker);
    if (scans_ == 0) error("no image data before EOI");
    jpeg_.end = at_;
    return jpeg_;
  }

 private:
  [[noreturn]] void error(const std::string& what) const { bad_image(path_, "JPEG: " + what); }

  static constexpr const char* truncated = "the file is truncated: the end-of-image marker is missing";

  /// The marker at the current position, after any number of fill bytes.
  int next_marker() {
    if (at_ >= file_.size()) error(truncated);
    if (file_[at_] != 0xFF) error("expected a marker at byte " + std::to_string(at_));
    while (at_ < file_.size() && file_[at_] == 0xFF) ++at_;
    if (at_ >= file_.size()) error(truncated);
    return file_[at_++];
  }

  void segment(int marker) {
    if (marker < 0xC0 || (marker >= 0xD0 && marker <= 0xD8)) error("unexpected marker " + std::to_string(marker));
    if (file_.size() - at_ < 2) error(truncated);
    const std::size_t length = big16(file_, at_);
    if (length < 2) error("a segment of length " + std::to_string(length));
    if (length > file_.size() - at_) error("the file is truncated: it ends inside a segment");
    const Bytes content = file_.subspan(at_ + 2, length - 2);
    at_ += length;
    if (marker == 0xC4) {
      huffman_tables(content);
    } else if (marker == 0xDB) {
      quantization_tables(content);
    } else if (marker == 0xDA) {
      scan(content);
    } else if (marker == 0xDC) {
      error("a height given after the first scan (DNL) is not supported");
    } else if (marker < 0xD0) {
      frame(marker, content);
    } else if (marker == 0xDD) {
      if (content.size() != 2) error("DRI of " + std::to_string(content.size()) + " bytes");
    } else if (marker == 0xE0) {
      jpeg_.jfif = jpeg_.jfif || holds(content, 0, std::string_view("JFIF\0", 5));
    } else if (marker == 0xE1) {
      if (jpeg_.exif.empty() && holds(content, 0, std::string_view("Exif\0\0", 6))) jpeg_.exif = content.subspan(6);
    } else if (marker == 0xEE) {
      if (content.size() >= 12 && holds(content, 0, "Adobe")) jpeg_.adobe_transform = content[11];
    }
  }

  void frame(int marker, Bytes content) {
    if (marker > 0xC2)
      error("only baseline and progressive Huffman coding are supported, found SOF" + std::to_string(marker - 0xC0));
    if (jpeg_.components != 0) error("two frame headers");
    if (content.size() < 6) error("a frame header of " + std::to_string(content.size()) + " bytes");
    if (content[0] != 8) error("expected 8 bits a sample, found " + std::to_string(content[0]));
    check_limits(big16(content, 3), big16(content, 1), limits_, path_);
    const int n = content[5];
    if (n != 1 && n != 3 && n != 4) error("expected 1, 3 or 4 components, found " + std::to_string(n));
    if (content.size() != 6 + 3 * static_cast<std::size_t>(n)) error("the frame header does not fit its components");
    jpeg_.width = static_cast<int>(big16(content, 3));
    jpeg_.height = static_cast<int>(big16(content, 1));
    jpeg_.components = n;
    jpeg_.progressive = marker == 0xC2;
    std::array<int, 4> across{}, down{};
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      jpeg_.ids[i] = content[6 + 3 * i];
      across[i] = content[7 + 3 * i] >> 4;
      down[i] = content[7 + 3 * i] & 15;
      blocks_[i] = across[i] * down[i];
      table_of_[i] = content[8 + 3 * i];
      if (table_of_[i] > 3) error("quantisation table " + std::to_string(table_of_[i]));
      for (std::size_t k = 0; k < i; ++k)
        if (jpeg_.ids[k] == jpeg_.ids[i]) error("two components with one id");
    }
    check_sampling(across, n);
    check_sampling(down, n);
  }

  void check_sampling(const std::array<int, 4>& factors, int n) const {
    const int most = *std::max_element(factors.begin(), factors.begin() + n);
    for (int i = 0; i < n; ++i) {
      const int factor = factors[static_cast<std::size_t>(i)];
      if (factor < 1 || factor > 4) error("sampling factor " + std::to_string(factor));
      if (most % factor != 0)
        error("sampling by " + std::to_string(factor) + "/" + std::to_string(most) + " is not supported");
    }
  }

  /// Annex C: 16 counts and as many symbols as they add up to; codes are given out in order and must fit their lengths.
  void huffman_tables(Bytes content) {
    std::size_t at = 0;
    while (at < content.size()) {
      if (content.size() - at < 17) error("DHT ends inside a table");
      const int kind = content[at] >> 4, id = content[at] & 15;
      if (kind > 1 || id > 3) error("Huffman table " + std::to_string(kind) + "." + std::to_string(id));
      std::size_t symbols = 0;
      std::uint32_t codes = 0;  // used up at this length
      for (std::size_t length = 1; length <= 16; ++length) {
        symbols += content[at + length];
        codes = 2 * codes + content[at + length];
        if (codes > 1u << length) error("over-subscribed Huffman code");
      }
      if (symbols > 256) error("a Huffman table of " + std::to_string(symbols) + " symbols");
      at += 17;
      if (symbols > content.size() - at) error("DHT is shorter than its counts");
      for (std::size_t i = 0; kind == 0 && i < symbols; ++i)
        if (content[at + i] > 11) error("DC difference of " + std::to_string(content[at + i]) + " bits");
      at += symbols;
      jpeg_.largest_table = jpeg_.largest_table || symbols == 256;
      huffman_[static_cast<std::size_t>(kind)] |= 1u << id;
    }
  }

  void quantization_tables(Bytes content) {
    std::size_t at = 0;
    while (at < content.size()) {
      const int precision = content[at] >> 4, id = content[at] & 15;
      if (precision > 1 || id > 3) error("quantisation table " + std::to_string(precision) + "." + std::to_string(id));
      const std::size_t size = precision == 0 ? 65 : 129;
      if (size > content.size() - at) error("DQT is shorter than its table");
      at += size;
      quantization_ |= 1u << id;
    }
  }

  void scan(Bytes content) {
    if (jpeg_.components == 0) error("a scan without a frame header");
    if (++scans_ > 32) error("more than 32 scans");
    const std::size_t n = content.empty() ? 0 : content[0];
    if (n < 1 || n > static_cast<std::size_t>(jpeg_.components) || content.size() != 4 + 2 * n)
      error("the scan header does not fit its components");
    const int first = content[2 * n + 1], last = content[2 * n + 2];
    const int high = content[2 * n + 3] >> 4, low = content[2 * n + 3] & 15;
    if (jpeg_.progressive) {
      if (first > last || last > 63 || (first == 0 && last != 0) || (first != 0 && n != 1) || high > 13 || low > 13)
        error("scan of coefficients " + std::to_string(first) + " to " + std::to_string(last));
    } else if (first != 0 || high != 0 || low != 0) {
      error("a progressive scan in a baseline frame");
    }
    const bool dc = first == 0 && high == 0;  // a refining scan of DC has no codes
    const bool ac = !jpeg_.progressive || first != 0;
    std::uint32_t seen = 0;
    int blocks = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const auto id = std::find(jpeg_.ids.begin(), jpeg_.ids.begin() + jpeg_.components, content[1 + 2 * i]);
      const auto component = static_cast<std::size_t>(id - jpeg_.ids.begin());
      if (component == static_cast<std::size_t>(jpeg_.components) || (seen >> component & 1) != 0)
        error("a scan of component " + std::to_string(content[1 + 2 * i]));
      seen |= 1u << component;
      blocks += blocks_[component];
      const int dc_table = content[2 + 2 * i] >> 4, ac_table = content[2 + 2 * i] & 15;
      if (dc_table > 3 || ac_table > 3 || (dc && (huffman_[0] >> dc_table & 1) == 0) ||
          (ac && (huffman_[1] >> ac_table & 1) == 0))
        error("a scan uses a Huffman table that is not defined");
      if ((quantization_ >> table_of_[component] & 1) == 0) error("a quantisation table is missing");
    }
    if (n > 1 && blocks > 10) error("a scan of " + std::to_string(blocks) + " blocks a unit, expected at most 10");
    skip_entropy_coded();
  }

  /// To the marker after the scan's data: FF 00 is a stuffed byte, FF D0 to FF D7 restart markers, FF FF fill.
  void skip_entropy_coded() {
    const std::size_t begin = at_;
    for (; at_ + 1 < file_.size(); ++at_) {
      if (file_[at_] != 0xFF) continue;
      const std::uint8_t next = file_[at_ + 1];
      if (next == 0 || (next >= 0xD0 && next <= 0xD7)) {
        ++at_;
      } else if (next != 0xFF) {
        if (at_ == begin) error("a scan without data");
        return;
      }
    }
    error(truncated);
  }

  Bytes file_;
  const DecodeLimits& limits_;
  std::string_view path_;
  std::size_t at_ = 0;
  JpegFile jpeg_;
  std::array<int, 4> blocks_{}, table_of_{};
  std::array<std::uint32_t, 2> huffman_{};  // bit t: table t of DC, AC is defined
  std::uint32_t quantization_ = 0;
  int scans_ = 0;
};

}  // namespace detail

/// Checks a file that begins with SOI. file_error naming what is wrong.
inline JpegFile check_jpeg(Bytes file, const DecodeLimits& limits, std::string_view path) {
  return detail::JpegWalk(file, limits, path).run();
}

}  // namespace couplet::inline COUPLET_ABI::image
