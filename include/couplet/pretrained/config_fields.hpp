#pragma once
/// What the readers of configuration files share: optional numbers with the defaults of their layout.
#include <limits>
#include <string>
#include <string_view>

#include "couplet/io/json.hpp"
#include "couplet/models/config.hpp"

namespace couplet::inline COUPLET_ABI::pretrained {

namespace detail {

inline constexpr std::uint64_t max_config_bytes = 16U << 20U;
inline constexpr std::int64_t max_size = std::int64_t{1} << 24;
inline constexpr std::int64_t max_resnet_width = std::int64_t{1} << 16;  // the attention pool is 32 times as wide

inline Index size_or(const io::JsonField& field, std::string_view key, Index absent, std::int64_t min = 1,
                     std::int64_t max = max_size) {
  const auto found = field.find(key);
  return found ? static_cast<Index>(found->integer(min, max)) : absent;
}

inline std::int64_t id_or(const io::JsonField& field, std::string_view key, std::int64_t absent) {
  const auto found = field.find(key);
  return found ? found->integer(0, std::numeric_limits<std::int32_t>::max()) : absent;
}

inline double number_or(const io::JsonField& field, std::string_view key, double absent, double min, double max) {
  const auto found = field.find(key);
  return found ? found->number(min, max) : absent;
}

/// validate(), as an error of the file.
inline void validate_file(const ClipConfig& config, const std::string& path) {
  try {
    validate(config);
  } catch (const std::invalid_argument& error) {
    throw file_error(path, error.what());
  }
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::pretrained
