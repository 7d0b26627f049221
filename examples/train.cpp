// Trains a model on captioned images: from scratch, or on from a model directory.
//
//   train --data shards.tar --out model --epochs 30
//   mpirun -n 4 train --data shards.tar --out model --epochs 30      (docs/distributed.md)
#include <csignal>

#include "processes.hpp"
#include "program.hpp"
#include "train_options.hpp"

namespace {

using namespace couplet;

volatile std::sig_atomic_t interrupted = 0;

/// Progress on the terminal, one line per evaluation everywhere.
class Report final : public train::RunObserver {
 public:
  void on_start(const train::RunStatus& status) override {
    if (status.step > 0) std::cout << "resumed after step " << status.step << " of " << status.total_steps << '\n';
  }
  void on_features(Index done, Index total) override {
    features_.show(done, total, "of the locked tower");
    if (done == total) features_.clear();
  }
  void on_note(const std::string& text) override {
    bar_.clear();
    std::cout << "note: " << text << std::endl;
  }
  void on_step(const train::StepReport& step, const train::RunStatus& status) override {
    ++steps_;
    bar_.show(status.step, status.total_steps,
              program::format("loss %.4f  %.0f pairs/s  data wait %.0f %%  left ", step.loss, status.pairs_per_second,
                              100 * status.data_wait) +
                  program::clock_text(status.seconds_left));
    if (step.skipped.empty()) {
      loss_ = step.loss;
    } else {
      bar_.clear();
      std::cerr << "step " << step.step << " skipped: " << step.skipped << std::endl;
    }
  }
  void on_evaluation(const train::Evaluation& e, const train::RunStatus& status) override {
    bar_.clear();
    std::cout << program::format("step %ld  loss %.4f  R@1 %.1f / %.1f %%  R@5 %.1f / %.1f %%", long{status.step},
                                 loss_, e.image_to_text.at_1, e.text_to_image.at_1, e.image_to_text.at_5,
                                 e.text_to_image.at_5);
    if (e.labelled > 0) std::cout << program::format("  zero-shot top-1 %.1f %%", e.top1);
    std::cout << program::format("  (%.0f pairs/s)", status.pairs_per_second) << std::endl;
  }
  bool stop_requested() override { return interrupted != 0; }

  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  program::ProgressBar features_{"features"};
  program::ProgressBar bar_{"training"};
  double loss_ = 0;
  std::int64_t steps_ = 0;  ///< since it was started or resumed
};

int run(program::TrainOptions& o, const CLI::App& app, distributed::Communicator& communicator) {
  if (o.run.out.empty()) throw std::invalid_argument("--out is required");
  const int image_size = o.image_size();
  const auto data = o.open_training_data();
  const auto val_data = o.val_data.empty() ? nullptr : program::open_data(o.val_data, o.run.seed + 1000, image_size);
  Pretrained<float> bundle = o.start(*data);
  o.run.options_json = o.resolved(app);
  std::cout << bundle.describe() << '\n'
            << data->size() << " samples, " << nn::count_parameters(bundle.model) << " parameters, "
            << available_threads() << " threads, kernels: " << simd::to_string(simd::active_level()) << std::endl;
  if (!communicator.is_alone()) std::cout << communicator.size() << " processes" << std::endl;
  for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) std::signal(signal, [](int) { interrupted = 1; });
  Report report;
  const train::RunResult result = train::TrainingRun(bundle, data, val_data, o.run, communicator).run(report);
  program::report_unreadable(result.unreadable);
  if (result.skipped > 0) {
    std::cerr << result.skipped << (result.skipped == 1 ? " step was" : " steps were")
              << " skipped: loss or gradient not finite (log.jsonl has the samples)\n";
  }
  std::cout << (result.finished ? "finished" : "stopped") << " after step " << result.step << ", model in " << o.run.out
            << (result.finished ? "\n" : "; go on with --resume\n");
  program::print_traffic(communicator, report.steps());
  return 0;
}

int train_main(int argc, char** argv, distributed::Communicator& communicator) {
  program::TrainOptions o;
  program::App app("Trains a CLIP or SigLIP model on captioned images.", "train");
  app.footer(
      "Examples:\n"
      "  train --data scenes:20000 --val-data scenes:960 --model-config tiny-32 --epochs 10 --out first-model\n"
      "  train --data \"shards/{000..099}.tar\" --val-data val.tar --model DIR --lr 1e-5 --epochs 5 --out tuned\n"
      "  train --config options.json --out model --resume\n"
      "A data set is a webdataset shard (.tar), a list with the columns filepath and title (.tsv, .csv), or scenes:N.");
  o.add_to(app);
  std::vector<std::string> arguments;
  try {
    arguments = train::with_config_file({argv, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "train: " << error.what() << '\n';
    return 1;
  }
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  return program::run(app, static_cast<int>(pointers.size()), pointers.data(), o.common,
                      [&] { return run(o, app, communicator); });
}

}  // namespace

int main(int argc, char** argv) {
  return program::run_processes(
      "train", [&](distributed::Communicator& communicator) { return train_main(argc, argv, communicator); });
}
