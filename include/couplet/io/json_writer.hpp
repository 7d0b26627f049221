#pragma once
/// Writes JSON: strings escaped with UTF-8 kept, doubles and floats in the shortest form that reads back equal, members
/// in the order they are given. Equal calls give equal bytes.
///
///   JsonWriter json;
///   json.begin_object().key("name").value("ViT-B/32").key("sizes").begin_array().value(224).end_array().end_object();
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "couplet/core/error.hpp"
#include "couplet/io/json_value.hpp"
#include "couplet/io/utf8.hpp"

namespace couplet::inline COUPLET_ABI::io {

class JsonWriter {
 public:
  /// `indent` spaces per level; 0 writes one line without any space.
  explicit JsonWriter(int indent = 2) : indent_(indent) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('{', '}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close('[', ']'); }

  JsonWriter& key(std::string_view name) {
    if (open_.empty() || open_.back() != '{' || after_key_)
      couplet::fail("JsonWriter::key", "expected inside an object");
    separate();
    quote(name);
    text_ += indent_ > 0 ? ": " : ":";
    after_key_ = true;
    return *this;
  }

  /// Bytes that are not UTF-8 become U+FFFD.
  JsonWriter& value(std::string_view text) {
    before_value();
    quote(text);
    return *this;
  }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(std::nullptr_t) { return raw("null"); }
  template <class B>
  requires std::same_as<B, bool> JsonWriter& value(B truth) { return raw(truth ? "true" : "false"); }
  template <std::integral I>
  requires(!std::same_as<I, bool>) JsonWriter& value(I integer) { return raw(std::to_string(integer)); }
  /// Keeps a decimal point or an exponent (1.0), so that it is read as a number that is not an integer.
  /// std::invalid_argument: NaN and infinities have no JSON.
  template <std::floating_point F>
  JsonWriter& value(F number) {
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, number).ptr;
    std::string digits(buffer, end);
    if (digits.find('n') != std::string::npos) {  // inf, nan: by the text, which -ffast-math cannot fold away
      couplet::fail("JsonWriter::value", "NaN and infinity cannot be written as JSON");
    }
    if (digits.find_first_of(".e") == std::string::npos) digits += ".0";
    return raw(digits);
  }
  /// A parsed value with everything in it.
  JsonWriter& value(const Json& json);

  /// The text. std::invalid_argument while something is still open or nothing was written.
  [[nodiscard]] const std::string& str() const {
    if (!open_.empty() || text_.empty()) couplet::fail("JsonWriter::str", "expected one complete value");
    return text_;
  }

 private:
  JsonWriter& open(char bracket) {
    before_value();
    text_ += bracket;
    open_ += bracket;
    empty_ = true;
    return *this;
  }

  JsonWriter& close(char opened, char bracket) {
    if (open_.empty() || open_.back() != opened || after_key_) {
      couplet::fail("JsonWriter", std::string("'") + bracket + "' closes nothing here");
    }
    open_.pop_back();
    if (!empty_) new_line();
    text_ += bracket;
    empty_ = false;
    return *this;
  }

  JsonWriter& raw(std::string_view digits) {
    before_value();
    text_ += digits;
    return *this;
  }

  void before_value() {
    if (open_.empty() ? !text_.empty() : open_.back() == '{' && !after_key_) {
      couplet::fail("JsonWriter::value", open_.empty() ? "one value is already complete" : "expected a key first");
    }
    if (!open_.empty() && !after_key_) separate();
    after_key_ = false;
  }

  void separate() {
    if (!empty_) text_ += ',';
    empty_ = false;
    new_line();
  }

  void new_line() {
    if (indent_ <= 0) return;
    text_ += '\n';
    text_.append(open_.size() * static_cast<std::size_t>(indent_), ' ');
  }

  void quote(std::string_view text) {
    static constexpr char hex[] = "0123456789abcdef";
    text_ += '"';
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t length = utf8_character(text, i);
      const char c = text[i];
      if (length == 0) {
        text_ += "\xef\xbf\xbd";
      } else if (c == '"' || c == '\\') {
        (text_ += '\\') += c;
      } else if (c == '\n') {
        text_ += "\\n";
      } else if (c == '\t') {
        text_ += "\\t";
      } else if (length == 1 && (c < 0x20 || c == 0x7f)) {
        ((text_ += "\\u00") += hex[c >> 4]) += hex[c & 15];
      } else {
        text_ += text.substr(i, length);
      }
      i += length == 0 ? 1 : length;
    }
    text_ += '"';
  }

  int indent_;
  std::string text_, open_;  // open_: the brackets that wait to be closed
  bool empty_ = true, after_key_ = false;
};

inline JsonWriter& JsonWriter::value(const Json& json) {
  switch (json.kind()) {
    case Json::Kind::null:
      return value(nullptr);
    case Json::Kind::boolean:
      return value(json.as_boolean());
    case Json::Kind::integer:
      return value(json.as_integer());
    case Json::Kind::number:
      return value(json.as_number());
    case Json::Kind::string:
      return value(json.as_string());
    case Json::Kind::array:
      begin_array();
      for (const Json& item : json.items()) value(item);
      return end_array();
    case Json::Kind::object:
      begin_object();
      for (const auto& [name, member] : json.members()) key(name).value(member);
      return end_object();
  }
  return *this;
}

}  // namespace couplet::inline COUPLET_ABI::io
