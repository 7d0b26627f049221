#pragma once
/// How each checkpoint layout names and shapes the parameters, kept as data.
///
/// Inside, names are open_clip's, with both projections as linear layers. A layout is a list of replacements of name
/// fragments, applied in order. A mark in a replacement says that the file cuts a parameter into several tensors of
/// whole rows: in_proj_weight (or in_proj_bias) "{qkv}" into three called q, k, v or "{q|kv}" into two called q, kv;
/// kv_proj_weight "{k|v}" into two called k, v, in_proj_bias without keys "{q|v}" into two called q, v.
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI::checkpoint {

/// How the elements of a tensor in the file are arranged, seen from the parameter.
enum class Form {
  same,
  transposed,    ///< (in, out) instead of (out, in)
  leading_one,   ///< one more dimension, of extent 1, in front
  leading_ones,  ///< two of them
  patch_rows,    ///< (C, p p channels) instead of (C, channels, p, p): the channels of one pixel are neighbours
};

struct Rename {
  std::string_view inside;  ///< a fragment of a name inside couplet; a leading '^' ties it to the beginning
  std::string_view file;
  Form form = Form::same;
};

/// A tensor of a file and the rows of a parameter that it holds: rows [first, first + parts) of `of` equal shares.
struct FileTensor {
  std::string name;
  Form form = Form::same;
  int first = 0;
  int parts = 1;
  int of = 1;
  friend bool operator==(const FileTensor&, const FileTensor&) = default;
};

namespace detail {

/// Hugging Face CLIPModel and SiglipModel (transformers, modeling_clip.py and modeling_siglip.py). "pre_layrnorm" is
/// spelled so there.
inline constexpr std::array hugging_face_names{
    Rename{"^visual.conv1.", "vision_model.embeddings.patch_embedding."},
    Rename{"^visual.class_embedding", "vision_model.embeddings.class_embedding"},
    Rename{"^visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
    Rename{"^visual.ln_pre.", "vision_model.pre_layrnorm."},
    Rename{"^visual.ln_post.", "vision_model.post_layernorm."},
    Rename{"^visual.proj.", "visual_projection."},
    Rename{"^visual.attn_pool.attn.", "vision_model.head.attention."},
    Rename{"^visual.attn_pool.ln.", "vision_model.head.layernorm."},
    Rename{"^visual.attn_pool.", "vision_model.head."},
    Rename{"^visual.transformer.resblocks.", "vision_model.encoder.layers."},
    Rename{"^token_embedding.", "text_model.embeddings.token_embedding."},
    Rename{"^positional_embedding", "text_model.embeddings.position_embedding.weight"},
    Rename{"^transformer.resblocks.", "text_model.encoder.layers."},
    Rename{"^ln_final.", "text_model.final_layer_norm."},
    Rename{".ln_1.", ".layer_norm1."},
    Rename{".ln_2.", ".layer_norm2."},
    Rename{".attn.in_proj_weight", ".self_attn.{qkv}_proj.weight"},
    Rename{".attn.in_proj_bias", ".self_attn.{qkv}_proj.bias"},
    Rename{".attn.out_proj.", ".self_attn.out_proj."},
    Rename{".mlp.c_fc.", ".mlp.fc1."},
    Rename{".mlp.c_proj.", ".mlp.fc2."},
};

/// SiglipModel calls the text projection a head; everything else as above.
inline constexpr std::array siglip_head_names{
    Rename{"^text_projection.", "text_model.head."},
};

/// Siglip2Model's patches are rows of a linear layer.
inline constexpr std::array naflex_names{
    Rename{"^visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight", Form::patch_rows},
};

/// OpenAI's and open_clip's projections are matrices that multiply from the right.
inline constexpr std::array projection_names{
    Rename{"^visual.proj.weight", "visual.proj", Form::transposed},
};
inline constexpr std::array text_projection_names{
    Rename{"^text_projection.weight", "text_projection", Form::transposed},
};

/// torch.nn.MultiheadAttention with keys of another width (the attentional pooler).
inline constexpr std::array pooler_names{
    Rename{"^visual.attn_pool.attn.kv_proj_weight", "visual.attn_pool.attn.{k|v}_proj_weight"},
};

/// open_clip's CustomTextCLIP and CoCa keep the text tower under a name of its own.
inline constexpr std::array custom_text_names{
    Rename{"^token_embedding.", "text.token_embedding."},
    Rename{"^cls_emb", "text.cls_emb"},
    Rename{"^positional_embedding", "text.positional_embedding"},
    Rename{"^transformer.", "text.transformer."},
    Rename{"^ln_final.", "text.ln_final."},
    Rename{"^text_projection", "text.text_projection"},
};

/// timm's VisionTransformer with attention pooling, as open_clip holds it (SigLIP), and its Eva (EVA02).
inline constexpr std::array timm_names{
    Rename{"^visual.conv1.", "visual.trunk.patch_embed.proj."},
    Rename{"^visual.positional_embedding", "visual.trunk.pos_embed", Form::leading_one},
    Rename{"^visual.ln_post.", "visual.trunk.norm."},
    Rename{"^visual.attn_pool.probe", "visual.trunk.attn_pool.latent"},
    Rename{"^visual.attn_pool.attn.in_proj_weight", "visual.trunk.attn_pool.{q|kv}.weight"},
    Rename{"^visual.attn_pool.attn.in_proj_bias", "visual.trunk.attn_pool.{q|kv}.bias"},
    Rename{"^visual.attn_pool.attn.out_proj.", "visual.trunk.attn_pool.proj."},
    Rename{"^visual.attn_pool.ln.", "visual.trunk.attn_pool.norm."},
    Rename{"^visual.attn_pool.mlp.c_fc.", "visual.trunk.attn_pool.mlp.fc1."},
    Rename{"^visual.attn_pool.mlp.c_proj.", "visual.trunk.attn_pool.mlp.fc2."},
    Rename{"^visual.transformer.resblocks.", "visual.trunk.blocks."},
};
inline constexpr std::array eva02_names{
    Rename{"^visual.conv1.", "visual.trunk.patch_embed.proj."},
    Rename{"^visual.class_embedding", "visual.trunk.cls_token", Form::leading_ones},
    Rename{"^visual.positional_embedding", "visual.trunk.pos_embed", Form::leading_one},
    Rename{"^visual.ln_post.", "visual.trunk.norm."},
    Rename{"^visual.proj.", "visual.trunk.head."},
    Rename{"^visual.transformer.resblocks.", "visual.trunk.blocks."},
};
inline constexpr std::array eva02_block_names{
    Rename{".attn.in_proj_weight", ".attn.{qkv}_proj.weight"},
    Rename{".attn.in_proj_bias", ".attn.{q|v}_proj.bias"},
    Rename{".attn.ln.", ".attn.norm."},
    Rename{".mlp.c_gate.", ".mlp.fc1_g."},
    Rename{".mlp.c_fc.", ".mlp.fc1_x."},
    Rename{".mlp.ln.", ".mlp.norm."},
};
/// Of both.
inline constexpr std::array timm_block_names{
    Rename{".ln_1.", ".norm1."},
    Rename{".ln_2.", ".norm2."},
    Rename{".attn.in_proj_weight", ".attn.qkv.weight"},
    Rename{".attn.in_proj_bias", ".attn.qkv.bias"},
    Rename{".attn.out_proj.", ".attn.proj."},
    Rename{".mlp.c_fc.", ".mlp.fc1."},
    Rename{".mlp.c_proj.", ".mlp.fc2."},
};

/// Buffers beside the parameters, at the end of their names.
inline constexpr std::array<std::string_view, 1> hugging_face_buffers{".position_ids"};
inline constexpr std::array<std::string_view, 4> open_clip_buffers{"attn_mask", "input_resolution", "context_length",
                                                                   "vocab_size"};

/// What the parameters of CoCa's caption decoder begin with.
inline constexpr std::string_view caption_decoder_prefix = "text_decoder.";

}  // namespace detail

/// What the names in an open_clip state dict depend on.
struct OpenClipNames {
  bool text_prefix = false;           ///< CustomTextCLIP, CoCa: "text.token_embedding.weight"
  bool text_projection_bias = false;  ///< the text projection is a linear layer
  bool timm = false;                  ///< the image tower is timm's: "visual.trunk."
  bool eva02 = false;                 ///< and it is EVA02's
  bool caption_decoder = false;       ///< CoCa: there is a decoder, which is not read
};

/// The names of one layout.
class NameMap {
 public:
  /// `naflex`: SigLIP 2 with images of any shape.
  static NameMap hugging_face(bool siglip, bool naflex = false) {
    NameMap map;
    if (naflex) map.add(detail::naflex_names);
    if (siglip) map.add(detail::siglip_head_names);
    map.add(detail::hugging_face_names);
    map.buffers_ = detail::hugging_face_buffers;
    return map;
  }
  /// OpenAI's state dicts are open_clip's with default options.
  static NameMap open_clip(const OpenClipNames& names = {}) {
    NameMap map;
    if (names.timm) {
      if (names.eva02) {
        map.add(detail::eva02_names);
        map.add(detail::eva02_block_names, "visual.trunk.blocks.");
      } else {
        map.add(detail::timm_names);
      }
      map.add(detail::timm_block_names, "visual.trunk.blocks.");
    } else {
      map.add(detail::projection_names);
      map.add(detail::pooler_names);
    }
    if (!names.text_projection_bias) map.add(detail::text_projection_names);
    if (names.text_prefix) map.add(detail::custom_text_names);
    map.buffers_ = detail::open_clip_buffers;
    if (names.caption_decoder) map.not_read_ = detail::caption_decoder_prefix;
    return map;
  }

  /// The tensors that hold one parameter, in the order of its rows.
  [[nodiscard]] std::vector<FileTensor> tensors_of(std::string_view parameter) const {
    FileTensor tensor{std::string(parameter)};
    for (const Rules& set : sets_) {
      if (!tensor.name.starts_with(set.only)) continue;
      for (const Rename& rule : set.rules) rename(tensor, rule);
    }
    for (const Cut& cut : cuts) {
      const std::size_t at = tensor.name.find(cut.mark);
      if (at == std::string::npos) continue;
      std::vector<FileTensor> tensors;
      int first = 0;
      for (const auto& [name, parts] : cut.pieces) {
        if (parts == 0) continue;
        FileTensor piece{tensor.name, tensor.form, first, parts, cut.of};
        piece.name.replace(at, cut.mark.size(), name);
        tensors.push_back(std::move(piece));
        first += parts;
      }
      return tensors;
    }
    return {tensor};
  }

  /// Whether a tensor is not read though such files may hold it: a buffer, or a part of the caption decoder.
  [[nodiscard]] bool is_ignored(std::string_view tensor) const {
    if (!not_read_.empty() && tensor.starts_with(not_read_)) return true;
    for (const std::string_view name : buffers_) {
      if (tensor.ends_with(name)) return true;
    }
    return false;
  }

 private:
  struct Rules {
    std::span<const Rename> rules;
    std::string_view only;  // names that begin so, in the form that earlier sets gave them
  };
  struct Cut {
    std::string_view mark;
    int of;                                                  // equal shares of the rows
    std::array<std::pair<std::string_view, int>, 3> pieces;  // names and how many shares
  };
  static constexpr std::array cuts{
      Cut{"{qkv}", 3, {{{"q", 1}, {"k", 1}, {"v", 1}}}},
      Cut{"{q|kv}", 3, {{{"q", 1}, {"kv", 2}, {"", 0}}}},
      Cut{"{k|v}", 2, {{{"k", 1}, {"v", 1}, {"", 0}}}},
      Cut{"{q|v}", 2, {{{"q", 1}, {"v", 1}, {"", 0}}}},
  };

  void add(std::span<const Rename> rules, std::string_view only = "") { sets_.push_back({rules, only}); }

  static void rename(FileTensor& tensor, const Rename& rule) {
    const bool anchored = rule.inside.front() == '^';
    const std::string_view fragment = anchored ? rule.inside.substr(1) : rule.inside;
    const std::size_t at = tensor.name.find(fragment);
    if (at == std::string::npos || (anchored && at != 0)) return;
    tensor.name.replace(at, fragment.size(), rule.file);
    if (rule.form != Form::same) tensor.form = rule.form;
  }

  std::vector<Rules> sets_;
  std::span<const std::string_view> buffers_;
  std::string_view not_read_;
};

}  // namespace couplet::inline COUPLET_ABI::checkpoint
