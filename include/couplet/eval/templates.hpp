#pragma once
/// Prompts: "a photo of a {}." with the label in place of the braces.
#include <string>
#include <string_view>
#include <vector>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI::eval {

/// What a classifier uses when nobody says otherwise: the simple prompt of the CLIP paper (section 3.1.4).
[[nodiscard]] inline const std::vector<std::string>& default_templates() {
  static const std::vector<std::string> templates{"a photo of a {}."};
  return templates;
}

/// The template with its "{}" replaced by the label. std::invalid_argument unless there is exactly one.
[[nodiscard]] inline std::string format_template(std::string_view text, std::string_view label) {
  constexpr std::string_view braces = "{}";
  const std::size_t at = text.find(braces);
  if (at == std::string_view::npos || text.find(braces, at + 1) != std::string_view::npos) {
    fail("format_template", std::string(at == std::string_view::npos ? "no {}" : "more than one {}") +
                                " for the label in \"" + printable(text) + "\"");
  }
  std::string result(text.substr(0, at));
  result += label;
  result += text.substr(at + braces.size());
  return result;
}

}  // namespace couplet::inline COUPLET_ABI::eval
