#pragma once
/// Which layout a model directory has, and what its files say about the model before its weights are read.
///
/// The files decide, never a name: config.json with a model_type and model.safetensors (or shards) is Hugging Face's;
/// open_clip_config.json is open_clip's; a model.safetensors alone is OpenAI's when it holds what only OpenAI's
/// archives hold. Repositories with both configurations are read as Hugging Face's unless told otherwise.
#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "couplet/checkpoint/name_map.hpp"
#include "couplet/checkpoint/sharded.hpp"
#include "couplet/image/transform.hpp"
#include "couplet/pretrained/hugging_face_config.hpp"
#include "couplet/pretrained/open_clip_config.hpp"
#include "couplet/pretrained/openai_config.hpp"

namespace couplet::inline COUPLET_ABI {

enum class Layout {
  hugging_face,  ///< config.json, model.safetensors, preprocessor_config.json
  open_clip,     ///< open_clip_config.json, open_clip_model.safetensors
  openai         ///< a state dict with OpenAI's names, without a configuration; read, not written
};

constexpr std::string_view layout_name(Layout layout) {
  constexpr std::array<std::string_view, 3> names{"Hugging Face", "open_clip", "OpenAI"};
  return names[static_cast<std::size_t>(layout)];
}

namespace pretrained {

/// A model directory, opened.
struct ModelFiles {
  Layout layout = Layout::hugging_face;
  std::string source;  ///< the file that describes the model, for messages
  checkpoint::Checkpoint checkpoint;
  checkpoint::NameMap names;
  ClipConfig config;
  std::string clean = "";              ///< open_clip's way of cleaning texts; empty: its default
  std::string hf_tokenizer_name = "";  ///< open_clip: the tokenizer is one of Hugging Face's
  bool caption_decoder = false;        ///< CoCa: the checkpoint holds a decoder, which is not read
};

namespace detail {

inline std::string path_in(const std::string& directory, std::string_view name) {
  return (std::filesystem::path(directory) / name).string();
}

inline bool exists_in(const std::string& directory, std::string_view name) {
  std::error_code ignored;
  return std::filesystem::exists(path_in(directory, name), ignored);
}

inline bool has_checkpoint(const std::string& directory, const std::string& base) {
  return exists_in(directory, base + ".safetensors") || exists_in(directory, base + ".safetensors.index.json");
}

/// Whether config.json is transformers': timm's, which stands in the same repositories, has no model_type.
inline bool has_model_type(const std::string& directory) {
  const std::string path = path_in(directory, "config.json");
  const io::JsonField root(io::Json::parse(io::read_file(path, max_config_bytes), path), path);
  return root.find("model_type").has_value();
}

inline Layout detect_layout(const std::string& directory) {
  const bool config = exists_in(directory, "config.json");
  if (!exists_in(directory, "open_clip_config.json")) {
    const bool bare = !config && has_checkpoint(directory, "model");
    return bare ? Layout::openai : Layout::hugging_face;
  }
  const bool hugging_face = config && has_checkpoint(directory, "model") && has_model_type(directory);
  return hugging_face ? Layout::hugging_face : Layout::open_clip;
}

inline ModelFiles open_hugging_face(const std::string& directory) {
  std::string source = path_in(directory, "config.json");
  ClipConfig config = read_hugging_face_config(source);
  const bool siglip = config.family == ClipConfig::Family::siglip;
  return {.layout = Layout::hugging_face,
          .source = std::move(source),
          .checkpoint = checkpoint::open_checkpoint(directory),
          .names = checkpoint::NameMap::hugging_face(siglip, config.vision.flexible()),
          .config = config};
}

/// The names that open_clip tries, in its order.
inline ModelFiles open_open_clip(const std::string& directory) {
  std::string base = "open_clip_model";
  for (const char* other : {"open_clip_pytorch_model", "model"}) {
    if (!has_checkpoint(directory, base) && has_checkpoint(directory, other)) base = other;
  }
  std::string source = path_in(directory, "open_clip_config.json");
  checkpoint::Checkpoint checkpoint = checkpoint::open_checkpoint(directory, base);
  OpenClipModel model = read_open_clip_model(source, checkpoint);
  const checkpoint::OpenClipNames names{.text_prefix = checkpoint.find("text.token_embedding.weight") != nullptr,
                                        .text_projection_bias = model.config.text.projection_bias,
                                        .timm = model.timm,
                                        .eva02 = model.config.vision.eva02,
                                        .caption_decoder = model.caption_decoder};
  return {.layout = Layout::open_clip,
          .source = std::move(source),
          .checkpoint = std::move(checkpoint),
          .names = checkpoint::NameMap::open_clip(names),
          .config = model.config,
          .clean = std::move(model.clean),
          .hf_tokenizer_name = std::move(model.hf_tokenizer_name),
          .caption_decoder = model.caption_decoder};
}

/// `stated`: the caller says that it is OpenAI's. Otherwise the file must prove it.
inline ModelFiles open_openai(const std::string& directory, bool stated) {
  checkpoint::Checkpoint checkpoint = checkpoint::open_checkpoint(directory);
  if (!has_openai_names(checkpoint)) {
    throw file_error(directory,
                     "found neither config.json nor open_clip_config.json, and model.safetensors has not "
                     "OpenAI's names");
  }
  if (!stated && !is_openai_archive(checkpoint)) {
    throw file_error(directory,
                     "found neither config.json nor open_clip_config.json. model.safetensors has OpenAI's names, but "
                     "open_clip's models with another activation have them too; state the layout if it is OpenAI's");
  }
  ClipConfig config = openai_config(checkpoint);
  return {.layout = Layout::openai,
          .source = checkpoint.files().front().path(),
          .checkpoint = std::move(checkpoint),
          .names = checkpoint::NameMap::open_clip(),
          .config = config};
}

}  // namespace detail

/// Opens a model directory: reads its configuration and the header of its checkpoint. `layout`: the one to read where
/// the files leave a choice, or cannot tell.
inline ModelFiles open_model(const std::string& directory, std::optional<Layout> layout = std::nullopt) {
  switch (layout ? *layout : detail::detect_layout(directory)) {
    case Layout::hugging_face:
      return detail::open_hugging_face(directory);
    case Layout::open_clip:
      return detail::open_open_clip(directory);
    case Layout::openai:
      break;
  }
  return detail::open_openai(directory, layout.has_value());
}

}  // namespace pretrained

}  // namespace couplet::inline COUPLET_ABI
