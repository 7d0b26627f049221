#pragma once
/// A model as its users have it: towers, tokenizer and image transform, read from one directory and written to one.
///
///   auto clip = couplet::load_pretrained("clip-vit-base-patch32");
///   auto images = clip.encode_image(photos);      // (N, E), unit length
///   auto texts = clip.encode_text({"a cat", "a dog"});
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "couplet/image/decode.hpp"
#include "couplet/image/naflex.hpp"
#include "couplet/image/transform.hpp"
#include "couplet/ops/l2_normalize.hpp"
#include "couplet/pretrained/describe.hpp"
#include "couplet/pretrained/layout.hpp"
#include "couplet/pretrained/open_clip_config_writer.hpp"
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
  Layout layout = Layout::hugging_face;                ///< of the directory it came from, and will be saved in
  std::string open_clip_clean = {};                    ///< open_clip's tokenizer_kwargs.clean, kept in its layout
  bool caption_decoder = false;                        ///< CoCa's, beside the model read: not used and not saved
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
    if (v.flexible()) {
      for (Index begin = 0; begin < count; begin += batch_size) {
        const Index n = std::min(batch_size, count - begin);
        encode_each(images.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(n)),
                    features.view().slice(begin, begin + n), normalize, workspace);
      }
      return features;
    }
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
  void to_pixels(const image::Image& one, TensorView<T, 3> out) const { apply(transform, one, out); }

  /// What this model is and what it does with images and texts, in lines for people.
  [[nodiscard]] std::vector<pretrained::DescriptionLine> describe_lines() const {
    auto lines = pretrained::describe_model(model.config(), static_cast<double>(model.log_scale()),
                                            static_cast<double>(model.bias()), sizeof(T));
    lines.insert(lines.begin(), {"layout", std::string(layout_name(layout)) + ", stored as " +
                                               std::string(checkpoint::dtype_name(storage))});
    if (caption_decoder) lines.emplace_back("caption decoder", "not used");
    lines.emplace_back("images", transform.describe());
    lines.emplace_back("texts", tokenizer ? tokenizer->describe() : "no tokenizer: " + no_tokenizer);
    return lines;
  }

  /// The same in short, in one line.
  [[nodiscard]] std::string describe() const {
    return pretrained::describe_in_short(model.config()) + (caption_decoder ? "; caption decoder: not used" : "") +
           "; images: " + transform.describe() +
           "; texts: " + (tokenizer ? tokenizer->describe() : std::string("no tokenizer"));
  }

 private:
  static constexpr Index batch_size = 64;
  static constexpr Index text_batch_size = 256;

  static void apply(const image::Transform& to, const image::Image& one, TensorView<T, 3> out) {
    if constexpr (std::is_same_v<T, float>) {
      to(one, std::span<float>(out.data(), static_cast<std::size_t>(out.size())));
    } else {
      std::vector<float> values(static_cast<std::size_t>(out.size()));
      to(one, std::span<float>(values));
      std::copy(values.begin(), values.end(), out.data());
    }
  }

  /// NaFlex: every image has a size of its own.
  void encode_each(std::span<const image::Image> images, TensorView<T, 2> features, Normalize normalize,
                   Workspace& workspace) const {
    const VisionConfig& v = model.config().vision;
    const image::NaflexConfig naflex{static_cast<int>(v.patch_size), static_cast<int>(v.max_patches),
                                     transform.config()};
    std::vector<Tensor<T, 3>> pixels(images.size());
    parallel_for(static_cast<Index>(images.size()), [&](Index i) {
      const image::Image& one = images[static_cast<std::size_t>(i)];
      const image::Transform fitted = image::naflex_transform(naflex, {one.height, one.width});
      Tensor<T, 3>& out = pixels[static_cast<std::size_t>(i)];
      out.resize({v.channels, fitted.height(), fitted.width()});
      apply(fitted, one, out);
    });
    const std::vector<TensorView<const T, 3>> views(pixels.begin(), pixels.end());
    model.encode_image(std::span<const TensorView<const T, 3>>(views), features, workspace);
    if (normalize == Normalize::yes) to_unit_length(features);
  }

  static void to_unit_length(TensorView<T, 2> features) {
    Tensor<T, 1> norms({features.extent(0)});
    ops::l2_normalize_forward<T>(features, features, norms);
  }
};

namespace pretrained {

/// A tokenizer with the rules of a layout: transformers', or those of open_clip's or OpenAI's own tokenizer.
inline tokenizers::Tokenizer in_dialect(const tokenizers::Tokenizer& tokenizer, Layout layout,
                                        tokenizers::OpenClipClean clean = tokenizers::OpenClipClean::lower) {
  using tokenizers::ClipDialect;
  constexpr std::array dialects{ClipDialect::hugging_face, ClipDialect::open_clip, ClipDialect::openai};
  return tokenizer.with_dialect(dialects[static_cast<std::size_t>(layout)], clean);
}

}  // namespace pretrained

namespace pretrained::detail {

/// NaFlex: the transform has no size of its own, and the processor's file may say how many patches an image may have.
inline image::Transform load_naflex_transform(const std::string& directory, VisionConfig& v) {
  image::NaflexConfig naflex = image::naflex_config(static_cast<int>(v.patch_size), static_cast<int>(v.max_patches));
  const std::string path = path_in(directory, "preprocessor_config.json");
  if (exists_in(directory, "preprocessor_config.json")) {
    const io::Json json = io::Json::parse(io::read_file(path, max_config_bytes), path);
    naflex = image::parse_naflex_config(io::JsonField(json, path), naflex);
    if (naflex.patch_size != v.patch_size) {
      throw file_error(path, "patch_size: expected " + std::to_string(v.patch_size) + ", found " +
                                 std::to_string(naflex.patch_size));
    }
  }
  v.max_patches = naflex.max_patches;
  return image::Transform(naflex.transform);
}

/// The image transform of a directory: what its files say, or what the model's family does by default.
inline image::Transform load_transform(const std::string& directory, const ModelFiles& files) {
  const VisionConfig& v = files.config.vision;
  const int size = static_cast<int>(v.image_height);
  if (files.layout == Layout::openai) return image::Transform(image::open_clip_transform_config({size, size}));
  const image::TransformConfig fallback =
      is_siglip(files.config) ? image::siglip_transform_config(size) : image::clip_transform_config(size);
  image::Transform transform = files.layout == Layout::open_clip
                                   ? image::Transform::from_open_clip_config(files.source)
                                   : image::Transform::from_preprocessor_config(directory, fallback);
  if (transform.height() != v.image_height || transform.width() != v.image_width) {
    const std::string name = std::filesystem::path(files.source).filename().string();
    throw file_error(directory, "the image processor makes " + std::to_string(transform.height()) + " x " +
                                    std::to_string(transform.width()) + " pixels, but " + name + " says image_size " +
                                    (v.image_height == v.image_width ? "" : std::to_string(v.image_height) + " x ") +
                                    std::to_string(v.image_width));
  }
  return transform;
}

/// A transform that does the same for another image size.
inline image::Transform resized_transform(const image::Transform& transform, image::Size size) {
  image::TransformConfig config = transform.config();
  const int edge = std::max(size.height, size.width);
  const bool one_edge = config.resize_mode == image::ResizeMode::shortest_edge &&
                        config.pipeline != image::Pipeline::open_clip;  // transformers then resize to a square's edge
  const int before = std::max(config.crop_size.height, config.crop_size.width);
  const int margin = config.do_center_crop ? std::max(0, config.size.height - before) : 0;  // resized larger than kept
  config.size = one_edge ? image::Size{edge + margin * edge / before, edge + margin * edge / before} : size;
  config.crop_size = size;
  return image::Transform(config);
}

/// How a layout's own library fits the position table to a grid, and the grid that the file holds. open_clip's files
/// may hold another (square) grid than their configuration says.
inline PositionTable position_table(const ModelFiles& files) {
  PositionTable table{grid_of(files.config.vision)};
  if (files.layout == Layout::hugging_face) return table;
  table.filter = nn::PositionFilter::bicubic_antialias;
  const checkpoint::TensorInfo* found = files.checkpoint.find(position_name(files.config.vision));
  if (found == nullptr || found->shape.size() != 2) return table;
  const Index patches = static_cast<Index>(found->shape[0]) - 1;
  const auto side = static_cast<Index>(std::lround(std::sqrt(static_cast<double>(std::max<Index>(0, patches)))));
  if (patches > 0 && patches != table.grid.size() && side * side == patches) table.grid = {side, side};
  return table;
}

/// A tokenizer with the rules of a directory's layout. In open_clip's, a byte-level BPE that is named as one of Hugging
/// Face's keeps its own rules; SentencePiece's texts are cleaned first.
inline tokenizers::Tokenizer in_dialect_of(const ModelFiles& files, const tokenizers::Tokenizer& tokenizer) {
  using tokenizers::OpenClipClean;
  const bool clip = tokenizer.as_clip() != nullptr;
  const bool own_rules = clip ? !files.hf_tokenizer_name.empty() : files.layout == Layout::openai;
  if (files.layout == Layout::hugging_face || own_rules) return tokenizer;
  OpenClipClean clean = clip ? OpenClipClean::lower : OpenClipClean::whitespace;  // SimpleTokenizer's, HFTokenizer's
  if (files.clean == "canonicalize") {
    clean = OpenClipClean::canonicalize;
  } else if (files.clean == "whitespace") {
    clean = OpenClipClean::whitespace;
  } else if (files.clean == "lower") {
    clean = OpenClipClean::lower;
  } else if (!files.clean.empty()) {
    throw file_error(files.source,
                     "model_cfg.text_cfg.tokenizer_kwargs.clean: \"" + printable(files.clean) + "\" is not supported");
  }
  return in_dialect(tokenizer, files.layout, clean);
}

/// A text model whose tokenizer is of another kind than CLIP's and SigLIP's.
inline bool has_foreign_tokenizer(const std::string& directory, const ModelFiles& files) {
  const bool known = exists_in(directory, "merges.txt") || exists_in(directory, "spiece.model") ||
                     exists_in(directory, "tokenizer.model");
  return !files.hf_tokenizer_name.empty() && !is_siglip(files.config) && !known;
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

struct LoadOptions {
  std::optional<Layout> layout = {};           ///< the layout to read, where the files leave a choice or cannot tell
  std::optional<image::Size> image_size = {};  ///< another size of images: positions are resized as the layout's
                                               ///< library does it (transformers: interpolate_pos_encoding)
  Precision precision = Precision::float32;    ///< of products, see Clip::prepare
  nn::Packing packing = nn::Packing::kept;  ///< only: weights in packed form alone, for inference in half the memory;
                                            ///< at_use: no packed weights, as training wants it
};

/// Reads a model directory in any Layout: configuration, weights (or shards with an index) in F32, F16 or BF16,
/// tokenizer files and image transform where present. file_error says what does not fit.
template <class T = float>
Pretrained<T> load_pretrained(const std::string& directory, const LoadOptions& options = {}) {
  const pretrained::ModelFiles files = pretrained::open_model(directory, options.layout);
  ClipConfig config = files.config;
  pretrained::detail::check_budget(config, files.checkpoint, files.source);
  image::Transform transform = config.vision.flexible()
                                   ? pretrained::detail::load_naflex_transform(directory, config.vision)
                                   : pretrained::detail::load_transform(directory, files);
  if (options.image_size && config.vision.flexible()) fail("load_pretrained", "NaFlex models have no image size");
  if (options.image_size) {
    config.vision.image_height = options.image_size->height;
    config.vision.image_width = options.image_size->width;
    transform = pretrained::detail::resized_transform(transform, *options.image_size);
  }
  Pretrained<T> bundle{.model = Clip<T>(config), .transform = std::move(transform)};
  pretrained::load_parameters(bundle.model, files.checkpoint, files.names, files.source,
                              pretrained::detail::position_table(files),
                              pretrained::Preparation{options.precision, options.packing});
  if (const auto* any = files.checkpoint.find("logit_scale")) bundle.storage = any->dtype;
  bundle.layout = files.layout;
  bundle.caption_decoder = files.caption_decoder;
  bundle.directory = directory;
  if (pretrained::detail::has_foreign_tokenizer(directory, files)) {
    bundle.no_tokenizer = "\"" + printable(files.hf_tokenizer_name) + "\" is not supported";
  } else if (tokenizers::Tokenizer::exists(directory)) {
    tokenizers::Tokenizer tokenizer = tokenizers::Tokenizer::load(directory);
    if (tokenizer.vocab_size() > config.text.vocab_size) {
      throw file_error(directory, "the tokenizer has " + std::to_string(tokenizer.vocab_size()) + " tokens, but " +
                                      std::filesystem::path(files.source).filename().string() + " says vocab_size " +
                                      std::to_string(config.text.vocab_size));
    }
    bundle.tokenizer = tokenizer.with_context_length(config.text.context_length);
  }
  if (bundle.tokenizer) bundle.tokenizer = pretrained::detail::in_dialect_of(files, *bundle.tokenizer);
  bundle.open_clip_clean = files.clean;
  return bundle;
}

namespace pretrained::detail {

/// std::invalid_argument naming what the layout cannot hold.
inline void require_saveable(const ClipConfig& config, const image::TransformConfig& transform, Layout layout) {
  const bool hugging_face = layout == Layout::hugging_face;
  std::string obstacle = hugging_face ? hugging_face_obstacle(config) : open_clip_obstacle(config);
  if (obstacle.empty() && !hugging_face) obstacle = open_clip_obstacle(transform);
  if (obstacle.empty()) return;
  fail("save_pretrained", "the " + std::string(layout_name(hugging_face ? layout : Layout::open_clip)) +
                              " layout cannot hold this model: " + obstacle);
}

template <class T>
void save_hugging_face(Pretrained<T>& bundle, const std::string& directory) {
  const ClipConfig& config = bundle.model.config();
  image::TransformConfig transform = bundle.transform.config();
  if (is_siglip(config) && !transform.do_center_crop) transform.image_processor_type = "SiglipImageProcessor";
  const VisionConfig& v = config.vision;
  const std::string processor =
      v.flexible() ? image::naflex_config_json(
                         {static_cast<int>(v.patch_size), static_cast<int>(v.max_patches), bundle.transform.config()})
                   : image::preprocessor_config_json(transform);
  const std::string_view dtype = bundle.storage == checkpoint::DType::f16    ? "float16"
                                 : bundle.storage == checkpoint::DType::bf16 ? "bfloat16"
                                 : bundle.storage == checkpoint::DType::f64  ? "float64"
                                                                             : "float32";
  const auto names = checkpoint::NameMap::hugging_face(is_siglip(config), v.flexible());
  checkpoint::save_safetensors(path_in(directory, "model.safetensors"),
                               parameter_records(bundle.model, bundle.storage, names), {{"format", "pt"}});
  io::write_file(path_in(directory, "config.json"), hugging_face_config(config, dtype));
  io::write_file(path_in(directory, "preprocessor_config.json"), processor);
}

/// Whether open_clip's built-in tokenizer, with OpenAI's vocabulary, is not this one.
inline bool is_own_tokenizer(const tokenizers::Tokenizer& tokenizer) {
  return tokenizer.vocab_size() != 49408 || tokenizer.bos_token_id() != 49406 || tokenizer.eos_token_id() != 49407;
}

template <class T>
void save_open_clip(Pretrained<T>& bundle, const std::string& directory) {
  const ClipConfig& config = bundle.model.config();
  const OpenClipTokenizer tokenizer{bundle.tokenizer && is_own_tokenizer(*bundle.tokenizer), bundle.open_clip_clean};
  const auto names = checkpoint::NameMap::open_clip({.text_prefix = has_custom_text(config),
                                                     .text_projection_bias = config.text.projection_bias,
                                                     .timm = config.vision.eva02,
                                                     .eva02 = config.vision.eva02});
  checkpoint::save_safetensors(path_in(directory, "open_clip_model.safetensors"),
                               parameter_records(bundle.model, bundle.storage, names), {{"format", "pt"}});
  io::write_file(path_in(directory, "open_clip_config.json"),
                 open_clip_config(config, bundle.transform.config(), tokenizer));
}

}  // namespace pretrained::detail

/// Writes a directory that load_pretrained and the layout's own library open; every file is replaced atomically.
/// `layout`: bundle.layout unless given (OpenAI's becomes open_clip's, which has the same names).
/// std::invalid_argument: what the layout cannot hold, by name.
template <class T>
void save_pretrained(Pretrained<T>& bundle, const std::string& directory, std::optional<Layout> layout = std::nullopt) {
  const bool hugging_face = layout.value_or(bundle.layout) == Layout::hugging_face;
  pretrained::detail::require_saveable(bundle.model.config(), bundle.transform.config(),
                                       layout.value_or(bundle.layout));
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) throw file_error(directory, "cannot be created: " + error.message());
  hugging_face ? pretrained::detail::save_hugging_face(bundle, directory)
               : pretrained::detail::save_open_clip(bundle, directory);
  if (!bundle.tokenizer) return;
  pretrained::in_dialect(*bundle.tokenizer, Layout::hugging_face).save(directory);
}

}  // namespace couplet::inline COUPLET_ABI
