#pragma once
/// The command line of `train`: its own names, and open_clip's spellings beside them.
#include <array>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

#include "couplet/data/upsampled.hpp"
#include "couplet/train/options_file.hpp"
#include "program.hpp"

namespace program {

struct TrainOptions {
  Common common;
  couplet::train::RunOptions run;
  std::string data, val_data, model, model_config = "tiny-32", loss, templates_file, lr_scheduler = "cosine",
                                     opt = "adamw", report_to = "none", affine, color_jitter, upsampling;
  std::size_t vocab_size = 0;
  couplet::Index accum_freq = 1;
  std::size_t cache_mebibytes = 256;
  bool siglip = false;

  void add_to(CLI::App& app) {
    app.option_defaults()->take_last();  // the command line wins over --config
    const auto group = [&](const char* name) { return app.add_option_group(name); };
    auto* what = group("Data and model");
    what->add_option("--data,--train-data", data, "what to train on")->required();
    what->add_option("--train-data-upsampling-factors", upsampling,
                     "2::1 shows the pairs of the first of A::B twice in each epoch");
    what->add_option("--val-data", val_data, "what to evaluate on after each epoch");
    what->add_option("--model,--pretrained", model, "model directory to start from (fine-tuning)");
    what->add_option(
        "--model-config", model_config,
        "architecture from scratch: a config.json, or one of micro-32, tiny-32, tiny-64, small-96, ViT-S-32, "
        "ViT-S-16, ViT-B-32, ViT-B-16, ViT-L-14, ViT-L-14-336");
    what->add_option("--vocab-size", vocab_size, "tokens to learn from the captions (default: the model's)");
    what->add_option("--out", run.out, "directory for model, checkpoints and log")->required();
    what->add_option("--config", "JSON file with any of these options");

    auto* optimisation = group("Optimisation");
    optimisation
        ->add_option("--loss", loss, "clip (InfoNCE) or siglip (sigmoid); default: as the model, clip from scratch")
        ->check(CLI::IsMember({"clip", "siglip"}));
    optimisation->add_flag("--siglip", siglip, "same as --loss siglip");
    optimisation->add_option("--batch,--batch-size", run.batch_size, "pairs per step")->check(CLI::PositiveNumber);
    optimisation
        ->add_option("--micro-batch", run.micro_batch,
                     "gradient caching: pairs whose activations are in memory at a time (0: all); gradients stay those "
                     "of the whole batch")
        ->check(CLI::NonNegativeNumber);
    optimisation->add_option("--accum-freq", accum_freq, "the same as a number of micro-batches: batch / accum-freq")
        ->check(CLI::PositiveNumber);
    optimisation->add_flag("--grad-checkpointing", run.grad_checkpointing,
                           "less memory: keep the inputs of blocks alone, and run blocks forward again to go backward");
    optimisation->add_option("--epochs", run.epochs)->check(CLI::PositiveNumber);
    optimisation->add_option("--steps", run.steps, "length of the run in steps (0: as many as --epochs has)")
        ->check(CLI::NonNegativeNumber);
    optimisation->add_option("--lr", run.lr, "peak learning rate")->check(CLI::PositiveNumber);
    optimisation->add_option("--warmup", run.warmup, "steps of linear warm-up")->check(CLI::NonNegativeNumber);
    optimisation->add_option("--lr-scheduler", lr_scheduler, "cosine, const, const-cooldown or rsqrt")
        ->check(CLI::IsMember({"cosine", "const", "const-cooldown", "rsqrt"}));
    optimisation->add_option("--cooldown", run.cooldown, "steps at the end in which const-cooldown and rsqrt cool down")
        ->check(CLI::NonNegativeNumber);
    optimisation->add_option("--epochs-cooldown", run.epochs_cooldown, "the same in epochs")
        ->check(CLI::NonNegativeNumber);
    optimisation->add_option("--lr-cooldown-end", run.lr_cooldown_end, "learning rate that the cooldown goes to")
        ->check(CLI::NonNegativeNumber);
    optimisation->add_option("--lr-cooldown-power", run.lr_cooldown_power, "of the cooldown's polynomial")
        ->check(CLI::PositiveNumber);
    optimisation->add_option("--rsqrt-timescale", run.rsqrt_timescale, "steps in which rsqrt falls by the root of 2")
        ->check(CLI::PositiveNumber);
    optimisation->add_option("--layer-decay", run.layer_decay, "factor of the learning rate per layer of depth")
        ->check(CLI::Range(0.01, 1.0));
    optimisation->add_option("--ema-decay", run.ema_decay, "of an average of the weights, saved in OUT/ema (0: none)")
        ->check(CLI::Range(0.0, 0.999999));
    optimisation->add_option("--opt", opt, "adamw or lion")->check(CLI::IsMember({"adamw", "lion"}));
    optimisation->add_option("--wd", run.wd, "weight decay")->check(CLI::NonNegativeNumber);
    optimisation->add_option("--beta1", run.beta1)->check(CLI::Range(0.0, 1.0));
    beta2 = optimisation->add_option("--beta2", run.beta2, "0.99 unless given with --opt lion");
    beta2->check(CLI::Range(0.0, 1.0));
    optimisation->add_option("--eps", run.eps)->check(CLI::NonNegativeNumber);
    optimisation->add_option("--grad-clip-norm", run.grad_clip_norm, "largest norm of the gradient (0: any)")
        ->check(CLI::NonNegativeNumber);
    optimisation->add_flag("--lock-image", run.lock_image, "freeze the image tower (LiT)");
    optimisation
        ->add_option("--lock-image-unlocked-groups", run.lock_image_unlocked_groups,
                     "last groups of a locked image tower that learn all the same: projection, last block, ...")
        ->check(CLI::NonNegativeNumber);
    optimisation->add_option("--cache-features", run.cache_features,
                             "file for the features of a locked tower, computed once and used in every epoch and by "
                             "later runs");
    optimisation->add_flag("--lock-text", run.lock_text, "freeze the text tower");
    optimisation->add_flag("--freeze-batch-norm", run.freeze_batch_norm,
                           "keep gains, biases and running statistics of a residual network's batch norm");
    optimisation->add_option("--seed", run.seed);

    auto* pictures = group("Pictures");
    pictures->add_option("--crop-scale", run.crop_scale, "random crops of at least this share of the area (1: none)")
        ->check(CLI::Range(0.01, 1.0));
    pictures->add_option(
        "--affine", affine,
        "degrees,translate,scale,shear: ranges of random turns, shifts (share of the side), changes of "
        "size (share) and shears (degrees)");
    pictures->add_option("--color-jitter", color_jitter,
                         "brightness,contrast,saturation,hue: ranges of random changes of colour (open_clip's are "
                         "0.32,0.32,0.32,0.08)");
    pictures->add_option("--color-jitter-prob", run.color_jitter.probability, "how often colours change")
        ->check(CLI::Range(0.0, 1.0));
    pictures->add_option("--gray-scale-prob", run.color_jitter.gray_probability, "how often a picture becomes grey")
        ->check(CLI::Range(0.0, 1.0));
    pictures->add_flag("--flip", run.flip, "mirror every other picture (captions must not say left or right)");
    pictures
        ->add_option("--patch-dropout,--force-patch-dropout", run.patch_dropout.rate,
                     "share of the patches that the image tower does not see in training (FLIP)")
        ->check(CLI::Range(0.0, 0.99));
    pictures->add_option("--max-unreadable", run.max_unreadable, "more samples that cannot be used end the run")
        ->check(CLI::NonNegativeNumber);
    pictures->add_option("--workers", run.workers, "threads that prepare batches")->check(CLI::Range(0, 256));
    pictures->add_option("--cache-images", cache_mebibytes, "MiB of decoded pictures to keep in memory");

    auto* running = group("Running");
    running->add_option("--template", run.templates, "sentence with {} for the zero-shot evaluation")
        ->take_all()
        ->allow_extra_args(false);
    running->add_option("--templates-file", templates_file, "file with one template per line");
    running->add_option("--report-to", report_to, "tensorboard: event files in OUT/tensorboard")
        ->check(CLI::IsMember({"none", "tensorboard"}));
    running->add_flag("--resume", run.resume, "go on from the last checkpoint in --out");
    running->add_option("--stop-after", run.stop_after, "stop after this step, to be resumed")
        ->check(CLI::PositiveNumber);
    running->add_option("--val-frequency", run.val_frequency, "epochs between evaluations")->check(CLI::PositiveNumber);
    running->add_option("--save-frequency", run.save_frequency, "epochs between checkpoints")
        ->check(CLI::PositiveNumber);
    running->add_option("--save-steps", run.save_steps, "and steps between them (0: at ends of epochs only)")
        ->check(CLI::NonNegativeNumber);
    common.add_to(app);
  }

  /// Every option that makes the run what it is, as it was resolved: what OUT/options.json holds. After start().
  [[nodiscard]] std::string resolved(const CLI::App& app) const {
    using couplet::train::OptionValue;
    static const std::set<std::string> left_out{"help", "config", "resume", "stop-after", "threads"};
    const std::map<std::string, std::string> settled{{"loss", loss}, {"beta2", format("%.17g", run.beta2)}};
    std::vector<OptionValue> values;
    std::vector<const CLI::App*> groups{&app};
    for (const CLI::App* group : app.get_subcommands([](const CLI::App*) { return true; })) groups.push_back(group);
    for (const CLI::App* group : groups) {
      for (const CLI::Option* option : group->get_options()) {
        OptionValue value = as_given(*option);
        if (left_out.count(value.name) != 0) continue;
        const auto found = settled.find(value.name);
        if (found != settled.end()) value.values = {found->second};
        values.push_back(std::move(value));
      }
    }
    return couplet::train::options_json(values);
  }

  /// The side of the model's images, before the model exists.
  [[nodiscard]] int image_size() const { return static_cast<int>(config().vision.image_height); }

  /// What --data names: one data set, or several (A::B) mixed by --train-data-upsampling-factors.
  [[nodiscard]] std::shared_ptr<const couplet::data::Dataset> open_training_data() const {
    const std::vector<std::string> names = split(data, "::");
    if (names.size() == 1 && upsampling.empty()) return open_data(data, run.seed + 1, image_size());
    const std::vector<std::string> factors = split(upsampling, "::");
    if (!upsampling.empty() && factors.size() != names.size()) {
      throw std::invalid_argument("--train-data-upsampling-factors: expected " + std::to_string(names.size()) +
                                  " factors, found " + std::to_string(factors.size()));
    }
    std::vector<std::unique_ptr<const couplet::data::Dataset>> parts;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const double factor = upsampling.empty() ? 1 : number("--train-data-upsampling-factors", factors[i]);
      parts.push_back(couplet::data::upsampled(open_data(names[i], run.seed + 1 + 1000000 * i, image_size()), factor));
    }
    return std::make_shared<couplet::data::Concatenation>(std::move(parts));
  }

  /// The model that training begins with.
  couplet::Pretrained<float> start(const couplet::data::Dataset& dataset) {
    if (siglip) loss = "siglip";
    if (loss.empty()) loss = family() == couplet::ClipConfig::Family::siglip ? "siglip" : "clip";
    run.loss = loss == "siglip" ? couplet::train::LossKind::siglip : couplet::train::LossKind::clip;
    const auto& names = couplet::train::schedule_names;
    const auto schedule = std::find(names.begin(), names.end(), lr_scheduler) - names.begin();
    run.lr_scheduler = static_cast<couplet::optim::LearningRateSchedule::Kind>(schedule);
    if (opt == "lion") {
      run.opt = couplet::train::OptimizerKind::lion;
      if (beta2->count() == 0) run.beta2 = couplet::optim::LionOptions{}.beta2;
    }
    if (accum_freq > 1 && run.micro_batch > 0) {
      throw std::invalid_argument("--micro-batch and --accum-freq say the same: give one of them");
    }
    if (accum_freq > 1) run.micro_batch = (run.batch_size + accum_freq - 1) / accum_freq;
    if (!affine.empty()) parse_affine();
    if (!color_jitter.empty()) parse_color_jitter();
    run.tensorboard = report_to == "tensorboard";
    run.cache_images = cache_mebibytes << 20U;
    if (!templates_file.empty()) run.templates = read_lines(templates_file);
    return model.empty() ? from_scratch(dataset) : common.load(model, {.packing = couplet::nn::Packing::at_use});
  }

 private:
  CLI::Option* beta2 = nullptr;

  static std::vector<std::string> split(const std::string& text, const std::string& separator) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    for (std::size_t end; (end = text.find(separator, begin)) != std::string::npos; begin = end + separator.size()) {
      parts.push_back(text.substr(begin, end - begin));
    }
    parts.push_back(text.substr(begin));
    return parts;
  }
  static double number(const std::string& option, const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw std::invalid_argument(option + ": expected a number, found \"" + text + "\"");
    }
    return value;
  }
  /// Four numbers; `names` says which.
  static std::array<double, 4> four_numbers(const std::string& option, const std::string& text, const char* names) {
    const std::vector<std::string> parts = split(text, ",");
    if (parts.size() != 4) throw std::invalid_argument(option + ": expected " + names);
    std::array<double, 4> numbers{};
    for (std::size_t i = 0; i < 4; ++i) numbers[i] = number(option, parts[i]);
    return numbers;
  }
  void parse_affine() {
    const auto n = four_numbers("--affine", affine, "degrees,translate,scale,shear");
    run.affine = {.degrees = n[0], .translate = n[1], .scale = n[2], .shear = n[3]};
    run.affine.validate();
  }
  void parse_color_jitter() {
    const auto n = four_numbers("--color-jitter", color_jitter, "brightness,contrast,saturation,hue");
    couplet::data::ColorJitter& jitter = run.color_jitter;
    std::tie(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue) = std::tie(n[0], n[1], n[2], n[3]);
    jitter.validate();
  }

  /// An option as the command line gave it, or its default.
  static couplet::train::OptionValue as_given(const CLI::Option& option) {
    using couplet::train::OptionValue;
    OptionValue value{.name = option.get_lnames().front(), .values = option.results()};
    const std::string type = option.get_type_name();
    if (option.get_expected_max() == 0) {
      value.kind = OptionValue::Kind::flag;
      value.values = {option.count() > 0 ? "true" : "false"};
      return value;
    }
    if (option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll) {
      value.kind = OptionValue::Kind::list;
      return value;
    }
    if (type.starts_with("INT") || type.starts_with("UINT") || type.starts_with("FLOAT")) {
      value.kind = OptionValue::Kind::number;
    }
    if (value.values.empty() && !option.get_default_str().empty()) value.values = {option.get_default_str()};
    return value;
  }

  [[nodiscard]] couplet::ClipConfig config() const {
    return model.empty() ? scratch_config() : couplet::pretrained::open_model(model).config;
  }
  [[nodiscard]] couplet::ClipConfig::Family family() const { return config().family; }

  [[nodiscard]] couplet::ClipConfig scratch_config() const {
    if (!std::filesystem::exists(model_config)) return couplet::preset(model_config);
    return couplet::pretrained::read_hugging_face_config(model_config);
  }

  couplet::Pretrained<float> from_scratch(const couplet::data::Dataset& dataset) const {
    using namespace couplet;
    ClipConfig config = scratch_config();
    const bool sigmoid = run.loss == train::LossKind::siglip;
    if (sigmoid && config.family == ClipConfig::Family::clip) config = as_siglip(config);
    const tokenizers::Tokenizer tokenizer = make_tokenizer(dataset, config);
    config.text.vocab_size = static_cast<Index>(tokenizer.vocab_size());
    config.text.bos_token_id = tokenizer.bos_token_id();
    config.text.eot_token_id = tokenizer.eos_token_id();
    config.text.pad_token_id = tokenizer.pad_token_id();
    const int side = static_cast<int>(config.vision.image_height);
    const bool siglip_family = config.family == ClipConfig::Family::siglip;
    Pretrained<float> bundle{.model = Clip<float>(config),
                             .tokenizer = tokenizer.with_context_length(config.text.context_length),
                             .transform = image::Transform(siglip_family ? image::siglip_transform_config(side)
                                                                         : image::clip_transform_config(side))};
    if (config.vision.is_resnet()) {  // transformers has no such towers
      bundle.layout = Layout::open_clip;
      bundle.transform = image::Transform(image::open_clip_transform_config({side, side}));
    }
    initialize(bundle.model, run.seed);
    common.prepare(bundle.model);
    return bundle;
  }

  /// The vocabulary of --vocab, or one learnt from all captions.
  [[nodiscard]] couplet::tokenizers::Tokenizer make_tokenizer(const couplet::data::Dataset& dataset,
                                                              const couplet::ClipConfig& config) const {
    using namespace couplet;
    if (!common.vocab.empty()) return tokenizers::Tokenizer::load_vocabulary(common.vocab);
    std::vector<std::string> captions;
    for (Index i = 0; i < dataset.size(); ++i) {
      for (std::string& caption : dataset.annotation(i).captions) captions.push_back(std::move(caption));
    }
    tokenizers::BpeTrainerOptions options;
    options.vocab_size = vocab_size > 0 ? vocab_size : static_cast<std::size_t>(config.text.vocab_size);
    return tokenizers::train_bpe(captions, options);
  }
};

}  // namespace program
