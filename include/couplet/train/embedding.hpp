#pragma once
/// Features of whole data sets: every picture through the image tower, every caption through the text tower.
///
/// Pictures are read as float, so T is float; it is a parameter so that only programs that embed compile a tower. The
/// same holds of train/image_features.hpp, train/evaluation.hpp and train/run.hpp.
#include <string>
#include <vector>

#include "couplet/data/batch.hpp"
#include "couplet/data/dataset.hpp"
#include "couplet/data/decode_picture.hpp"
#include "couplet/pretrained/pretrained.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// Pictures of a data set as vectors.
struct ImageEmbeddings {
  Tensor<float, 2> embeds;                         ///< (N, E), rows in the order of the data set
  std::vector<Index> indices;                      ///< (N), where each came from
  std::vector<data::UnreadableSample> unreadable;  ///< left out
};

/// Calls on_progress(done, total) after each batch. Unreadable pictures are left out and named.
template <class T, class Progress>
ImageEmbeddings embed_images(const Pretrained<T>& bundle, const data::Dataset& dataset, Normalize normalize,
                             image::DecodeOptions decode, Progress&& on_progress) {
  constexpr Index batch_size = 64;
  const VisionConfig& v = bundle.model.config().vision;
  const Index total = dataset.size();
  ImageEmbeddings result;
  result.embeds.resize({total, bundle.embed_dim()});
  const Index fixed = v.flexible() ? 0 : std::min(batch_size, total);
  Tensor<float, 4> pixels({fixed, v.channels, v.image_height, v.image_width});
  std::vector<image::Image> pictures;  // NaFlex: they have sizes of their own
  std::vector<std::string> errors;
  Workspace workspace;
  Index kept = 0;
  for (Index begin = 0; begin < total; begin += batch_size) {
    const Index n = std::min(batch_size, total - begin);
    errors.assign(static_cast<std::size_t>(n), "");
    pictures.assign(v.flexible() ? static_cast<std::size_t>(n) : 0, {});
    parallel_for(n, [&](Index i) {
      try {
        image::Image picture = data::decode_picture(dataset.sample(begin + i), decode);
        if (v.flexible()) {
          pictures[static_cast<std::size_t>(i)] = std::move(picture);
        } else {
          bundle.to_pixels(picture, pixels.view()[i]);
          image::recycled_bytes().give(std::move(picture.pixels));
        }
      } catch (const file_error& error) {
        errors[static_cast<std::size_t>(i)] = error.what();
      }
    });
    Index good = 0;
    for (Index i = 0; i < n; ++i) {
      const std::string& error = errors[static_cast<std::size_t>(i)];
      if (!error.empty()) {
        result.unreadable.push_back({begin + i, error});
        continue;
      }
      if (good != i && v.flexible()) {
        pictures[static_cast<std::size_t>(good)] = std::move(pictures[static_cast<std::size_t>(i)]);
      } else if (good != i) {
        copy(TensorView<const float, 3>(pixels.view()[i]), pixels.view()[good]);
      }
      result.indices.push_back(begin + i);
      ++good;
    }
    const TensorView<float, 2> embeds = result.embeds.view().slice(kept, kept + good);
    if (v.flexible()) {
      copy(TensorView<const float, 2>(
               bundle.encode_image(std::span(pictures).first(static_cast<std::size_t>(good)), normalize).view()),
           embeds);
    } else {
      bundle.encode_pixels(pixels.view().slice(0, good), embeds, normalize, workspace);
    }
    kept += good;
    on_progress(begin + n, total);
  }
  result.embeds.resize({kept, bundle.embed_dim()});
  return result;
}

template <class T>
ImageEmbeddings embed_images(const Pretrained<T>& bundle, const data::Dataset& dataset) {
  return embed_images(bundle, dataset, Normalize::yes, bundle.transform.decode_options(), [](Index, Index) {});
}

}  // namespace couplet::inline COUPLET_ABI::train
