#pragma once
/// The library's version, as numbers and as text.
#include "couplet/config.hpp"

#define COUPLET_VERSION_MAJOR 0
#define COUPLET_VERSION_MINOR 1
#define COUPLET_VERSION_PATCH 0

namespace couplet::inline COUPLET_ABI {

/// "0.1.0"
inline constexpr const char* version = "0.1.0";

}  // namespace couplet::inline COUPLET_ABI
