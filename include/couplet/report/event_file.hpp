#pragma once
/// TensorBoard's event files: scalars over steps, for the viewer that people have.
///
/// A file is a sequence of TFRecords, each
///
///   uint64 length | uint32 masked crc32c of the length | `length` bytes | uint32 masked crc32c of the bytes
///
/// (little-endian), that hold one `Event` message in Protocol Buffers' wire format:
///
///   Event    1: double wall_time   2: int64 step   3: string file_version   5: Summary   7: SessionLog {1: status}
///   Summary  1: repeated Value {1: string tag   2: float simple_value}
///
/// Field numbers from tensorflow/core/util/event.proto and framework/summary.proto; the mask from
/// tensorflow/core/lib/hash/crc32c.h.
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::report {

namespace detail {

constexpr std::array<std::uint32_t, 256> crc32c_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ (crc & 1U ? 0x82F63B78U : 0U);  // Castagnoli, reflected
    table[i] = crc;
  }
  return table;
}

}  // namespace detail

/// CRC-32C (RFC 3720, appendix B.4).
inline std::uint32_t crc32c(std::string_view bytes) {
  static constexpr auto table = detail::crc32c_table();
  std::uint32_t crc = ~std::uint32_t{0};
  for (const char c : bytes) crc = (crc >> 8U) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xffU];
  return ~crc;
}

/// What TFRecord stores instead, so that checksums of data that hold checksums do not vanish.
inline std::uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

namespace detail {

inline void append_little_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xffU);
}

/// A message in Protocol Buffers' wire format.
class Message {
 public:
  Message& integer(int field, std::uint64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3U);
    varint(value);
    return *this;
  }
  Message& real64(int field, double value) {
    varint(static_cast<std::uint64_t>(field) << 3U | 1U);
    append_little_endian(bytes_, std::bit_cast<std::uint64_t>(value), 8);
    return *this;
  }
  Message& real32(int field, float value) {
    varint(static_cast<std::uint64_t>(field) << 3U | 5U);
    append_little_endian(bytes_, std::bit_cast<std::uint32_t>(value), 4);
    return *this;
  }
  Message& bytes(int field, std::string_view value) {
    varint(static_cast<std::uint64_t>(field) << 3U | 2U);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  [[nodiscard]] const std::string& str() const { return bytes_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) bytes_ += static_cast<char>(value | 0x80U);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

inline std::string tf_record(std::string_view data) {
  std::string record;
  append_little_endian(record, data.size(), 8);
  append_little_endian(record, masked_crc32c(record), 4);
  record += data;
  append_little_endian(record, masked_crc32c(data), 4);
  return record;
}

}  // namespace detail

/// A named number.
using Scalar = std::pair<std::string, double>;

/// One event file, appended to while it is open.
class EventFile {
 public:
  /// Creates `folder` and in it events.out.tfevents.<seconds>.<host>.<process>. A run that goes on after `step` says
  /// so: the viewer then drops what an earlier part wrote beyond it. wall_time in seconds since 1970.
  EventFile(const std::string& folder, double wall_time, std::int64_t step) {
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    path_ = folder + "/events.out.tfevents." + seconds(wall_time) + "." + host() + "." + std::to_string(::getpid());
    file_.open(path_, std::ios::binary | std::ios::app);
    append(detail::Message().real64(1, wall_time).bytes(3, "brain.Event:2"));
    if (step == 0) return;
    constexpr std::uint64_t start = 1;
    append(event(wall_time, step + 1).bytes(7, detail::Message().integer(1, start).str()));
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  /// Scalars of one step, handed to the system at once. file_error: the disk.
  void write(double wall_time, std::int64_t step, const std::vector<Scalar>& scalars) {
    detail::Message summary;
    for (const auto& [tag, value] : scalars) {
      summary.bytes(1, detail::Message().bytes(1, tag).real32(2, static_cast<float>(value)).str());
    }
    append(event(wall_time, step).bytes(5, summary.str()));
  }

 private:
  static detail::Message event(double wall_time, std::int64_t step) {
    return detail::Message().real64(1, wall_time).integer(2, static_cast<std::uint64_t>(step));
  }
  static std::string seconds(double wall_time) {
    std::string digits = std::to_string(static_cast<std::int64_t>(wall_time));
    return digits.insert(0, digits.size() < 10 ? 10 - digits.size() : 0, '0');
  }
  static std::string host() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? name : "localhost";
  }
  void append(const detail::Message& message) {
    file_ << detail::tf_record(message.str()) << std::flush;
    if (!file_) throw file_error(path_, "cannot be written");
  }

  std::string path_;
  std::ofstream file_;
};

}  // namespace couplet::inline COUPLET_ABI::report
