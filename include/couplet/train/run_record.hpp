#pragma once
/// What a run writes down while it goes on: log.jsonl, one JSON object per step, evaluation and event.
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "couplet/data/batch.hpp"
#include "couplet/train/evaluation.hpp"
#include "couplet/train/run_log.hpp"
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
  /// Goes on with what an earlier part of the run wrote until `keep_step`; 0 begins anew.
  RunRecord(const std::string& out, std::int64_t keep_step) : log_(out + "/log.jsonl", keep_step) {}

  /// A skipped step names its reason and the samples of its batch, and has no numbers that are not finite.
  void step(const StepReport& report, const RunStatus& now, const data::Batch& batch) {
    io::JsonWriter json(0);
    json.begin_object().key("step").value(report.step).key("epoch").value(now.epoch);
    if (report.skipped.empty()) {
      json.key("loss").value(report.loss).key("lr").value(report.learning_rate);
      json.key("grad_norm").value(report.grad_norm).key("logit_scale").value(report.logit_scale);
      json.key("logit_bias").value(report.logit_bias);
    } else {
      json.key("skipped").value(report.skipped).key("samples").begin_array();
      for (const std::string& key : batch.keys) json.value(key);
      json.end_array();
    }
    json.key("pairs_per_second").value(now.pairs_per_second).key("data_wait").value(now.data_wait).end_object();
    log_.write(json.str());
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
  /// How many samples unreadable() has named.
  [[nodiscard]] Index unreadable_named() const { return static_cast<Index>(named_.size()); }

  void evaluation(const Evaluation& evaluation, const RunStatus& now) {
    io::JsonWriter json(0);
    json.begin_object().key("step").value(now.step).key("epoch").value(now.epoch).key("evaluation");
    write_json(json, evaluation);
    log_.write(json.end_object().str());
  }

 private:
  RunLog log_;
  std::set<Index> named_;
};

}  // namespace couplet::inline COUPLET_ABI::train
