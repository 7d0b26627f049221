#pragma once
/// Shapes as error messages print them: "x (3, 4), weight (5)".
#include <string>

#include "couplet/core/tensor.hpp"

namespace couplet::inline COUPLET_ABI::ops {

inline std::string shapes_text() { return {}; }

/// shapes_text("x", x, "weight", weight) is "x (3, 4), weight (5)".
template <class View, class... Rest>
std::string shapes_text(const char* name, const View& view, const Rest&... rest) {
  const std::string others = shapes_text(rest...);
  return std::string(name) + " " + to_string(view.shape()) + (others.empty() ? "" : ", " + others);
}

/// Fails with all shapes unless they are equal.
template <class A, class B>
void require_equal_shapes(const char* op, const char* a_name, const A& a, const char* b_name, const B& b) {
  if (a.extents() != b.extents()) fail(op, "shapes differ: " + shapes_text(a_name, a, b_name, b));
}

}  // namespace couplet::inline COUPLET_ABI::ops
