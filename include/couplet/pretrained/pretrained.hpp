#pragma once
/// A model as its users have it: towers, tokenizer and image transform, read from one directory and written to one.
///
///   auto clip = couplet::load_pretrained("clip-vit-base-patch32");
///   auto images = clip.encode_image(photos);      // (N, E), unit length
///   auto texts = clip.encode_text({"a cat", "a dog"});
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "couplet/image/decode.hpp"
#include "couplet/image/transform.hpp"
#include "couplet/ops/l2_normalize.hpp"
#include "couplet/pretrained/hugging_face_config.hpp"
#include "couplet/pretrained/parameters.hpp"
#include "couplet/tokenizers/tokenizer.hpp"

namespace couplet::inline COUPLET_ABI {

/// Whether features are divided by their length.
enum class Normalize { no, yes };

template <class T>
class Pretrained {
 public:
  Clip<T> model = {};
  std::optional<tokenizers::Tokenizer> tokenizer = {};     ///< none: see no_tokenizer
  std::string no_tokenizer = "it has no tokenizer files";  ///< why there is none
  image::Transform transform = image::Transform();
  checkpoint::DType storage = checkpoint::DType::f32;  ///< how the parameters were stored, and will be saved
  std::string directory = {};                          ///< where it came from, for messages

  [[nodiscard]] Index embed_dim() const { return model.embed_dim(); }

  /// Decodes a file as this model's transform wants it, upright as its EXIF data say unless told otherwise.
  [[nodiscard]] image::Image read_image(const std::string& path, bool ignore_exif = false) const {
    image::DecodeOptions options = transform.decode_options();
    options.apply_exif_orientation = !ignore_exif;
    return image::decode_file(path, options);
  }

  /// (N, E). Images go through the towers in batches; the result does not depend on how they are cut.
  [[nodiscard]] Tensor<T, 2> encode_image(std::span<const image::Image> images,
                                          Normalize normalize = Normalize::yes) const {
    const VisionConfig& v = model.config().vision;
    const auto count = static_cast<Index>(images.size());
    Tensor<T, 2> features({count, embed_dim()});
    Workspace workspace;
    for (Index begin = 0; begin < count; begin += batch_size) {
      const Index n = std::min(batch_size, count - begin);
      Tensor<T, 4> pixels({n, v.channels, v.image_height, v.image_width});
      parallel_for(n, [&](Index i) { to_pixels(images[static_cast<std::size_t>(begin + i)], pixels.view()[i]); });
      encode_pixels(pixels, features.view().slice(begin, begin + n), normalize, workspace);
    }
    return features;
  }
  [[nodiscard]] Tensor<T, 2> encode_image(const image::Image& one, Normalize normalize = Normalize::yes) const {
    return encode_image(std::span(&one, 1), normalize);
  }

  /// (N, E). std::invalid_argument when there is no tokenizer.
  [[nodiscard]] Tensor<T, 2> encode_text(std::span<const std::string> texts,
                                         Normalize normalize = Normalize::yes) const {
    if (!tokenizer) {
      fail("encode_text", "the model " + (directory.empty() ? "" : "in \"" + directory + "\" ") +
                              "has no tokenizer: " + no_tokenizer + "; give a vocabulary or token ids");
    }
    const auto count = static_cast<Index>(texts.size());
    Tensor<T, 2> features({count, embed_dim()});
    Workspace workspace;
    for (Index begin = 0; begin < count; begin += text_batch_size) {
      const Index n = std::min(text_batch_size, count - begin);
      tokenizers::TokenBatch batch =
          (*tokenizer)(texts.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n)));
      const TensorView<const std::int64_t, 2> ids(batch.ids.data(), {n, static_cast<Index>(batch.context_length)});
      const TensorView<T, 2> out = features.view().slice(begin, begin + n);
      model.encode_text(ids, out, workspace);
      if (normalize == Normalize::yes) to_unit_length(out);
    }
    return features;
  }
  [[nodiscard]] Tensor<T, 2> encode_text(const std::vector<std::string>& texts,
                                         Normalize normalize = Normalize::yes) const {
    return encode_text(std::span<const std::string>(texts), normalize);
  }
  [[nodiscard]] Tensor<T, 2> encode_text(const std::string& one, Normalize normalize = Normalize::yes) const {
    return encode_text(std::span<const std::string>(&one, 1), normalize);
  }

  /// pixels: (B, 3, H, W), already transformed   features: (B, E).
  void encode_pixels(TensorView<const T, 4> pixels, TensorView<T, 2> features, Normalize normalize,
                     Workspace& workspace) const {
    model.encode_image(pixels, features, workspace);
    if (normalize == Normalize::yes) to_unit_length(features);
  }

  /// Resize, crop and normalise one image. out: (3, H, W).
  void to_pixels(const image::Image& one, TensorView<T, 3> out) const {
    if constexpr (std::is_same_v<T, float>) {
      transform(one, std::span<float>(out.data(), static_cast<std::size_t>(out.size())));
    } else {
      std::vector<float> values(static_cast<std::size_t>(out.size()));
      transform(one, std::span<float>(values));
      std::copy(values.begin(), values.end(), out.data());
    }
  }

  /// What this model does with images and texts, for people.
  [[nodiscard]] std::string describe() const {
    const ClipConfig& c = model.config();
    const bool siglip = c.family == ClipConfig::Family::siglip;
    return std::string(siglip ? "SigLIP" : "CLIP") + ", image tower " + std::to_string(c.vision.layers) + " x " +
           std::to_string(c.vision.width) + ", text tower " + std::to_string(c.text.layers) + " x " +
           std::to_string(c.text.width) + ", " + std::to_string(c.embed_dim) + " features, activation " +
           std::string(pretrained::detail::activation_name(c.vision.activation)) + "; images: " + transform.describe() +
           "; texts: " + (tokenizer ? tokenizer->describe() : std::string("no tokenizer"));
  }

 private:
  static constexpr Index batch_size = 64;
  static constexpr Index text_batch_size = 256;

  static void to_unit_length(TensorView<T, 2> features) {
    Tensor<T, 1> norms({features.extent(0)});
    ops::l2_normalize_forward<T>(features, features, norms);
  }
};

namespace pretrained::detail {

/// The image transform of a directory: its preprocessor_config.json, or what the model's family does by default.
inline image::Transform load_transform(const std::string& directory, const ClipConfig& config) {
  const int size = static_cast<int>(config.vision.image_height);
  const image::TransformConfig fallback =
      is_siglip(config) ? image::siglip_transform_config(size) : image::clip_transform_config(size);
  image::Transform transform = image::Transform::from_preprocessor_config(directory, fallback);
  const bool fits = transform.height() == config.vision.image_height && transform.width() == config.vision.image_width;
  if (!fits) {
    throw file_error(directory, "the image processor makes " + std::to_string(transform.height()) + " x " +
                                    std::to_string(transform.width()) + " pixels, but config.json says image_size " +
                                    std::to_string(size));
  }
  return transform;
}

/// A configuration cannot ask for much more memory than its checkpoint has bytes. Small contradictions are left to
/// load_parameters, which names every tensor.
inline void check_budget(const ClipConfig& config, const checkpoint::Checkpoint& checkpoint, const std::string& path) {
  const std::uint64_t budget = 16 * (checkpoint.data_bytes() / 2) + (1U << 24U);
  Index count = 0;
  try {
    count = parameter_count(config);
  } catch (const std::invalid_argument& error) {
    throw file_error(path, error.what());
  }
  if (count < 0 || static_cast<std::uint64_t>(count) > budget) {
    throw file_error(path, "describes a model of " + std::to_string(count) + " parameters, but the checkpoint has " +
                               std::to_string(checkpoint.data_bytes()) + " bytes");
  }
}

}  // namespace pretrained::detail

/// Reads a Hugging Face directory: config.json, model.safetensors (or shards with an index) in F32, F16 or BF16,
/// tokenizer files and preprocessor_config.json where present. file_error says what does not fit.
template <class T = float>
Pretrained<T> load_pretrained(const std::string& directory) {
  const std::string config_path = (std::filesystem::path(directory) / "config.json").string();
  const ClipConfig config = pretrained::read_hugging_face_config(config_path);
  const checkpoint::Checkpoint checkpoint = checkpoint::open_checkpoint(directory);
  pretrained::detail::check_budget(config, checkpoint, config_path);
  Pretrained<T> bundle{.model = Clip<T>(config), .transform = pretrained::detail::load_transform(directory, config)};
  pretrained::load_parameters(bundle.model, checkpoint, config_path);
  if (const auto* any = checkpoint.find("logit_scale")) bundle.storage = any->dtype;
  bundle.directory = directory;
  if (tokenizers::Tokenizer::exists(directory)) {
    tokenizers::Tokenizer tokenizer = tokenizers::Tokenizer::load(directory);
    if (tokenizer.vocab_size() > config.text.vocab_size) {
      throw file_error(directory, "the tokenizer has " + std::to_string(tokenizer.vocab_size()) +
                                      " tokens, but config.json says vocab_size " +
                                      std::to_string(config.text.vocab_size));
    }
    bundle.tokenizer = tokenizer.with_context_length(config.text.context_length);
  }
  return bundle;
}

/// Writes a directory that load_pretrained and transformers open; every file is replaced atomically.
template <class T>
void save_pretrained(Pretrained<T>& bundle, const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) throw file_error(directory, "cannot be created: " + error.message());
  const std::string_view dtype = bundle.storage == checkpoint::DType::f16    ? "float16"
                                 : bundle.storage == checkpoint::DType::bf16 ? "bfloat16"
                                 : bundle.storage == checkpoint::DType::f64  ? "float64"
                                                                             : "float32";
  const fs::path folder(directory);
  checkpoint::save_safetensors((folder / "model.safetensors").string(),
                               pretrained::parameter_records(bundle.model, bundle.storage), {{"format", "pt"}});
  io::write_file((folder / "config.json").string(), pretrained::hugging_face_config(bundle.model.config(), dtype));
  bundle.transform.save(directory);
  if (bundle.tokenizer) bundle.tokenizer->save(directory);
}

}  // namespace couplet::inline COUPLET_ABI
