#pragma once
/// The settings of a training run, under open_clip's names where it has one.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "couplet/data/color_jitter.hpp"
#include "couplet/data/patch_dropout.hpp"
#include "couplet/data/random_affine.hpp"
#include "couplet/io/json_writer.hpp"
#include "couplet/train/trainer.hpp"

namespace couplet::inline COUPLET_ABI::train {

enum class OptimizerKind { adamw, lion };

struct RunOptions {
  LossKind loss = LossKind::clip;
  Index batch_size = 128;
  Index micro_batch = 0;  ///< gradient caching: pairs whose activations are in memory at a time; 0: the whole batch
  std::int64_t epochs = 32;
  std::int64_t steps = 0;  ///< of the whole run; 0: as many as the epochs have
  double lr = 5e-4;
  std::int64_t warmup = 0;  ///< steps
  OptimizerKind opt = OptimizerKind::adamw;
  optim::LearningRateSchedule::Kind lr_scheduler = optim::LearningRateSchedule::Kind::cosine;
  std::int64_t cooldown = 0;         ///< steps at the end, of const-cooldown and rsqrt
  std::int64_t epochs_cooldown = 0;  ///< the same in epochs, where `cooldown` is 0
  double lr_cooldown_end = 0;
  double lr_cooldown_power = 1;
  double rsqrt_timescale = 10000;
  double layer_decay = 1;  ///< factor of the learning rate per layer of depth; 1: none
  double ema_decay = 0;    ///< of the average of weights; 0: no average
  double wd = 0.2;
  double beta1 = 0.9;
  double beta2 = 0.98;
  double eps = 1e-6;
  double grad_clip_norm = 0;  ///< 0: not clipped
  std::uint64_t seed = 0;
  double crop_scale = 1.0;  ///< RandomResizedCrop takes at least this share of the area; 1: no random crop
  bool flip = false;        ///< mirror every other picture; refused by data sets whose captions say left and right
  data::RandomAffine affine = {};
  data::ColorJitter color_jitter = {};
  data::PatchDropout patch_dropout = {};
  bool lock_image = false;
  Index lock_image_unlocked_groups = 0;  ///< the last groups of a locked image tower that learn all the same
  bool lock_text = false;
  bool freeze_batch_norm = false;  ///< of a residual network that learns: ModifiedResNet::freeze_batch_norm()

  // What follows changes how a run is carried out, not what it computes.
  std::string out = {};                     ///< model directory of the last state, with checkpoints/ and log.jsonl
  bool resume = false;                      ///< go on from out/checkpoints/last.safetensors if it exists
  std::int64_t stop_after = 0;              ///< stop after this step as a signal would; 0: do not
  std::vector<std::string> templates = {};  ///< of the zero-shot evaluation; empty: eval::default_templates()
  std::int64_t val_frequency = 1;           ///< evaluate every so many epochs
  std::int64_t save_frequency = 1;          ///< save every so many epochs
  std::int64_t save_steps = 0;              ///< and every so many steps; 0: at ends of epochs only
  bool grad_checkpointing = false;          ///< less memory for activations, a second forward pass of each block
  Index max_unreadable = 1000;              ///< more samples that cannot be used end the run
  std::string options_json = {};            ///< written to out/options.json: how a program would repeat the run
  std::string cache_features = {};          ///< file for the features of a locked tower; empty: none are kept
  bool tensorboard = false;                 ///< write event files to out/tensorboard
  int workers = 1;
  std::size_t cache_images = std::size_t{256} << 20;  ///< bytes of decoded pictures kept in memory
};

/// open_clip's names, in the order of LearningRateSchedule::Kind.
inline constexpr std::array<const char*, 4> schedule_names{"cosine", "const", "const-cooldown", "rsqrt"};

/// Whether pictures differ from epoch to epoch.
[[nodiscard]] inline bool has_random_pictures(const RunOptions& o) {
  return o.crop_scale < 1 || o.flip || o.affine.any() || o.color_jitter.any();
}

/// What a run computes, as one line: a checkpoint is resumed only by a run with the same line.
/// `data` and `model` stand for what it was given.
inline std::string fingerprint(const RunOptions& o, const std::string& data, const std::string& model) {
  io::JsonWriter json(0);
  json.begin_object();
  json.key("loss").value(o.loss == LossKind::clip ? "clip" : "siglip");
  json.key("batch_size")
      .value(o.batch_size)
      .key("micro_batch")
      .value(o.micro_batch)
      .key("epochs")
      .value(o.epochs)
      .key("steps")
      .value(o.steps);
  json.key("lr").value(o.lr).key("warmup").value(o.warmup);
  json.key("lr_scheduler").value(schedule_names[static_cast<std::size_t>(o.lr_scheduler)]);
  json.key("cooldown").value(o.cooldown).key("epochs_cooldown").value(o.epochs_cooldown);
  json.key("lr_cooldown_end").value(o.lr_cooldown_end);
  json.key("lr_cooldown_power").value(o.lr_cooldown_power).key("rsqrt_timescale").value(o.rsqrt_timescale);
  json.key("opt").value(o.opt == OptimizerKind::lion ? "lion" : "adamw");
  json.key("layer_decay").value(o.layer_decay).key("ema_decay").value(o.ema_decay);
  json.key("wd").value(o.wd).key("beta1").value(o.beta1).key("beta2").value(o.beta2).key("eps").value(o.eps);
  json.key("grad_clip_norm").value(o.grad_clip_norm).key("seed").value(o.seed);
  json.key("crop_scale").value(o.crop_scale).key("flip").value(o.flip);
  const data::RandomAffine& a = o.affine;
  json.key("affine").begin_array();
  for (const double x : {a.degrees, a.translate, a.scale, a.shear}) json.value(x);
  json.end_array();
  const data::ColorJitter& c = o.color_jitter;
  json.key("color_jitter").begin_array();
  for (const double x : {c.brightness, c.contrast, c.saturation, c.hue, c.probability, c.gray_probability})
    json.value(x);
  json.end_array();
  if (o.patch_dropout.any()) json.key("patch_dropout").value(o.patch_dropout.rate);
  json.key("lock_image").value(o.lock_image);
  json.key("lock_image_unlocked_groups").value(o.lock_image_unlocked_groups);
  json.key("lock_text").value(o.lock_text);
  if (o.freeze_batch_norm) json.key("freeze_batch_norm").value(true);
  json.key("data").value(data).key("model").value(model).end_object();
  return json.str();
}

}  // namespace couplet::inline COUPLET_ABI::train
