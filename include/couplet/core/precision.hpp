#pragma once
/// In what precision matrix products are computed. Sums, residual stream, softmax, norms, losses and master weights are
/// float32 either way.
#include <string>
#include <string_view>

#include "couplet/core/error.hpp"

namespace couplet::inline COUPLET_ABI {

enum class Precision { float32, bfloat16 };

/// "float32", "bfloat16".
inline std::string to_string(Precision precision) { return precision == Precision::bfloat16 ? "bfloat16" : "float32"; }

/// The inverse of to_string; another text is a std::invalid_argument.
inline Precision parse_precision(std::string_view text) {
  for (const Precision precision : {Precision::float32, Precision::bfloat16}) {
    if (text == to_string(precision)) return precision;
  }
  fail("precision", "\"" + printable(text) + "\" is no precision; there are float32 and bfloat16");
}

}  // namespace couplet::inline COUPLET_ABI
