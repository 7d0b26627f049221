#include "couplet/checkpoint/name_map.hpp"

#include <gtest/gtest.h>

namespace {

using couplet::checkpoint::hugging_face_tensors;
using Names = std::vector<std::string>;

TEST(NameMap, HuggingFaceClip) {
  EXPECT_EQ(hugging_face_tensors("visual.conv1.weight", false),
            Names{"vision_model.embeddings.patch_embedding.weight"});
  EXPECT_EQ(hugging_face_tensors("visual.ln_pre.bias", false), Names{"vision_model.pre_layrnorm.bias"});
  EXPECT_EQ(hugging_face_tensors("visual.proj.weight", false), Names{"visual_projection.weight"});
  EXPECT_EQ(hugging_face_tensors("visual.transformer.resblocks.11.mlp.c_proj.bias", false),
            Names{"vision_model.encoder.layers.11.mlp.fc2.bias"});
  EXPECT_EQ(hugging_face_tensors("transformer.resblocks.3.ln_2.weight", false),
            Names{"text_model.encoder.layers.3.layer_norm2.weight"});
  EXPECT_EQ(hugging_face_tensors("positional_embedding", false),
            Names{"text_model.embeddings.position_embedding.weight"});
  EXPECT_EQ(hugging_face_tensors("text_projection.weight", false), Names{"text_projection.weight"});
  EXPECT_EQ(hugging_face_tensors("logit_scale", false), Names{"logit_scale"});
}

TEST(NameMap, AttentionIsThreeTensorsInTheFile) {
  EXPECT_EQ(hugging_face_tensors("transformer.resblocks.0.attn.in_proj_weight", false),
            (Names{"text_model.encoder.layers.0.self_attn.q_proj.weight",
                   "text_model.encoder.layers.0.self_attn.k_proj.weight",
                   "text_model.encoder.layers.0.self_attn.v_proj.weight"}));
  EXPECT_EQ(hugging_face_tensors("visual.transformer.resblocks.2.attn.out_proj.bias", false),
            Names{"vision_model.encoder.layers.2.self_attn.out_proj.bias"});
}

TEST(NameMap, SiglipHasHeads) {
  EXPECT_EQ(hugging_face_tensors("text_projection.bias", true), Names{"text_model.head.bias"});
  EXPECT_EQ(hugging_face_tensors("visual.attn_pool.probe", true), Names{"vision_model.head.probe"});
  EXPECT_EQ(hugging_face_tensors("visual.attn_pool.attn.in_proj_bias", true),
            Names{"vision_model.head.attention.in_proj_bias"});  // fused in the file, too
  EXPECT_EQ(hugging_face_tensors("visual.attn_pool.ln.weight", true), Names{"vision_model.head.layernorm.weight"});
  EXPECT_EQ(hugging_face_tensors("visual.attn_pool.mlp.c_fc.weight", true), Names{"vision_model.head.mlp.fc1.weight"});
}

}  // namespace
