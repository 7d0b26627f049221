#pragma once
/// One example of a data set: a picture with the texts that describe it.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "couplet/image/image.hpp"

namespace couplet::inline COUPLET_ABI::data {

struct Sample {
  /// The name within the data set, unique in each of its files: the key of a webdataset sample, the path of a list.
  std::string key;
  /// Where the picture lies, for errors: "shard.tar: 00017.png".
  std::string source;
  /// The encoded picture (PNG, JPEG); empty when `image` holds the pixels.
  std::string image_bytes;
  /// The pixels; empty (width 0) as long as the picture is encoded.
  image::Image image;
  /// UTF-8 in well-meant files, any bytes in others. Usually one; none where the data set has pictures only.
  std::vector<std::string> captions;
  /// The index of the picture's class, where the data set has classes.
  std::optional<std::int64_t> label;
};

}  // namespace couplet::inline COUPLET_ABI::data
