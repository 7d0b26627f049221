#pragma once
/// What a run writes down while it goes on: log.jsonl (one JSON object per step, evaluation and event), report.html,
/// and TensorBoard's event files where they are asked for.
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "couplet/data/batch.hpp"
#include "couplet/report/event_file.hpp"
#include "couplet/train/evaluation.hpp"
#include "couplet/train/run_log.hpp"
#include "couplet/train/run_page.hpp"
#include "couplet/train/trainer.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// Where a run stands, for a progress bar.
struct RunStatus {
  std::int64_t step = 0;
  std::int64_t total_steps = 0;
  std::int64_t epoch = 0;    ///< from 0
  std::int64_t skipped = 0;  ///< steps that changed nothing, because something was not finite
  double pairs_per_second = 0;
  double data_wait = 0;  ///< share of the time spent waiting for batches
  double seconds_left = 0;
};

class RunRecord {
 public:
  /// Goes on with what an earlier part of the run wrote to the folder `out` until `keep_step`; 0 begins anew.
  RunRecord(const std::string& out, std::int64_t keep_step, bool tensorboard)
      : out_(out), log_(out + "/log.jsonl", keep_step, [this](const io::Json& line) { history_.add(line); }) {
    if (tensorboard) events_.emplace(out + "/tensorboard", wall_time(), keep_step);
  }

  /// A skipped step names its reason and the samples of its batch, and has no numbers that are not finite.
  void step(const StepReport& report, const RunStatus& now, const std::vector<std::string>& samples) {
    io::JsonWriter json(0);
    json.begin_object().key("step").value(report.step).key("epoch").value(now.epoch);
    if (report.skipped.empty()) {
      json.key("loss").value(report.loss).key("lr").value(report.learning_rate);
      json.key("grad_norm").value(report.grad_norm).key("logit_scale").value(report.logit_scale);
      json.key("logit_bias").value(report.logit_bias);
    } else {
      json.key("skipped").value(report.skipped).key("samples").begin_array();
      for (const std::string& key : samples) json.value(key);
      json.end_array();
    }
    json.key("pairs_per_second").value(now.pairs_per_second).key("data_wait").value(now.data_wait).end_object();
    log_.write(json.str());
    remember(report);
    if (events_ && report.skipped.empty()) {
      events_->write(wall_time(), report.step,
                     {{"train/loss", report.loss},
                      {"train/lr", report.learning_rate},
                      {"train/grad_norm", report.grad_norm},
                      {"train/logit_scale", report.logit_scale},
                      {"train/logit_bias", report.logit_bias},
                      {"train/pairs_per_second", now.pairs_per_second},
                      {"train/data_wait", now.data_wait}});
    }
  }

  /// Samples that were replaced because they cannot be used; those that this record has not named before are logged.
  void unreadable(const std::vector<data::UnreadableSample>& samples, const RunStatus& now) {
    for (const data::UnreadableSample& sample : samples) {
      if (!named_.insert(sample.index).second) continue;
      io::JsonWriter json(0);
      json.begin_object().key("step").value(now.step).key("unreadable").value(sample.reason);
      json.key("sample").value(sample.index).end_object();
      log_.write(json.str());
    }
  }

  /// Words about the run's health.
  void note(const std::string& text, const RunStatus& now) {
    io::JsonWriter json(0);
    log_.write(json.begin_object().key("step").value(now.step).key("note").value(text).end_object().str());
  }

  void evaluation(const Evaluation& evaluation, const RunStatus& now) {
    io::JsonWriter json(0);
    json.begin_object().key("step").value(now.step).key("epoch").value(now.epoch).key("evaluation");
    write_json(json, evaluation);
    log_.write(json.end_object().str());
    history_.add(io::Json::parse(json.str(), "evaluation"));
    if (!events_) return;
    std::vector<report::Scalar> scalars;
    if (evaluation.texts > 0) {
      append("val/image_to_text_", evaluation.image_to_text, scalars);
      append("val/text_to_image_", evaluation.text_to_image, scalars);
    }
    if (evaluation.labelled > 0) {
      scalars.insert(scalars.end(), {{"val/top1", evaluation.top1}, {"val/top5", evaluation.top5}});
    }
    events_->write(wall_time(), now.step, scalars);
  }

  /// Writes out/report.html; `evaluation` and `dataset` as for run_page().
  void page(const RunPage& about, const Evaluation* evaluation, const data::Dataset* dataset,
            const image::DecodeOptions& decode) const {
    run_page(about, history_, evaluation, dataset, decode).save(out_ + "/report.html");
  }

 private:
  static double wall_time() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  }
  static void append(const std::string& prefix, const Recalls& recalls, std::vector<report::Scalar>& scalars) {
    scalars.insert(scalars.end(),
                   {{prefix + "R@1", recalls.at_1}, {prefix + "R@5", recalls.at_5}, {prefix + "R@10", recalls.at_10}});
  }

  void remember(const StepReport& report) {
    if (!report.skipped.empty()) {
      ++history_.skipped;
      return;
    }
    const auto x = static_cast<double>(report.step);
    history_.loss.emplace_back(x, report.loss);
    history_.lr.emplace_back(x, report.learning_rate);
    history_.grad_norm.emplace_back(x, report.grad_norm);
    history_.logit_scale.emplace_back(x, report.logit_scale);
  }

  std::string out_;
  RunHistory history_;
  RunLog log_;
  std::optional<report::EventFile> events_;
  std::set<Index> named_;
};

}  // namespace couplet::inline COUPLET_ABI::train
