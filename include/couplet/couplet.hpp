#pragma once
/// All of couplet: a list of includes and nothing else. Needs nlohmann/json, stb_image and, for linear probes, Eigen.
#include "couplet/config.hpp"
#include "couplet/fwd.hpp"
#include "couplet/version.hpp"

#include "couplet/core/bfloat16.hpp"
#include "couplet/core/parallel.hpp"
#include "couplet/core/random.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/core/workspace.hpp"

#include "couplet/simd/cpu.hpp"

#include "couplet/models/clip.hpp"
#include "couplet/models/initialize.hpp"
#include "couplet/models/interpolate.hpp"
#include "couplet/models/presets.hpp"

#include "couplet/losses/clip_loss.hpp"
#include "couplet/losses/siglip_loss.hpp"
#include "couplet/optim/adamw.hpp"
#include "couplet/optim/clip_grad_norm.hpp"
#include "couplet/optim/schedule.hpp"

#include "couplet/checkpoint/sharded.hpp"
#include "couplet/image/decode.hpp"
#include "couplet/image/encode.hpp"
#include "couplet/image/transform.hpp"
#include "couplet/tokenizers/bpe_trainer.hpp"
#include "couplet/tokenizers/tokenizer.hpp"

#include "couplet/data/loader.hpp"
#include "couplet/data/open_dataset.hpp"
#include "couplet/data/scenes.hpp"
#include "couplet/eval/retrieval.hpp"
#include "couplet/eval/zero_shot.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "couplet/search/index.hpp"
#include "couplet/train/run.hpp"
