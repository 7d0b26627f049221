#pragma once
/// The pixels of a sample.
#include "couplet/data/sample.hpp"
#include "couplet/image/decode.hpp"

namespace couplet::inline COUPLET_ABI::data {

/// sample.image if it holds pixels, else sample.image_bytes decoded. file_error naming sample.source: see decode().
inline image::Image decode_picture(const Sample& sample, const image::DecodeOptions& options = {}) {
  return sample.image.width > 0 ? sample.image : image::decode(sample.image_bytes, options, sample.source);
}

}  // namespace couplet::inline COUPLET_ABI::data
