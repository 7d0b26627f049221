#pragma once
/// JPEG through libjpeg(-turbo), with Pillow's settings and so with Pillow's bytes: accurate integer DCT, "fancy"
/// upsampling. Empty unless COUPLET_HAVE_LIBJPEG is defined (CMake does, where the package is installed).
///
/// libjpeg reports errors through a callback that must not return. It jumps back, over C frames only: nothing with a
/// destructor lives in the functions that set the jump.
#if defined(COUPLET_HAVE_LIBJPEG)
#include <csetjmp>
#include <cstdio>  // jpeglib.h uses FILE and size_t
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "couplet/image/guard.hpp"
#include "couplet/image/image.hpp"
#include "couplet/image/recycled_bytes.hpp"

namespace couplet::inline COUPLET_ABI::image::turbo {

/// The state of one decompression. libjpeg's structures must not move.
struct Decoder {
  jpeg_decompress_struct info;
  jpeg_error_mgr errors;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool damaged;  // a warning that means lost or contradictory data
  bool out_of_memory;
};

inline Decoder& decoder_of(j_common_ptr info) noexcept { return *static_cast<Decoder*>(info->client_data); }

[[noreturn]] inline void on_error(j_common_ptr info) {
  Decoder& decoder = decoder_of(info);
  decoder.out_of_memory = info->err->msg_code == JERR_OUT_OF_MEMORY;
  info->err->format_message(info, decoder.message);
  std::longjmp(decoder.jump, 1);
}

/// level -1: a warning about the data. Missing data and impossible codes make the file unusable; the rest (bytes before
/// a marker, odd version numbers) is tolerated, as in Pillow. The first damage gives the message.
inline void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;
  Decoder& decoder = decoder_of(info);
  const int code = info->err->msg_code;
  const bool damage = code == JWRN_HIT_MARKER || code == JWRN_JPEG_EOF || code == JWRN_HUFF_BAD_CODE ||
                      code == JWRN_MUST_RESYNC || code == JWRN_BOGUS_PROGRESSION;
  if (damage && !decoder.damaged) info->err->format_message(info, decoder.message);
  decoder.damaged = decoder.damaged || damage;
}

/// Reads the headers and starts. False after an error.
inline bool start(Decoder& decoder, const std::uint8_t* data, std::size_t bytes) {
  jpeg_decompress_struct& info = decoder.info;
  info.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_message;
  info.client_data = &decoder;
  if (setjmp(decoder.jump) != 0) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, const_cast<unsigned char*>(data), static_cast<unsigned long>(bytes));
  jpeg_read_header(&info, TRUE);
  if (info.num_components == 1) info.out_color_space = JCS_GRAYSCALE;
  if (info.num_components == 3) info.out_color_space = JCS_RGB;
  if (info.num_components == 4) info.out_color_space = JCS_CMYK;
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&info);
  return true;
}

/// All rows to `rows` (height, width, components). False after an error.
inline bool read_rows(Decoder& decoder, std::uint8_t* rows, std::size_t stride) {
  if (setjmp(decoder.jump) != 0) return false;
  while (decoder.info.output_scanline < decoder.info.output_height) {
    JSAMPROW row = rows + decoder.info.output_scanline * stride;
    jpeg_read_scanlines(&decoder.info, &row, 1);
  }
  jpeg_finish_decompress(&decoder.info);
  return true;
}

/// (height, width, components): grey, RGB, or CMYK as stored.
struct Samples {
  int width = 0, height = 0, channels = 0;
  std::vector<std::uint8_t> data;
};

/// Decodes a file that jpeg_guard.hpp accepted, into the memory of `storage`. file_error: damaged data. std::bad_alloc.
inline Samples decode(Bytes file, std::string_view path, std::vector<std::uint8_t> storage = {}) {
  struct Destroy {
    void operator()(Decoder* decoder) const noexcept {
      jpeg_destroy_decompress(&decoder->info);  // safe on a zeroed structure
      delete decoder;
    }
  };
  const std::unique_ptr<Decoder, Destroy> decoder(new Decoder{});
  const auto check = [&](bool fine) {
    if (!fine && decoder->out_of_memory) throw std::bad_alloc();
    if (!fine || decoder->damaged) bad_image(path, std::string("JPEG: ") + decoder->message);
  };
  check(start(*decoder, file.data(), file.size()));
  const jpeg_decompress_struct& info = decoder->info;
  Samples out{static_cast<int>(info.output_width), static_cast<int>(info.output_height), info.output_components,
              std::move(storage)};
  const std::size_t size = checked_bytes("decode", out.height, out.width, out.channels);
  if (out.data.capacity() == 0) out.data = recycled_bytes().take(size);
  out.data.resize(size);
  check(read_rows(*decoder, out.data.data(), out.data.size() / static_cast<std::size_t>(out.height)));
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::image::turbo
#endif
