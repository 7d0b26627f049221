#pragma once
/// The wire format of protocol buffers, as far as a SentencePiece model needs it: a message as a run of fields, read
/// in place. Every length is checked against the bytes that are there, nothing is allocated, nothing recurses: the
/// reader of an inner message is made by the caller, who knows how deep the format goes.
///
/// Format: protobuf.dev/programming-guides/encoding. A tag is a varint of field number << 3 | wire type. Groups (wire
/// types 3 and 4), which no writer of these files uses, are refused rather than skipped.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::tokenizers {

class ProtobufReader {
 public:
  enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

  /// The fields of `message`; neither text is copied. `file` is named in errors, places count from `offset`.
  ProtobufReader(std::string_view message, const std::string& file, std::size_t offset = 0)
      : message_(message), file_(file), offset_(offset) {}

  /// Moves to the next field; false at the end. file_error: a message that is cut off or not in the format.
  bool next() {
    if (at_ == message_.size()) return false;
    begin_ = at_;
    const std::uint64_t tag = take_varint();
    if (tag >> 32 != 0 || tag >> 3 == 0) refuse("field number " + std::to_string(tag >> 3));
    field_ = static_cast<std::uint32_t>(tag >> 3);
    switch (tag & 7) {
      case 0:
        number_ = take_varint();
        break;
      case 1:
        content_ = take(8);
        break;
      case 2:
        content_ = take(take_varint());
        break;
      case 5:
        content_ = take(4);
        break;
      default:
        refuse("field " + std::to_string(field_) + " has the wire type " + std::to_string(tag & 7));
    }
    wire_ = static_cast<Wire>(tag & 7);
    return true;
  }

  [[nodiscard]] std::uint32_t field() const { return field_; }

  // The value of the field. file_error: its wire type is another one.
  [[nodiscard]] std::uint64_t number() const {
    expect(Wire::varint, "an integer");
    return number_;
  }
  /// As protobuf reads a bool: anything but 0 is true.
  [[nodiscard]] bool boolean() const { return number() != 0; }
  [[nodiscard]] float real() const {
    static_assert(std::endian::native == std::endian::little, "the format is little-endian");
    expect(Wire::fixed32, "a float");
    float value = 0;
    std::memcpy(&value, content_.data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::string_view bytes() const {
    expect(Wire::bytes, "bytes");
    return content_;
  }
  [[nodiscard]] ProtobufReader message() const {
    expect(Wire::bytes, "a message");
    return {content_, file_, offset_ + static_cast<std::size_t>(content_.data() - message_.data())};
  }

  /// Throws file_error "file: byte 57: message" with the place of the current field.
  [[noreturn]] void refuse(const std::string& message) const {
    throw file_error(file_, "byte " + std::to_string(offset_ + begin_) + ": " + message);
  }

 private:
  void expect(Wire wire, const char* what) const {
    if (wire_ != wire) {
      refuse("expected field " + std::to_string(field_) + " to be " + what + ", found the wire type " +
             std::to_string(static_cast<int>(wire_)));
    }
  }

  std::string_view take(std::uint64_t count) {
    if (count > message_.size() - at_) {
      refuse("cut off: " + std::to_string(count) + " bytes announced, " + std::to_string(message_.size() - at_) +
             " are there");
    }
    const std::string_view taken = message_.substr(at_, static_cast<std::size_t>(count));
    at_ += taken.size();
    return taken;
  }

  /// Seven bits per byte, low ones first, in at most ten bytes; the tenth holds one bit.
  std::uint64_t take_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at_ == message_.size()) refuse("cut off inside an integer");
      const auto byte = static_cast<unsigned char>(message_[at_++]);
      if (shift == 63 && byte > 1) break;
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    refuse("an integer of more than 64 bits");
  }

  std::string_view message_;
  const std::string& file_;
  std::size_t offset_;
  std::size_t at_ = 0, begin_ = 0;
  std::uint32_t field_ = 0;
  Wire wire_ = Wire::varint;
  std::uint64_t number_ = 0;
  std::string_view content_;
};

}  // namespace couplet::inline COUPLET_ABI::tokenizers
