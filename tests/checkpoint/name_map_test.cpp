#include "couplet/checkpoint/name_map.hpp"

#include <gtest/gtest.h>

namespace {

using couplet::checkpoint::FileTensor;
using couplet::checkpoint::Form;
using couplet::checkpoint::NameMap;
using Tensors = std::vector<FileTensor>;

/// The one tensor that holds a parameter as it is.
Tensors one(const std::string& name, Form form = Form::same) { return {{name, form}}; }

TEST(NameMap, HuggingFaceClip) {
  const NameMap map = NameMap::hugging_face(false);
  EXPECT_EQ(map.tensors_of("visual.conv1.weight"), one("vision_model.embeddings.patch_embedding.weight"));
  EXPECT_EQ(map.tensors_of("visual.ln_pre.bias"), one("vision_model.pre_layrnorm.bias"));
  EXPECT_EQ(map.tensors_of("visual.proj.weight"), one("visual_projection.weight"));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.11.mlp.c_proj.bias"),
            one("vision_model.encoder.layers.11.mlp.fc2.bias"));
  EXPECT_EQ(map.tensors_of("transformer.resblocks.3.ln_2.weight"),
            one("text_model.encoder.layers.3.layer_norm2.weight"));
  EXPECT_EQ(map.tensors_of("positional_embedding"), one("text_model.embeddings.position_embedding.weight"));
  EXPECT_EQ(map.tensors_of("text_projection.weight"), one("text_projection.weight"));
  EXPECT_EQ(map.tensors_of("logit_scale"), one("logit_scale"));
}

TEST(NameMap, HuggingFaceCutsAttentionIntoThreeTensors) {
  const NameMap map = NameMap::hugging_face(false);
  const std::string layer = "text_model.encoder.layers.0.self_attn.";
  EXPECT_EQ(map.tensors_of("transformer.resblocks.0.attn.in_proj_weight"),
            (Tensors{{layer + "q_proj.weight", Form::same, 0, 1, 3},
                     {layer + "k_proj.weight", Form::same, 1, 1, 3},
                     {layer + "v_proj.weight", Form::same, 2, 1, 3}}));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.2.attn.out_proj.bias"),
            one("vision_model.encoder.layers.2.self_attn.out_proj.bias"));
}

TEST(NameMap, HuggingFaceSiglipHasHeads) {
  const NameMap map = NameMap::hugging_face(true);
  EXPECT_EQ(map.tensors_of("text_projection.bias"), one("text_model.head.bias"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.probe"), one("vision_model.head.probe"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.attn.in_proj_bias"),
            one("vision_model.head.attention.in_proj_bias"));  // fused in the file, too
  EXPECT_EQ(map.tensors_of("visual.attn_pool.ln.weight"), one("vision_model.head.layernorm.weight"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.mlp.c_fc.weight"), one("vision_model.head.mlp.fc1.weight"));
}

TEST(NameMap, NaflexPatchesAreRows) {
  const NameMap map = NameMap::hugging_face(true, true);
  EXPECT_EQ(map.tensors_of("visual.conv1.weight"),
            one("vision_model.embeddings.patch_embedding.weight", Form::patch_rows));
  EXPECT_EQ(map.tensors_of("visual.conv1.bias"), one("vision_model.embeddings.patch_embedding.bias"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.probe"), one("vision_model.head.probe"));
}

TEST(NameMap, OpenClipDiffersInTheProjectionsAlone) {
  const NameMap map = NameMap::open_clip();
  EXPECT_EQ(map.tensors_of("visual.proj.weight"), one("visual.proj", Form::transposed));
  EXPECT_EQ(map.tensors_of("text_projection.weight"), one("text_projection", Form::transposed));
  for (const char* name : {"visual.conv1.weight", "transformer.resblocks.1.attn.in_proj_weight", "ln_final.bias",
                           "visual.transformer.resblocks.0.ls_1.gamma", "positional_embedding", "logit_scale"}) {
    EXPECT_EQ(map.tensors_of(name), one(name));
  }
}

TEST(NameMap, OpenClipCustomTextHasAPrefix) {
  const NameMap map = NameMap::open_clip({.text_prefix = true, .text_projection_bias = true});
  EXPECT_EQ(map.tensors_of("token_embedding.weight"), one("text.token_embedding.weight"));
  EXPECT_EQ(map.tensors_of("positional_embedding"), one("text.positional_embedding"));
  EXPECT_EQ(map.tensors_of("transformer.resblocks.1.ln_1.bias"), one("text.transformer.resblocks.1.ln_1.bias"));
  EXPECT_EQ(map.tensors_of("text_projection.weight"), one("text.text_projection.weight"));
  EXPECT_EQ(map.tensors_of("visual.positional_embedding"), one("visual.positional_embedding"));
  EXPECT_EQ(map.tensors_of("logit_bias"), one("logit_bias"));
  EXPECT_EQ(NameMap::open_clip({.text_prefix = true}).tensors_of("text_projection.weight"),
            one("text.text_projection", Form::transposed));
}

TEST(NameMap, TimmTowers) {
  const NameMap map = NameMap::open_clip({.text_prefix = true, .text_projection_bias = true, .timm = true});
  EXPECT_EQ(map.tensors_of("visual.conv1.bias"), one("visual.trunk.patch_embed.proj.bias"));
  EXPECT_EQ(map.tensors_of("visual.positional_embedding"), one("visual.trunk.pos_embed", Form::leading_one));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.attn.in_proj_weight"),
            one("visual.trunk.blocks.3.attn.qkv.weight"));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.mlp.c_proj.bias"),
            one("visual.trunk.blocks.3.mlp.fc2.bias"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.probe"), one("visual.trunk.attn_pool.latent"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.attn.in_proj_bias"),
            (Tensors{{"visual.trunk.attn_pool.q.bias", Form::same, 0, 1, 3},
                     {"visual.trunk.attn_pool.kv.bias", Form::same, 1, 2, 3}}));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.attn.out_proj.weight"), one("visual.trunk.attn_pool.proj.weight"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.ln.weight"), one("visual.trunk.attn_pool.norm.weight"));
  EXPECT_EQ(map.tensors_of("transformer.resblocks.0.ln_1.weight"), one("text.transformer.resblocks.0.ln_1.weight"));
}

TEST(NameMap, TimmEva02Towers) {
  const NameMap map = NameMap::open_clip({.text_prefix = true, .timm = true, .eva02 = true});
  EXPECT_EQ(map.tensors_of("visual.class_embedding"), one("visual.trunk.cls_token", Form::leading_ones));
  EXPECT_EQ(map.tensors_of("visual.proj.bias"), one("visual.trunk.head.bias"));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.attn.in_proj_weight").at(1).name,
            "visual.trunk.blocks.3.attn.k_proj.weight");
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.attn.in_proj_bias"),
            (Tensors{{"visual.trunk.blocks.3.attn.q_proj.bias", Form::same, 0, 1, 2},
                     {"visual.trunk.blocks.3.attn.v_proj.bias", Form::same, 1, 1, 2}}));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.attn.out_proj.bias"),
            one("visual.trunk.blocks.3.attn.proj.bias"));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.attn.ln.bias"), one("visual.trunk.blocks.3.attn.norm.bias"));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.mlp.c_gate.bias"),
            one("visual.trunk.blocks.3.mlp.fc1_g.bias"));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.mlp.c_fc.bias"),
            one("visual.trunk.blocks.3.mlp.fc1_x.bias"));
  EXPECT_EQ(map.tensors_of("visual.transformer.resblocks.3.mlp.ln.weight"),
            one("visual.trunk.blocks.3.mlp.norm.weight"));
  EXPECT_EQ(map.tensors_of("text_projection.weight"), one("text.text_projection", Form::transposed));
}

TEST(NameMap, CocaHasAPoolerAClassTokenAndADecoderThatIsNotRead) {
  const NameMap map = NameMap::open_clip({.text_prefix = true, .caption_decoder = true});
  EXPECT_EQ(map.tensors_of("cls_emb"), one("text.cls_emb"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.query"), one("visual.attn_pool.query"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.attn.q_proj_weight"), one("visual.attn_pool.attn.q_proj_weight"));
  EXPECT_EQ(map.tensors_of("visual.attn_pool.attn.kv_proj_weight"),
            (Tensors{{"visual.attn_pool.attn.k_proj_weight", Form::same, 0, 1, 2},
                     {"visual.attn_pool.attn.v_proj_weight", Form::same, 1, 1, 2}}));
  EXPECT_TRUE(map.is_ignored("text_decoder.cross_attn.0.ln_1.bias"));
  EXPECT_FALSE(map.is_ignored("text.text_decoder.ln_final.bias"));
  EXPECT_FALSE(map.is_ignored("text.cls_emb"));
  EXPECT_FALSE(NameMap::open_clip({.text_prefix = true}).is_ignored("text_decoder.ln_final.bias"));
}

TEST(NameMap, KnowsBuffers) {
  EXPECT_TRUE(NameMap::hugging_face(false).is_ignored("text_model.embeddings.position_ids"));
  EXPECT_FALSE(NameMap::hugging_face(false).is_ignored("context_length"));
  EXPECT_TRUE(NameMap::open_clip().is_ignored("input_resolution"));
  EXPECT_FALSE(NameMap::open_clip().is_ignored("logit_bias"));
}

}  // namespace
