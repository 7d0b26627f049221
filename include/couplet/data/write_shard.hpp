#pragma once
/// Writes a data set as a webdataset shard: <key>.png or .jpg, <key>.txt, <key>.cls. Equal data, equal bytes.
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/tar_writer.hpp"
#include "couplet/image/encode.hpp"

namespace couplet::inline COUPLET_ABI::data {

namespace detail {

/// One caption a line. A line break inside a caption becomes a space: tokenizers take both alike.
inline std::string caption_lines(std::vector<std::string> captions) {
  std::string lines;
  for (std::string& caption : captions) {
    std::replace(caption.begin(), caption.end(), '\n', ' ');
    lines += (lines.empty() ? "" : "\n") + caption;
  }
  return lines;
}

}  // namespace detail

/// Pictures that are pixels are written as PNG, encoded ones as they are. Captions are written one a line; the .cls
/// member holds the label where there is one. std::invalid_argument: a key that occurs twice or contains a '.'.
/// file_error: a sample cannot be read, the shard cannot be written.
inline void write_shard(const Dataset& dataset, const std::string& path) {
  TarWriter tar(path);
  for (Index i = 0; i < dataset.size(); ++i) {
    const Sample sample = dataset.sample(i);
    if (sample.key.find('.') != std::string::npos) {
      fail("write_shard", "the key '" + printable(sample.key) + "' contains a '.', which ends a key in a shard");
    }
    const bool encoded = !sample.image_bytes.empty();
    const bool jpeg = encoded && std::string_view(sample.image_bytes).substr(0, 2) == "\xff\xd8";
    tar.add(sample.key + (jpeg ? ".jpg" : ".png"), encoded ? sample.image_bytes : image::encode_png(sample.image));
    if (!sample.captions.empty()) tar.add(sample.key + ".txt", detail::caption_lines(sample.captions));
    if (sample.label) tar.add(sample.key + ".cls", std::to_string(*sample.label));
  }
  tar.finish();
}

}  // namespace couplet::inline COUPLET_ABI::data
