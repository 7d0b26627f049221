#pragma once
/// Unpacks gzip (RFC 1952) with zlib. Only where the build defines COUPLET_HAVE_ZLIB (couplet's CMake does so when it
/// finds zlib); elsewhere packed files are refused with a message that says how to unpack them.
#include <cstddef>
#include <string>
#include <string_view>

#include "couplet/config.hpp"
#include "couplet/core/error.hpp"

#if defined(COUPLET_HAVE_ZLIB) && __has_include(<zlib.h>)
#include <zlib.h>
#endif

namespace couplet::inline COUPLET_ABI::tokenizers {

[[nodiscard]] inline bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

#if defined(COUPLET_HAVE_ZLIB) && __has_include(<zlib.h>)

/// The text of one gzip member, at most max_bytes. file_error naming `path`: damaged, cut off, too large, trailing
/// bytes.
inline std::string gunzip(std::string_view bytes, std::size_t max_bytes, const std::string& path) {
  constexpr std::size_t step = std::size_t{1} << 20;
  if (bytes.size() > max_bytes)
    throw file_error(path, "too large to unpack: " + std::to_string(bytes.size()) + " bytes");
  z_stream stream{};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK) throw file_error(path, "zlib cannot start");
  struct End {
    z_stream* stream;
    ~End() { inflateEnd(stream); }
  } end{&stream};
  std::string text;
  int status = Z_OK;
  while (status == Z_OK) {
    const std::size_t done = text.size();
    if (done > max_bytes) throw file_error(path, "unpacks to more than " + std::to_string(max_bytes) + " bytes");
    text.resize(done + step);
    stream.next_out = reinterpret_cast<Bytef*>(text.data() + done);
    stream.avail_out = static_cast<uInt>(step);
    status = inflate(&stream, Z_NO_FLUSH);
    text.resize(done + step - stream.avail_out);
  }
  if (status != Z_STREAM_END)
    throw file_error(path, "damaged gzip data after " + std::to_string(text.size()) + " bytes");
  if (stream.avail_in != 0) throw file_error(path, "bytes after the end of the gzip data");
  return text;
}

#else

inline std::string gunzip(std::string_view, std::size_t, const std::string& path) {
  throw file_error(path, "gzip data, and this program was built without zlib: unpack it first (gunzip)");
}

#endif

}  // namespace couplet::inline COUPLET_ABI::tokenizers
