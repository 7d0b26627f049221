#pragma once
/// A whole training run: batches, steps, evaluation after epochs, checkpoints, log, resume.
///
/// Where a communicator joins several processes, all of them make a TrainingRun of the same data and options: each
/// works on its part of every batch, and the first one evaluates and writes the files. A checkpoint does not depend on
/// their number.
///
/// Files under `out`:
///   config.json, model.safetensors, ...   the last state, as a model directory
///   checkpoints/last.safetensors          what --resume goes on from
///   checkpoints/best/                     the model directory with the highest mean of R@1 both ways
///   ema/                                  the averaged weights, as a model directory (with ema_decay, which also is
///                                         what is evaluated and what best/ holds)
///   options.json                          the options of the program, where it gave them
///   report.html                           curves and sample retrievals, written at each evaluation and checkpoint
///   tensorboard/                          event files, where they are asked for
///   log.jsonl                             one line per step and per evaluation
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "couplet/data/loader.hpp"
#include "couplet/nn/init.hpp"
#include "couplet/pretrained/pretrained.hpp"
#include "couplet/train/image_features.hpp"
#include "couplet/train/lock_tower.hpp"
#include "couplet/train/loss_watch.hpp"
#include "couplet/train/run_options.hpp"
#include "couplet/train/run_record.hpp"
#include "couplet/train/text_features.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// What a program wants to hear; the library prints nothing. Every process has an observer of its own; only the first
/// one's hears of evaluations, and any may stop the run.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void on_start(const RunStatus&) {}
  /// Words about the run's health.
  virtual void on_note(const std::string&) {}
  /// While the features of a frozen tower are computed, before the first step.
  virtual void on_features(Index, Index) {}
  virtual void on_step(const StepReport&, const RunStatus&) {}
  virtual void on_evaluation(const Evaluation&, const RunStatus&) {}
  /// A true answer saves and ends the run after the current step.
  virtual bool stop_requested() { return false; }
};

struct RunResult {
  std::int64_t step = 0;
  bool finished = false;  ///< false: stopped before the last step
  double last_loss = 0;
  std::int64_t skipped = 0;  ///< steps that changed nothing, because something was not finite
  double best_score = -1;    ///< highest mean of R@1 both ways; -1: never evaluated
  std::vector<data::UnreadableSample> unreadable = {};
};

/// Trains `bundle` in place. The data sets yield captions; the bundle's tokenizer and transform turn them into batches.
/// T is float, deduced from the bundle: a parameter, so that only programs that train compile all this.
template <class T>
class TrainingRun {
 public:
  TrainingRun(Pretrained<T>& bundle, std::shared_ptr<const data::Dataset> train_data,
              std::shared_ptr<const data::Dataset> val_data, const RunOptions& options,
              distributed::Communicator& communicator = distributed::alone())
      : bundle_(bundle),
        train_data_(std::move(train_data)),
        val_data_(std::move(val_data)),
        options_(options),
        communicator_(communicator),
        loss_watch_(options.loss, std::max<Index>(1, options.batch_size), options.warmup) {
    if (!bundle.tokenizer) fail("train", "the model has no tokenizer");
    if (options.batch_size < 1) fail("train", "batch_size must be at least 1");
    if (options.lock_image && options.lock_image_unlocked_groups == 0 && options.lock_text) {
      fail("train", "both towers are locked: there is nothing to train");
    }
    if (options.freeze_batch_norm && !bundle.model.visual.is_resnet()) {
      fail("train", "the image tower has no batch norm to be frozen");
    }
    check_features_option();
    options.patch_dropout.validate();
    if (options.patch_dropout.any() && !bundle.model.config().vision.may_drop_patches()) {
      fail("train", "this image tower has no patch dropout: it is a residual network, EVA02's or NaFlex");
    }
    batches_per_epoch_ = train_data_->size() / options.batch_size;
    if (batches_per_epoch_ < 1) {
      fail("train", "the data set has " + std::to_string(train_data_->size()) + " samples, fewer than one batch of " +
                        std::to_string(options.batch_size));
    }
    total_steps_ = options.steps > 0 ? options.steps : options.epochs * batches_per_epoch_;
    if (total_steps_ < 1) fail("train", "the run has no steps: give epochs or steps");
  }

  RunResult run(RunObserver& observer) {
    lock_towers();
    Trainer<T> trainer(bundle_.model, trainer_options(), communicator_);
    const std::string run_line = fingerprint(options_, describe_data(), describe_model());
    distributed::require_same(communicator_, "the run", run_line);
    distributed::require_same(communicator_, "the instruction-set level (COUPLET_ARCH chooses one)",
                              simd::to_string(simd::active_level()));
    std::optional<RunRecord> record;  // the first process's
    if (is_first()) {
      open_directory(trainer, run_line);
      record.emplace(options_.out, trainer.progress.step, options_.tensorboard);
    }
    trainer.share_state();
    if (!prepare_features(observer)) return {.step = trainer.progress.step, .best_score = trainer.progress.best_score};
    const data::LoaderPosition start{static_cast<std::uint64_t>(trainer.progress.epoch),
                                     static_cast<std::uint64_t>(trainer.progress.batch)};
    data::Loader loader(loader_data(), preprocess(), loader_options(), start);
    begin_clock(trainer.progress.step);
    observer.on_start(status(trainer.progress));
    Going going{trainer, loader, record ? &*record : nullptr, observer, run_line};
    go(going);
    bundle_.model.prepare();
    const Progress& progress = trainer.progress;
    return {.step = progress.step,
            .finished = progress.step == total_steps_,
            .last_loss = going.last_loss,
            .skipped = progress.skipped,
            .best_score = progress.best_score,
            .unreadable = unreadable_list(going)};
  }

 private:
  using Clock = std::chrono::steady_clock;
  static double seconds(Clock::duration d) { return std::chrono::duration<double>(d).count(); }
  static constexpr std::int64_t max_skipped_in_row = 10;
  static constexpr Index page_samples = 12;  ///< pictures on report.html

  /// What a run in progress consists of.
  struct Going {
    Trainer<T>& trainer;
    data::Loader& loader;
    RunRecord* record;  ///< the first process's; nullptr in others
    RunObserver& observer;
    const std::string& run_line;
    double last_loss = 0;
    std::optional<Evaluation> evaluation = {};     ///< the last one since it was started or resumed
    std::map<Index, std::string> unreadable = {};  ///< samples that no process can use
    Index unreadable_told = 0;                     ///< how many of its own this process has told the others
  };

  [[nodiscard]] bool is_first() const { return communicator_.rank() == 0; }

  void open_directory(Trainer<T>& trainer, const std::string& run_line) const {
    std::filesystem::create_directories(checkpoint_directory());
    if (std::filesystem::exists(last_checkpoint())) {
      if (!options_.resume)
        throw file_error(options_.out, "holds a run already: resume it or choose another directory");
      trainer.load(last_checkpoint(), run_line);
    }
    if (!options_.options_json.empty()) io::write_file(options_.out + "/options.json", options_.options_json);
  }

  void go(Going& g) {
    const Progress& progress = g.trainer.progress;
    data::Batch batch;
    while (!stop_between_steps(g) && progress.step < total_steps_) {
      const Clock::time_point waiting = Clock::now();
      if (!g.loader.next(batch)) break;
      waited_ += seconds(Clock::now() - waiting);
      one_step(g, batch);
      const bool last = progress.step == total_steps_;
      if (progress.batch == 0 || last) {
        end_of_epoch(g, last);
      } else if (options_.save_steps > 0 && progress.step % options_.save_steps == 0) {
        save(g.trainer, g.run_line);
      }
    }
    if (progress.step == total_steps_) return;
    save(g.trainer, g.run_line);
    write_page(g);
  }

  /// What processes tell each other between steps: samples that cannot be used, and whether one of them wants to stop.
  bool stop_between_steps(Going& g) {
    constexpr std::uint8_t stops = 1, has_unreadable = 2;
    const bool stop = stop_requested(g.trainer.progress, g.observer);
    const bool unreadable = g.loader.unreadable_count() > g.unreadable_told;
    const int flags = distributed::any_of(
        communicator_, static_cast<std::uint8_t>((stop ? stops : 0) | (unreadable ? has_unreadable : 0)));
    if ((flags & has_unreadable) != 0) tell_unreadable(g);
    return (flags & stops) != 0;
  }

  void tell_unreadable(Going& g) {
    std::vector<std::string> mine;  // index, reason, index, reason, ...
    for (const data::UnreadableSample& sample : g.loader.unreadable()) {
      mine.push_back(std::to_string(sample.index));
      mine.push_back(sample.reason);
    }
    g.unreadable_told = static_cast<Index>(mine.size() / 2);
    const std::vector<std::string> all = distributed::gather_strings(communicator_, mine);
    for (std::size_t i = 0; i + 1 < all.size(); i += 2) g.unreadable.emplace(std::stoll(all[i]), all[i + 1]);
    if (g.record != nullptr) g.record->unreadable(unreadable_list(g), status(g.trainer.progress));
    if (static_cast<Index>(g.unreadable.size()) > options_.max_unreadable) {
      data::fail_unreadable(g.unreadable, options_.max_unreadable);
    }
  }

  static std::vector<data::UnreadableSample> unreadable_list(const Going& g) {
    std::vector<data::UnreadableSample> list;
    for (const auto& [index, reason] : g.unreadable) list.push_back({index, reason});
    return list;
  }

  void one_step(Going& g, const data::Batch& batch) {
    Progress& progress = g.trainer.progress;
    const StepReport report = train_on(g.trainer, batch);
    const data::LoaderPosition next = g.loader.position();
    progress.epoch = static_cast<std::int64_t>(next.epoch);
    progress.batch = static_cast<std::int64_t>(next.batch);
    const RunStatus now = status(progress);
    std::vector<std::string> samples;  // of the whole batch, where a step is skipped
    if (!report.skipped.empty()) samples = distributed::gather_strings(communicator_, batch.keys);
    if (g.record != nullptr) g.record->step(report, now, samples);
    if (report.skipped.empty()) {
      g.last_loss = report.loss;
      if (loss_watch_.add(report.step, report.loss) && loss_watch_.stuck()) {
        if (g.record != nullptr) g.record->note(loss_watch_.note(), now);
        g.observer.on_note(loss_watch_.note());
      }
    }
    g.observer.on_step(report, now);
    if (progress.skipped_in_row >= max_skipped_in_row) fail_not_finite(report, samples);
  }

  void check_features_option() const {
    if (options_.cache_features.empty() || options_.lock_text) return;
    if (!options_.lock_image || options_.lock_image_unlocked_groups > 0) {
      fail("train", "cached features need a locked text tower, or a locked image tower without unlocked groups");
    }
    if (has_random_pictures(options_)) {
      fail("train", "cached image features need the same picture in every epoch: no random crops, flips or colours");
    }
    if (options_.patch_dropout.any()) fail("train", "cached image features are of whole pictures: no patch dropout");
  }

  void lock_towers() {
    if (options_.lock_image) {
      lock_image_tower(bundle_.model.visual, options_.lock_image_unlocked_groups);
    } else {
      nn::set_trainable(bundle_.model.visual, true);
    }
    if (options_.freeze_batch_norm) bundle_.model.visual.resnet().freeze_batch_norm();
    nn::set_trainable(bundle_.model.text, !options_.lock_text);
  }

  /// Cached features, where they are asked for; false when the observer wants to stop before they are complete.
  bool prepare_features(RunObserver& observer) {
    if (options_.cache_features.empty()) return true;
    if (options_.lock_text) captions_.emplace(*train_data_);
    const bool stopped = is_first() && !compute_features(observer);
    if (distributed::any_of(communicator_, stopped ? 1 : 0) != 0) return false;
    if (!features_) features_.emplace();
    share_features(*features_, captions_ ? captions_->size() : train_data_->size(), bundle_.embed_dim(), communicator_);
    return true;
  }
  bool compute_features(RunObserver& observer) {
    struct Stopped {};
    const auto on_progress = [&](Index done, Index total) {
      observer.on_features(done, total);
      if (observer.stop_requested()) throw Stopped();
    };
    const std::string& path = options_.cache_features;
    try {
      features_ = captions_ ? cached_text_features(path, bundle_, *captions_, on_progress)
                            : cached_image_features(path, bundle_, *train_data_, on_progress);
    } catch (const Stopped&) {
      return false;
    }
    return true;
  }
  [[nodiscard]] bool knows_pictures() const { return features_ && !captions_; }
  [[nodiscard]] std::shared_ptr<const data::Dataset> loader_data() const {
    if (!knows_pictures()) return train_data_;
    return std::make_shared<WithoutPictures>(train_data_, *features_);
  }

  [[nodiscard]] std::string checkpoint_directory() const { return options_.out + "/checkpoints"; }
  [[nodiscard]] std::string last_checkpoint() const { return checkpoint_directory() + "/last.safetensors"; }

  [[nodiscard]] TrainerOptions trainer_options() const {
    TrainerOptions o;
    o.loss = options_.loss;
    o.schedule = {.kind = options_.lr_scheduler,
                  .base = options_.lr,
                  .warmup = options_.warmup,
                  .steps = total_steps_,
                  .cooldown = options_.cooldown > 0 ? options_.cooldown : options_.epochs_cooldown * batches_per_epoch_,
                  .cooldown_power = options_.lr_cooldown_power,
                  .cooldown_end = options_.lr_cooldown_end,
                  .timescale = options_.rsqrt_timescale};
    if (options_.opt == OptimizerKind::lion) {
      o.optimizer = optim::LionOptions{options_.beta1, options_.beta2, options_.wd};
    } else {
      o.optimizer = optim::AdamWOptions{options_.beta1, options_.beta2, options_.eps, options_.wd};
    }
    o.layer_decay = options_.layer_decay;
    o.ema_decay = options_.ema_decay;
    o.grad_clip_norm = options_.grad_clip_norm;
    o.micro_batch = options_.micro_batch;
    o.grad_checkpointing = options_.grad_checkpointing;
    return o;
  }

  [[nodiscard]] data::Preprocess preprocess() const {
    if (!has_random_pictures(options_)) return data::preprocess_val(bundle_.transform);
    return data::preprocess_train(bundle_.transform, {.seed = options_.seed,
                                                      .scale = {options_.crop_scale, 1.0},
                                                      .flip = options_.flip,
                                                      .affine = options_.affine,
                                                      .color = options_.color_jitter});
  }

  [[nodiscard]] data::LoaderOptions loader_options() const {
    data::LoaderOptions o;
    o.batch_size = options_.batch_size;
    o.seed = options_.seed;
    o.workers = options_.workers;
    o.cache_images = options_.cache_images;
    o.max_unreadable = options_.max_unreadable;
    o.pictures = !knows_pictures();
    o.part = communicator_.rank();
    o.parts = communicator_.size();
    return o;
  }

  StepReport train_on(Trainer<T>& trainer, const data::Batch& batch) {
    const Pictures<T> pictures{batch.images, seen_patches(trainer.progress, batch)};
    if (captions_) return trainer.step_features(pictures, features_of(batch));
    const tokenizers::TokenBatch tokens = (*bundle_.tokenizer)(batch.texts);
    const TensorView<const std::int64_t, 2> ids(
        tokens.ids.data(), {static_cast<Index>(batch.texts.size()), static_cast<Index>(tokens.context_length)});
    return features_ ? trainer.step_features(features_of(batch), ids) : trainer.step(pictures, ids);
  }

  /// Those that are cached, of the captions or of the pictures.
  TensorView<const T, 2> features_of(const data::Batch& batch) {
    batch_features_.resize({batch.size(), bundle_.embed_dim()});
    for (Index i = 0; i < batch.size(); ++i) {
      const auto place = static_cast<std::size_t>(i);
      const Index row = captions_ ? captions_->row(batch.texts[place]) : batch.indices[place];
      copy(std::as_const(features_->features).view()[row], batch_features_.view()[i]);
    }
    return batch_features_;
  }

  /// The patches that the image tower sees of each picture; none for all.
  TensorView<const Index, 2> seen_patches(const Progress& progress, const data::Batch& batch) {
    const data::PatchDropout& dropout = options_.patch_dropout;
    if (!dropout.any()) return {};
    const VisionConfig& v = bundle_.model.config().vision;
    const Index patches = v.grid_height() * v.grid_width();
    const Index kept = dropout.kept(patches);
    seen_patches_.resize(static_cast<std::size_t>(batch.size() * kept));
    for (Index i = 0; i < batch.size(); ++i) {
      dropout.draw(
          options_.seed, static_cast<std::uint64_t>(progress.epoch),
          static_cast<std::uint64_t>(batch.indices[static_cast<std::size_t>(i)]), patches,
          std::span(seen_patches_).subspan(static_cast<std::size_t>(i * kept), static_cast<std::size_t>(kept)));
    }
    return {seen_patches_.data(), {batch.size(), kept}};
  }

  [[noreturn]] static void fail_not_finite(const StepReport& report, const std::vector<std::string>& samples) {
    std::string message = "step " + std::to_string(report.step) + ": " + std::to_string(max_skipped_in_row) +
                          " steps in a row were skipped (" + report.skipped + "); the samples of this batch:";
    constexpr std::size_t most = 50;  // log.jsonl names them all
    for (std::size_t i = 0; i < samples.size() && i < most; ++i) message += "\n  " + printable(samples[i]);
    if (samples.size() > most) message += "\n  and " + std::to_string(samples.size() - most) + " more";
    throw std::runtime_error(message);
  }

  bool stop_requested(const Progress& progress, RunObserver& observer) const {
    return (options_.stop_after > 0 && progress.step >= options_.stop_after) || observer.stop_requested();
  }

  void end_of_epoch(Going& g, bool last) {
    Progress& progress = g.trainer.progress;
    const auto due = [&](std::int64_t frequency) { return last || (frequency > 0 && progress.epoch % frequency == 0); };
    const bool evaluates = is_first() && val_data_ && due(options_.val_frequency);
    if (evaluates) g.trainer.with_average([&] { evaluate_now(g); });
    if (due(options_.save_frequency)) save(g.trainer, g.run_line);
    if (evaluates || due(options_.save_frequency)) write_page(g);
  }

  void evaluate_now(Going& g) {
    Progress& progress = g.trainer.progress;
    g.evaluation = evaluate(bundle_, *val_data_, {.templates = options_.templates, .samples = page_samples});
    const RunStatus now = status(progress);
    g.record->evaluation(*g.evaluation, now);
    if (g.evaluation->score() > progress.best_score) {
      progress.best_score = g.evaluation->score();
      progress.best_step = progress.step;
      save_pretrained(bundle_, checkpoint_directory() + "/best");
    }
    g.observer.on_evaluation(*g.evaluation, now);
  }

  void write_page(const Going& g) const {
    if (!is_first()) return;
    RunPage about{.title = "Training", .subtitle = bundle_.describe(), .note = loss_watch_.note()};
    about.pairs_per_second = status(g.trainer.progress).pairs_per_second;
    about.options_json = options_.options_json;
    g.record->page(about, g.evaluation ? &*g.evaluation : nullptr, val_data_.get(), bundle_.transform.decode_options());
  }

  void save(Trainer<T>& trainer, const std::string& run_line) {
    if (!is_first()) return;
    trainer.save(last_checkpoint(), run_line);
    save_pretrained(bundle_, options_.out);
    if (options_.ema_decay != 0) trainer.with_average([&] { save_pretrained(bundle_, options_.out + "/ema"); });
  }

  /// The number of samples and a hash over the words of some of them.
  [[nodiscard]] std::string describe_data() const {
    std::string words;
    const Index stride = std::max<Index>(1, train_data_->size() / 64);
    for (Index i = 0; i < train_data_->size(); i += stride) {
      const data::Sample sample = train_data_->annotation(i);
      words += sample.key + '\n';
      for (const std::string& caption : sample.captions) words += caption + '\n';
    }
    return std::to_string(train_data_->size()) + " samples, " + std::to_string(nn::init::stream_of(words));
  }

  [[nodiscard]] std::string describe_model() const {
    std::string config = pretrained::hugging_face_config(bundle_.model.config(), "float32");
    if (bundle_.model.visual.is_resnet()) config += pretrained::describe_in_short(bundle_.model.config());
    return std::to_string(pretrained::parameter_count(bundle_.model.config())) + " parameters, " +
           std::to_string(nn::init::stream_of(config + bundle_.tokenizer->describe())) + ", products in " +
           to_string(bundle_.model.precision());
  }

  void begin_clock(std::int64_t step) {
    started_ = Clock::now();
    first_step_ = step;
    waited_ = 0;
  }

  [[nodiscard]] RunStatus status(const Progress& progress) const {
    RunStatus now{
        .step = progress.step, .total_steps = total_steps_, .epoch = progress.epoch, .skipped = progress.skipped};
    const double elapsed = seconds(Clock::now() - started_);
    const auto done = static_cast<double>(progress.step - first_step_);
    if (done <= 0 || elapsed <= 0) return now;
    now.pairs_per_second = done * static_cast<double>(options_.batch_size) / elapsed;
    now.data_wait = waited_ / elapsed;
    now.seconds_left = elapsed / done * static_cast<double>(total_steps_ - progress.step);
    return now;
  }

  Pretrained<T>& bundle_;
  std::shared_ptr<const data::Dataset> train_data_, val_data_;
  RunOptions options_;
  distributed::Communicator& communicator_;
  std::optional<DistinctCaptions> captions_;  // of train_data_, where those of the text tower are cached
  std::optional<CachedFeatures> features_;    // a row for each caption, or else for each sample
  Tensor<float, 2> batch_features_;
  std::vector<Index> seen_patches_;  ///< of the batch, one picture after the other
  LossWatch loss_watch_;
  std::int64_t batches_per_epoch_ = 0;
  std::int64_t total_steps_ = 0;
  Clock::time_point started_;
  std::int64_t first_step_ = 0;
  double waited_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI::train
