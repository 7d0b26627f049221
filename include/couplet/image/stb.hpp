#pragma once
/// The only place that includes stb_image: JPEG and PNG to bytes in memory, nothing else of it.
///
/// stb is compiled with internal linkage inside a namespace of its own, so that a program may use stb_image itself,
/// with or without STB_IMAGE_IMPLEMENTATION, before or after this header. (Inline functions that call it differ between
/// translation units only in which identical copy they call.) Its allocations are zeroed, counted against a budget for
/// each call, and fail gracefully. It must see only files that png_guard.hpp or jpeg_guard.hpp accepted: Debian's
/// version 2.27 has known faults (tables of 256 symbols, palette indices, absent tables) that the guards keep away.
#include <climits>
#include <cmath>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#if defined(__SSE2__)
#include <emmintrin.h>  // stb includes it too: here it must happen outside the namespace
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::image::stb {

/// Bytes that the running call may still allocate. An allocation begins with its size.
struct Budget {
  std::uint64_t left = 0;
  bool exhausted = false;      // refused by the budget
  bool out_of_memory = false;  // refused by the system
};
inline thread_local constinit Budget budget;
inline constexpr std::size_t prefix = 64;  // keeps the alignment of malloc and of cache lines

inline void* allocate(std::size_t bytes) noexcept {
  if (bytes > budget.left) {
    budget.exhausted = true;
    return nullptr;
  }
  unsigned char* block = nullptr;
  if (bytes < PTRDIFF_MAX - prefix) block = static_cast<unsigned char*>(std::calloc(1, bytes + prefix));
  if (block == nullptr) {
    budget.out_of_memory = true;
    return nullptr;
  }
  budget.left -= bytes;
  std::memcpy(block, &bytes, sizeof bytes);
  return block + prefix;
}

inline void release(void* pointer) noexcept {
  if (pointer == nullptr) return;
  unsigned char* block = static_cast<unsigned char*>(pointer) - prefix;
  std::size_t bytes = 0;
  std::memcpy(&bytes, block, sizeof bytes);
  budget.left += bytes;
  std::free(block);
}

inline void* reallocate(void* pointer, std::size_t old_bytes, std::size_t bytes) noexcept {
  void* bigger = allocate(bytes);
  if (bigger == nullptr) return nullptr;
  if (pointer != nullptr) std::memcpy(bigger, pointer, old_bytes < bytes ? old_bytes : bytes);
  release(pointer);
  return bigger;
}

}  // namespace couplet::inline COUPLET_ABI::image::stb

// A user's own settings and include guard are put aside and restored below.
#pragma push_macro("STBI_INCLUDE_STB_IMAGE_H")
#pragma push_macro("STB_IMAGE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_STATIC")
#pragma push_macro("STBI_MALLOC")
#pragma push_macro("STBI_REALLOC_SIZED")
#pragma push_macro("STBI_FREE")
#pragma push_macro("STBI_ASSERT")
#pragma push_macro("STBI_MAX_DIMENSIONS")
#pragma push_macro("STBI_NO_STDIO")
#pragma push_macro("STBI_NO_LINEAR")
#pragma push_macro("STBI_NO_HDR")
#pragma push_macro("STBI_ONLY_JPEG")
#pragma push_macro("STBI_ONLY_PNG")
#pragma push_macro("STBIDEF")
#undef STBI_INCLUDE_STB_IMAGE_H
#undef STB_IMAGE_IMPLEMENTATION
#undef STB_IMAGE_STATIC
#undef STBI_MALLOC
#undef STBI_REALLOC_SIZED
#undef STBI_FREE
#undef STBI_ASSERT
#undef STBI_MAX_DIMENSIONS
#undef STBI_NO_STDIO
#undef STBI_NO_LINEAR
#undef STBI_NO_HDR
#undef STBI_ONLY_JPEG
#undef STBI_ONLY_PNG
#undef STBIDEF
#undef STBI_NO_BMP
#undef STBI_NO_PSD
#undef STBI_NO_TGA
#undef STBI_NO_GIF
#undef STBI_NO_PIC
#undef STBI_NO_PNM
#undef STBI_VERSION
#undef STBI_THREAD_LOCAL
#undef STBI_HAS_LROTR
#undef STBI__X64_TARGET
#undef STBI__X86_TARGET
#undef STBI_SSE2
#undef STBI_NEON
#undef STBI_SIMD_ALIGN
#undef STBI_NOTUSED
#undef stbi_inline
#undef stbi_lrot
#undef stbi__err
#undef stbi__errpf
#undef stbi__errpuc
#undef STBI__BYTECAST
#undef STBI_SUPPORT_ZLIB
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_MALLOC(bytes) allocate(bytes)
#define STBI_REALLOC_SIZED(pointer, old_bytes, bytes) reallocate(pointer, old_bytes, bytes)
#define STBI_FREE(pointer) release(pointer)
#define STBI_ASSERT(condition) ((void)0)
#define STBI_MAX_DIMENSIONS (1 << 20)
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_NO_HDR
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
// stb's functions are extern "C": without optimisation, in an object file their names would be a user's own copy's.
#define stbi_convert_iphone_png_to_rgb couplet_stbi_convert_iphone_png_to_rgb
#define stbi_convert_iphone_png_to_rgb_thread couplet_stbi_convert_iphone_png_to_rgb_thread
#define stbi_failure_reason couplet_stbi_failure_reason
#define stbi_image_free couplet_stbi_image_free
#define stbi_info_from_callbacks couplet_stbi_info_from_callbacks
#define stbi_info_from_memory couplet_stbi_info_from_memory
#define stbi_is_16_bit_from_callbacks couplet_stbi_is_16_bit_from_callbacks
#define stbi_is_16_bit_from_memory couplet_stbi_is_16_bit_from_memory
#define stbi_is_hdr_from_callbacks couplet_stbi_is_hdr_from_callbacks
#define stbi_is_hdr_from_memory couplet_stbi_is_hdr_from_memory
#define stbi_load_16_from_callbacks couplet_stbi_load_16_from_callbacks
#define stbi_load_16_from_memory couplet_stbi_load_16_from_memory
#define stbi_load_from_callbacks couplet_stbi_load_from_callbacks
#define stbi_load_from_memory couplet_stbi_load_from_memory
#define stbi_set_flip_vertically_on_load couplet_stbi_set_flip_vertically_on_load
#define stbi_set_flip_vertically_on_load_thread couplet_stbi_set_flip_vertically_on_load_thread
#define stbi_set_unpremultiply_on_load couplet_stbi_set_unpremultiply_on_load
#define stbi_set_unpremultiply_on_load_thread couplet_stbi_set_unpremultiply_on_load_thread
#define stbi_zlib_decode_buffer couplet_stbi_zlib_decode_buffer
#define stbi_zlib_decode_malloc couplet_stbi_zlib_decode_malloc
#define stbi_zlib_decode_malloc_guesssize couplet_stbi_zlib_decode_malloc_guesssize
#define stbi_zlib_decode_malloc_guesssize_headerflag couplet_stbi_zlib_decode_malloc_guesssize_headerflag
#define stbi_zlib_decode_noheader_buffer couplet_stbi_zlib_decode_noheader_buffer
#define stbi_zlib_decode_noheader_malloc couplet_stbi_zlib_decode_noheader_malloc
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wold-style-cast"
namespace couplet::inline COUPLET_ABI::image::stb {
#if __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#elif __has_include(<stb_image.h>)
#include <stb_image.h>
#else
#error "couplet needs stb_image.h to decode images (Debian: libstb-dev)"
#endif
}  // namespace couplet::inline COUPLET_ABI::image::stb
#pragma GCC diagnostic pop
#undef stbi_convert_iphone_png_to_rgb
#undef stbi_convert_iphone_png_to_rgb_thread
#undef stbi_failure_reason
#undef stbi_image_free
#undef stbi_info_from_callbacks
#undef stbi_info_from_memory
#undef stbi_is_16_bit_from_callbacks
#undef stbi_is_16_bit_from_memory
#undef stbi_is_hdr_from_callbacks
#undef stbi_is_hdr_from_memory
#undef stbi_load_16_from_callbacks
#undef stbi_load_16_from_memory
#undef stbi_load_from_callbacks
#undef stbi_load_from_memory
#undef stbi_set_flip_vertically_on_load
#undef stbi_set_flip_vertically_on_load_thread
#undef stbi_set_unpremultiply_on_load
#undef stbi_set_unpremultiply_on_load_thread
#undef stbi_zlib_decode_buffer
#undef stbi_zlib_decode_malloc
#undef stbi_zlib_decode_malloc_guesssize
#undef stbi_zlib_decode_malloc_guesssize_headerflag
#undef stbi_zlib_decode_noheader_buffer
#undef stbi_zlib_decode_noheader_malloc
// Both ways round, what stb derives from its settings must not reach the other copy.
#undef STBI_NO_BMP
#undef STBI_NO_PSD
#undef STBI_NO_TGA
#undef STBI_NO_GIF
#undef STBI_NO_PIC
#undef STBI_NO_PNM
#undef STBI_VERSION
#undef STBI_THREAD_LOCAL
#undef STBI_HAS_LROTR
#undef STBI__X64_TARGET
#undef STBI__X86_TARGET
#undef STBI_SSE2
#undef STBI_NEON
#undef STBI_SIMD_ALIGN
#undef STBI_NOTUSED
#undef stbi_inline
#undef stbi_lrot
#undef stbi__err
#undef stbi__errpf
#undef stbi__errpuc
#undef STBI__BYTECAST
#undef STBI_SUPPORT_ZLIB
#pragma pop_macro("STBIDEF")
#pragma pop_macro("STBI_ONLY_PNG")
#pragma pop_macro("STBI_ONLY_JPEG")
#pragma pop_macro("STBI_NO_HDR")
#pragma pop_macro("STBI_NO_LINEAR")
#pragma pop_macro("STBI_NO_STDIO")
#pragma pop_macro("STBI_MAX_DIMENSIONS")
#pragma pop_macro("STBI_ASSERT")
#pragma pop_macro("STBI_FREE")
#pragma pop_macro("STBI_REALLOC_SIZED")
#pragma pop_macro("STBI_MALLOC")
#pragma pop_macro("STB_IMAGE_STATIC")
#pragma pop_macro("STB_IMAGE_IMPLEMENTATION")
#pragma pop_macro("STBI_INCLUDE_STB_IMAGE_H")

namespace couplet::inline COUPLET_ABI::image::stb {

struct Release {
  void operator()(unsigned char* pixels) const noexcept { release(pixels); }
};

/// (height, width, channels) samples of 8 bits; of 16-bit files the high byte. `pixels` is empty after an error.
struct Decoded {
  std::unique_ptr<unsigned char[], Release> pixels;
  int width = 0, height = 0, channels = 0;
  const char* error = nullptr;
};

/// Decodes a checked file with at most `bytes` of memory. Throws std::bad_alloc when the system refuses less than that.
inline Decoded decode(std::span<const std::uint8_t> file, int channels, std::uint64_t bytes) {
  budget = {bytes};
  Decoded out;
  out.pixels.reset(couplet_stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &out.width, &out.height,
                                                 &out.channels, channels));
  if (budget.out_of_memory) throw std::bad_alloc();
  if (!out.pixels) out.error = budget.exhausted ? "it inflates to more than its pixels" : couplet_stbi_failure_reason();
  if (channels != 0) out.channels = channels;
  return out;
}

}  // namespace couplet::inline COUPLET_ABI::image::stb
