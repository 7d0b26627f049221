#include "couplet/models/presets.hpp"

#include <gtest/gtest.h>

#include "couplet/models/clip.hpp"
#include "couplet/pretrained/parameters.hpp"

namespace {

using namespace couplet;

TEST(Presets, HaveThePublishedNumberOfParameters) {
  // open_clip docs/openclip_results.csv, computed from shapes.
  EXPECT_EQ(pretrained::parameter_count(preset("ViT-B-32")), 151277313);
  EXPECT_EQ(pretrained::parameter_count(preset("ViT-B-16")), 149620737);
  EXPECT_EQ(pretrained::parameter_count(preset("ViT-L-14")), 427616513);
  EXPECT_EQ(pretrained::parameter_count(preset("RN50")), 102007137);  // openai/CLIP's model of the same name
}

TEST(Presets, CountsAgreeWithModels) {
  for (const char* name : {"tiny-32", "tiny-64"}) {
    const ClipConfig config = preset(name);
    Clip<float> model(config);
    EXPECT_EQ(nn::count_parameters(model), pretrained::parameter_count(config)) << name;
    Clip<float> siglip(as_siglip(config));
    EXPECT_EQ(nn::count_parameters(siglip), pretrained::parameter_count(siglip.config())) << name;
    ClipConfig coca = as_coca(config);
    Clip<float> same_width(coca);
    EXPECT_EQ(nn::count_parameters(same_width), pretrained::parameter_count(coca)) << name;
    ClipConfig eva02 = config;
    eva02.vision = as_eva02(eva02.vision);
    Clip<float> rotary(eva02);
    EXPECT_EQ(nn::count_parameters(rotary), pretrained::parameter_count(eva02)) << name;
    coca.embed_dim = 64;
    Clip<float> other_width(coca);
    EXPECT_EQ(nn::count_parameters(other_width), pretrained::parameter_count(coca)) << name;
  }
  Clip<float> resnet(preset("tiny-RN-64"));
  EXPECT_EQ(nn::count_parameters(resnet), pretrained::parameter_count(resnet.config()));
}

TEST(Presets, UnknownNamesListTheKnownOnes) {
  try {
    (void)preset("ViT-X");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("ViT-B-32"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("RN50x64"), std::string::npos);
  }
}

}  // namespace
