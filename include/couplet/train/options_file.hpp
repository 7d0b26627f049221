#pragma once
/// The options of a program as a JSON object, written and read: {"batch-size": 256, "lock-image": true, "val-data":
/// null}. Names are those of the command line without the leading dashes; `_` reads as `-`.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// One option as it was resolved.
struct OptionValue {
  enum class Kind { flag, number, text, list };

  std::string name;  ///< without dashes
  Kind kind = Kind::text;
  std::vector<std::string> values = {};  ///< none: not set (null); a flag: "true" or "false"
};

namespace detail {

/// A number as JSON has it; what JSON would not read as the same number ("007") stays text.
inline void write_number(io::JsonWriter& json, const std::string& text) {
  try {
    json.value(io::Json::parse(text, "option"));
  } catch (const file_error&) {
    json.value(text);
  }
}

}  // namespace detail

/// The file of `options`, in their order.
inline std::string options_json(const std::vector<OptionValue>& options) {
  io::JsonWriter json;
  json.begin_object();
  for (const OptionValue& option : options) {
    json.key(option.name);
    if (option.kind == OptionValue::Kind::list) {
      json.begin_array();
      for (const std::string& value : option.values) json.value(value);
      json.end_array();
    } else if (option.values.empty()) {
      json.value(nullptr);
    } else if (option.kind == OptionValue::Kind::flag) {
      json.value(option.values.back() == "true");
    } else if (option.kind == OptionValue::Kind::number) {
      detail::write_number(json, option.values.back());
    } else {
      json.value(option.values.back());
    }
  }
  return json.end_object().str() + "\n";
}

namespace detail {

inline void append_option(const std::string& option, const io::JsonField& field, std::vector<std::string>& arguments) {
  const io::Json& value = field.value();
  if (value.is_null()) return;
  if (value.is_boolean()) {
    if (value.as_boolean()) arguments.push_back(option);
  } else if (value.is_string()) {
    arguments.insert(arguments.end(), {option, value.as_string()});
  } else if (value.is_integer()) {
    arguments.insert(arguments.end(), {option, std::to_string(value.as_integer())});
  } else if (value.is_number()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", value.as_number());
    arguments.insert(arguments.end(), {option, text});
  } else if (value.is_array()) {
    for (const io::JsonField& item : field.items()) arguments.insert(arguments.end(), {option, item.string()});
  } else {
    field.fail("expected a string, a number, true, false, null or a list of strings");
  }
}

}  // namespace detail

/// The arguments of a program (the first is its name) with `--config FILE` replaced by the options of that file, put
/// before all others; options that are given by name on the command line are not taken from the file.
/// std::invalid_argument: --config without a file, or twice. file_error: not such a file.
inline std::vector<std::string> with_config_file(std::vector<std::string> arguments) {
  const auto is_config = [](const std::string& a) { return a == "--config" || a.starts_with("--config="); };
  const auto at = std::find_if(arguments.begin(), arguments.end(), is_config);
  if (at == arguments.end()) return arguments;
  const bool one_word = at->size() > 8;
  const std::string path = one_word ? at->substr(9) : at + 1 == arguments.end() ? "" : *(at + 1);
  if (path.empty() || (!one_word && path.starts_with("--"))) {
    throw std::invalid_argument("--config needs the path of a JSON file" +
                                (path.empty() ? std::string() : ", found " + path));
  }
  arguments.erase(at, at + (one_word ? 1 : 2));
  if (std::any_of(arguments.begin(), arguments.end(), is_config)) {
    throw std::invalid_argument("--config is given twice");
  }
  std::vector<std::string> from_file;
  const io::JsonField file(io::Json::parse(io::read_file(path, 1U << 20U), path), path);
  for (const auto& [key, field] : file.members()) {
    std::string option = "--" + key;
    std::replace(option.begin(), option.end(), '_', '-');
    const bool overridden = std::any_of(arguments.begin(), arguments.end(), [&](const std::string& a) {
      return a == option || a.starts_with(option + "=");
    });
    if (!overridden) detail::append_option(option, field, from_file);
  }
  arguments.insert(arguments.begin() + 1, from_file.begin(), from_file.end());
  return arguments;
}

}  // namespace couplet::inline COUPLET_ABI::train
