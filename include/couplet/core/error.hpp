#pragma once
/// How the library says that something is wrong.
///
/// A caller's mistake is a std::invalid_argument whose text begins with the operation in brackets and prints the
/// shapes:
///   [attention] q has head_dim 64 but k has 32; q (2, 12, 50, 64), k (2, 12, 50, 32)
/// A file that cannot be used is a couplet::file_error that names the file, the tensor or key, what was expected and
/// what was found. The library never prints, aborts or exits.
#include <stdexcept>
#include <string>
#include <string_view>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI {

/// A file (or a piece of downloaded data) is missing, damaged or not what it claims to be.
class file_error : public std::runtime_error {
 public:
  file_error(std::string path, const std::string& what)
      : std::runtime_error(path.empty() ? what : path + ": " + what), path_(std::move(path)) {}

  /// The file that was being read or written; empty for data that came from memory.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
};

/// Throws std::invalid_argument "[op] message".
[[noreturn, gnu::cold, gnu::noinline]] inline void fail(std::string_view op, const std::string& message) {
  throw std::invalid_argument("[" + std::string(op) + "] " + message);
}

/// Text from a file made safe to print: control characters and bytes that are not ASCII escaped, at most `limit` bytes.
inline std::string printable(std::string_view text, std::size_t limit = 128) {
  static constexpr char hex[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    if (out.size() >= limit) return out + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += hex[byte >> 4];
      out += hex[byte & 15];
    }
  }
  return out;
}

}  // namespace couplet::inline COUPLET_ABI
