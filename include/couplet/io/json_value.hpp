#pragma once
/// A JSON text as an immutable value. Copies share their contents, so that a part may outlive the whole.
///
/// Integers are exact in std::int64_t. Everything else that is a number (1.0, 1e3, -0, 2^63) is Kind::number and is
/// refused where an integer is asked for.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "couplet/core/error.hpp"
#include "couplet/io/json_events.hpp"
#include "couplet/io/key_index.hpp"

namespace couplet::inline COUPLET_ABI::io {

namespace detail {
class JsonBuilder;
}

class Json {
 public:
  enum class Kind { null, boolean, integer, number, string, array, object };
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;  ///< null

  /// Parses the whole of `text`; `source` is the file's path, for errors. file_error: not strict JSON (see
  /// io/json_events.hpp), a key twice in one object, beyond the limits, out of memory.
  static Json parse(std::string_view text, const std::string& source, const JsonLimits& limits = {});

  [[nodiscard]] Kind kind() const noexcept { return static_cast<Kind>(value_.index()); }
  [[nodiscard]] bool is_null() const noexcept { return kind() == Kind::null; }
  [[nodiscard]] bool is_boolean() const noexcept { return kind() == Kind::boolean; }
  [[nodiscard]] bool is_integer() const noexcept { return kind() == Kind::integer; }
  /// An integer or another number.
  [[nodiscard]] bool is_number() const noexcept { return kind() == Kind::number || is_integer(); }
  [[nodiscard]] bool is_string() const noexcept { return kind() == Kind::string; }
  [[nodiscard]] bool is_array() const noexcept { return kind() == Kind::array; }
  [[nodiscard]] bool is_object() const noexcept { return kind() == Kind::object; }

  // file_error "expected an integer, found "x"" when the value is of another kind. JsonField adds file and key.
  [[nodiscard]] bool as_boolean() const { return get<bool>("true or false"); }
  [[nodiscard]] std::int64_t as_integer() const { return get<std::int64_t>("an integer"); }
  [[nodiscard]] double as_number() const {
    return is_integer() ? static_cast<double>(as_integer()) : get<double>("a number");
  }
  [[nodiscard]] const std::string& as_string() const { return get<std::string>("a string"); }
  /// The elements of an array.
  [[nodiscard]] const Array& items() const { return *get<std::shared_ptr<const Array>>("an array"); }
  /// The members of an object, in the order of the text.
  [[nodiscard]] const Object& members() const { return get<std::shared_ptr<const Members>>("an object")->list; }

  /// The member of an object, or nullptr. O(log n).
  [[nodiscard]] const Json* find(std::string_view key) const {
    const Members& members = *get<std::shared_ptr<const Members>>("an object");
    const auto at = members.index.find(key, [&](std::size_t i) -> std::string_view { return members.list[i].first; });
    return at ? &members.list[*at].second : nullptr;
  }

  /// For errors: null, true, -1, the number 1.5, "text", an array, an object.
  [[nodiscard]] std::string describe() const {
    JsonToken token;
    switch (kind()) {
      case Kind::null:
        break;
      case Kind::boolean:
        token.kind = JsonToken::Kind::boolean, token.boolean = as_boolean();
        break;
      case Kind::integer:
        token.kind = JsonToken::Kind::integer, token.integer = as_integer();
        break;
      case Kind::number:
        token.kind = JsonToken::Kind::number, token.number = as_number();
        break;
      case Kind::string:
        token.kind = JsonToken::Kind::string, token.text = as_string().substr(0, 65);
        break;
      case Kind::array:
        token.kind = JsonToken::Kind::begin_array;
        break;
      case Kind::object:
        token.kind = JsonToken::Kind::begin_object;
        break;
    }
    return detail::describe(token);
  }

 private:
  friend class detail::JsonBuilder;
  struct Members {
    Object list;
    KeyIndex index;
  };
  template <class V>
  explicit Json(std::in_place_t, V&& value) : value_(std::forward<V>(value)) {}

  template <class V>
  const V& get(const char* expected) const {
    if (const V* value = std::get_if<V>(&value_)) return *value;
    throw file_error("", std::string("expected ") + expected + ", found " + describe());
  }

  // In the order of Kind.
  std::variant<std::monostate, bool, std::int64_t, double, std::string, std::shared_ptr<const Array>,
               std::shared_ptr<const Members>>
      value_;
};

namespace detail {

/// Puts the tokens together. The stack of open arrays and objects is as deep as JsonLimits::depth.
class JsonBuilder final : public JsonVisitor {
 public:
  void visit(JsonToken& token) override {
    switch (token.kind) {
      case JsonToken::Kind::null:
        return add(Json());
      case JsonToken::Kind::boolean:
        return add(Json(std::in_place, token.boolean));
      case JsonToken::Kind::integer:
        return add(Json(std::in_place, token.integer));
      case JsonToken::Kind::number:
        return add(Json(std::in_place, token.number));
      case JsonToken::Kind::string:
        return add(Json(std::in_place, std::move(token.text)));
      case JsonToken::Kind::key:
        open_.back().key = std::move(token.text);
        return;
      case JsonToken::Kind::begin_object:
        open_.push_back({true, {}, {}, {}});
        return;
      case JsonToken::Kind::begin_array:
        open_.push_back({false, {}, {}, {}});
        return;
      case JsonToken::Kind::end_object:
      case JsonToken::Kind::end_array:
        return close();
    }
  }
  Json take() { return std::move(root_); }

 private:
  struct Open {
    bool is_object;
    std::string key;  // of the member whose value comes next
    Json::Array items;
    Json::Object members;
  };

  void add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().is_object) {
      open_.back().members.emplace_back(std::move(open_.back().key), std::move(value));
    } else {
      open_.back().items.push_back(std::move(value));
    }
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (!done.is_object) {
      done.items.shrink_to_fit();
      return add(Json(std::in_place, std::make_shared<const Json::Array>(std::move(done.items))));
    }
    done.members.shrink_to_fit();
    const auto key_of = [&](std::size_t i) -> std::string_view { return done.members[i].first; };
    KeyIndex index(done.members.size(), key_of);
    if (const auto twice = index.duplicate(key_of)) {
      reject("the key \"" + printable(key_of(*twice)) + "\" appears twice in one object");
    }
    const auto members =
        std::make_shared<const Json::Members>(Json::Members{std::move(done.members), std::move(index)});
    add(Json(std::in_place, members));
  }

  std::vector<Open> open_;
  Json root_;
};

}  // namespace detail

inline Json Json::parse(std::string_view text, const std::string& source, const JsonLimits& limits) {
  detail::JsonBuilder builder;
  parse_json_events(text, source, builder, limits);
  return builder.take();
}

}  // namespace couplet::inline COUPLET_ABI::io
