#pragma once
/// A place inside a parsed JSON file, for reading configurations with errors that name the file and the key:
///   config.json: vision_config.hidden_size: expected an integer in [1, 65536], found "x"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/core/error.hpp"
#include "couplet/io/json_value.hpp"

namespace couplet::inline COUPLET_ABI::io {

class JsonField {
 public:
  /// The whole of `file`. Shares the contents of `value`, which need not outlive it.
  JsonField(const Json& value, std::string file)
      : value_(value), file_(std::make_shared<const std::string>(std::move(file))) {}

  /// The member `key`, which must be there (null is a value). file_error naming the key: missing, not an object.
  [[nodiscard]] JsonField at(std::string_view key) const {
    const Json* member = object().find(key);
    if (member == nullptr) child(value_, key).fail("missing");
    return child(*member, key);
  }
  /// The member `key`; nothing when it is absent or null. file_error: not an object.
  [[nodiscard]] std::optional<JsonField> find(std::string_view key) const {
    const Json* member = object().find(key);
    if (member == nullptr || member->is_null()) return std::nullopt;
    return child(*member, key);
  }

  /// file_error unless it is written as an integer and min <= integer <= max.
  [[nodiscard]] std::int64_t integer(std::int64_t min, std::int64_t max) const {
    if (!value_.is_integer() || value_.as_integer() < min || value_.as_integer() > max) {
      expected("an integer in [" + std::to_string(min) + ", " + std::to_string(max) + "]");
    }
    return value_.as_integer();
  }
  /// file_error unless it is a number (an integer will do) and min <= number <= max.
  [[nodiscard]] double number(double min, double max) const {
    if (!value_.is_number() || !(value_.as_number() >= min && value_.as_number() <= max)) {
      expected("a number in [" + detail::number_text(min) + ", " + detail::number_text(max) + "]");
    }
    return value_.as_number();
  }
  [[nodiscard]] bool boolean() const {
    if (!value_.is_boolean()) expected("true or false");
    return value_.as_boolean();
  }
  [[nodiscard]] std::string string() const {
    if (!value_.is_string()) expected("a string");
    return value_.as_string();
  }

  /// The elements of an array, called "key[0]", "key[1]", ...
  [[nodiscard]] std::vector<JsonField> items() const {
    if (!value_.is_array()) expected("an array");
    std::vector<JsonField> fields;
    fields.reserve(value_.items().size());
    for (const Json& item : value_.items()) {
      fields.push_back(JsonField(item, file_, path_ + "[" + std::to_string(fields.size()) + "]"));
    }
    return fields;
  }
  /// The members of an object, in the order of the file.
  [[nodiscard]] std::vector<std::pair<std::string, JsonField>> members() const {
    std::vector<std::pair<std::string, JsonField>> fields;
    fields.reserve(object().members().size());
    for (const auto& [key, member] : value_.members()) fields.emplace_back(key, child(member, key));
    return fields;
  }

  [[nodiscard]] const Json& value() const noexcept { return value_; }
  [[nodiscard]] const std::string& file() const noexcept { return *file_; }
  /// "vision_config.hidden_size", "merges[3]"; empty for the whole file.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

  /// Throws file_error "file: path: message".
  [[noreturn]] void fail(const std::string& message) const {
    throw file_error(*file_, path_.empty() ? message : path_ + ": " + message);
  }

 private:
  JsonField(const Json& value, std::shared_ptr<const std::string> file, std::string path)
      : value_(value), file_(std::move(file)), path_(std::move(path)) {}

  [[nodiscard]] JsonField child(const Json& value, std::string_view key) const {
    return JsonField(value, file_, path_.empty() ? printable(key) : path_ + "." + printable(key));
  }
  [[nodiscard]] const Json& object() const {
    if (!value_.is_object()) expected("an object");
    return value_;
  }
  [[noreturn]] void expected(const std::string& what) const {
    fail("expected " + what + ", found " + value_.describe());
  }

  Json value_;
  std::shared_ptr<const std::string> file_;
  std::string path_;
};

}  // namespace couplet::inline COUPLET_ABI::io
