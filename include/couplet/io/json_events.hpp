#pragma once
/// JSON (RFC 8259) as a stream of tokens, strictly and in bounded memory.
///
/// The lexer is nlohmann/json's, used through its SAX interface; its DOM is never built. On top of what it refuses
/// (bad UTF-8, lone surrogates, NaN, numbers beyond double, comments, trailing commas, text after the value) these are
/// errors too: a byte order mark, NUL bytes, more nesting than `depth`, more values than `values`. A number is an
/// integer only when it is written as one and fits std::int64_t: 1.0, 1e3, -0 and 9223372036854775808 are not.
/// Duplicate keys are the visitor's to refuse: KeyIndex finds them.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <iterator>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#if __has_include(<nlohmann/json.hpp>)
#include <nlohmann/json.hpp>
#else
#error "couplet reads JSON with nlohmann/json: install nlohmann-json3-dev (Debian, Ubuntu) or add its include directory"
#endif

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::io {

struct JsonLimits {
  std::size_t depth = 32;                     ///< open arrays and objects at a time
  std::size_t values = std::size_t{1} << 23;  ///< values and keys in the text; a Json takes 40 bytes and more for each
};

struct JsonToken {
  enum class Kind { null, boolean, integer, number, string, key, begin_object, end_object, begin_array, end_array };
  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  double number = 0;  ///< finite
  std::string text;   ///< of a string or key, unescaped, valid UTF-8; the visitor may move it away
};

/// Receives the tokens in the order of the text, which is known to be well-formed so far.
class JsonVisitor {
 public:
  virtual void visit(JsonToken& token) = 0;

 protected:
  ~JsonVisitor() = default;
  /// Called by visit() to refuse the text: parse_json_events throws file_error with the place and this message.
  [[noreturn]] static void reject(const std::string& message) { throw Rejection(message); }

 private:
  class Rejection : public std::runtime_error {
   public:
    using std::runtime_error::runtime_error;
  };
  friend void parse_json_events(std::string_view, const std::string&, JsonVisitor&, const JsonLimits&);
};

namespace detail {

/// A double in the shortest form that reads back equal: 0.1, 1e-05, 16777216; from 2^53 on, where a double no longer
/// tells integers apart, with an exponent: 1.8446744073709552e+19.
inline std::string number_text(double number) {
  const bool exact = number > -9007199254740992.0 && number < 9007199254740992.0;
  const auto format = exact ? std::chars_format::general : std::chars_format::scientific;
  char text[32];
  return std::string(text, std::to_chars(text, text + sizeof text, number, format).ptr);
}

/// What was found, for an error: null, true, -1, 1.5, "text", an array.
inline std::string describe(const JsonToken& token) {
  switch (token.kind) {
    case JsonToken::Kind::null:
      return "null";
    case JsonToken::Kind::boolean:
      return token.boolean ? "true" : "false";
    case JsonToken::Kind::integer:
      return std::to_string(token.integer);
    case JsonToken::Kind::number:
      return "the number " + number_text(token.number);
    case JsonToken::Kind::string:
      return "\"" + printable(token.text, 64) + "\"";
    case JsonToken::Kind::key:
      return "the key \"" + printable(token.text, 64) + "\"";
    case JsonToken::Kind::begin_object:
      return "an object";
    case JsonToken::Kind::begin_array:
      return "an array";
    case JsonToken::Kind::end_object:
      return "the end of an object";
    case JsonToken::Kind::end_array:
      return "the end of an array";
  }
  return "?";
}

/// Walks the text and keeps in `*seen` how far the lexer has read, for the place in an error.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** seen) : at_(at), seen_(seen) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *seen_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    const CountingIterator old = *this;
    ++*this;
    return old;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }
  friend bool operator!=(const CountingIterator& a, const CountingIterator& b) { return a.at_ != b.at_; }

 private:
  const char* at_;
  const char** seen_;
};

/// What nlohmann's parser calls; passes tokens on to a JsonVisitor.
class SaxAdapter {
 public:
  SaxAdapter(JsonVisitor& visitor, const JsonLimits& limits) : visitor_(visitor), limits_(limits) {}

  bool null() { return pass(JsonToken::Kind::null); }
  bool boolean(bool value) {
    token_.boolean = value;
    return pass(JsonToken::Kind::boolean);
  }
  bool number_integer(std::int64_t value) {  // only numbers with a minus sign come here: 0 was written -0
    if (value == 0) return number(-0.0);
    token_.integer = value;
    return pass(JsonToken::Kind::integer);
  }
  bool number_unsigned(std::uint64_t value) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return number(static_cast<double>(value));
    }
    token_.integer = static_cast<std::int64_t>(value);
    return pass(JsonToken::Kind::integer);
  }
  bool number_float(double value, const std::string&) { return number(value); }
  bool string(std::string& value) {
    token_.text = std::move(value);
    return pass(JsonToken::Kind::string);
  }
  bool key(std::string& value) {
    token_.text = std::move(value);
    return pass(JsonToken::Kind::key);
  }
  bool start_object(std::size_t) { return open(JsonToken::Kind::begin_object); }
  bool end_object() { return close(JsonToken::Kind::end_object); }
  bool start_array(std::size_t) { return open(JsonToken::Kind::begin_array); }
  bool end_array() { return close(JsonToken::Kind::end_array); }
  bool binary(const nlohmann::json::binary_t&) { return refuse("binary data"); }

  /// nlohmann's "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ...", without its
  /// own place, which is less exact than ours.
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& error) {
    const std::string_view what = error.what();
    const std::size_t syntax = what.find("syntax error"), id = what.find("] ");
    return refuse(printable(what.substr(syntax != what.npos ? syntax : id != what.npos ? id + 2 : 0), 256));
  }

  /// Why the parser was stopped; empty when the text is good.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }

 private:
  bool refuse(std::string why) {
    refusal_ = std::move(why);
    return false;
  }
  bool pass(JsonToken::Kind kind) {
    if (++count_ > limits_.values) return refuse("more than " + std::to_string(limits_.values) + " values");
    token_.kind = kind;
    visitor_.visit(token_);
    return true;
  }
  bool number(double value) {
    // By its bits: under -ffast-math a comparison with infinity is folded away.
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    if ((bits >> 52 & 0x7ff) == 0x7ff) return refuse("a number beyond the range of double");
    token_.number = value;
    return pass(JsonToken::Kind::number);
  }
  bool open(JsonToken::Kind kind) {
    if (++depth_ > limits_.depth) return refuse("nested deeper than " + std::to_string(limits_.depth) + " levels");
    return pass(kind);
  }
  bool close(JsonToken::Kind kind) {
    --depth_;
    return pass(kind);
  }

  JsonVisitor& visitor_;
  JsonLimits limits_;
  JsonToken token_;
  std::size_t depth_ = 0, count_ = 0;
  std::string refusal_;
};

/// "line 3, byte 57" of the last byte before `seen`; bytes count from 1 at the start of the text.
inline std::string json_place(std::string_view text, const char* seen) {
  std::size_t line = 1;
  for (const char* c = text.data(); c < seen; ++c) line += *c == '\n' ? 1U : 0U;
  return "line " + std::to_string(line) + ", byte " + std::to_string(seen - text.data());
}

}  // namespace detail

/// Sends the tokens of `text` to `visitor`. file_error "source: line 3, byte 57: ..." for text that is not strict JSON,
/// exceeds the limits, was rejected by the visitor, or ran the process out of memory. Iterative whatever the nesting.
inline void parse_json_events(std::string_view text, const std::string& source, JsonVisitor& visitor,
                              const JsonLimits& limits = {}) {
  if (text.substr(0, 3) == "\xef\xbb\xbf") throw file_error(source, "JSON must not begin with a byte order mark");
  const char* const begin = text.data();
  const char* seen = begin;
  std::string why;
  try {
    // nlohmann takes a NUL for the end of the text.
    if (const std::size_t nul = text.find('\0'); nul != text.npos) {
      seen = begin + nul + 1;
      throw file_error(source, detail::json_place(text, seen) + ": a NUL byte in JSON");
    }
    detail::SaxAdapter adapter(visitor, limits);
    const bool good = nlohmann::json::sax_parse(detail::CountingIterator(begin, &seen),
                                                detail::CountingIterator(begin + text.size(), &seen), &adapter);
    if (good) return;
    why = adapter.refusal();
  } catch (const JsonVisitor::Rejection& rejection) {
    why = rejection.what();
  } catch (const file_error&) {
    throw;
  } catch (const std::bad_alloc&) {
    why = "out of memory while reading JSON";
  } catch (const std::exception& error) {  // nlohmann's own, std::length_error
    why = printable(error.what(), 256);
  }
  throw file_error(source, detail::json_place(text, seen) + ": " + why);
}

}  // namespace couplet::inline COUPLET_ABI::io
