#pragma once
/// What the example programs share: options, errors, progress bars, lists of files.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "couplet/couplet.hpp"

namespace program {

/// An application whose --help shows default values.
class App : public CLI::App {
 public:
  App(const std::string& description, const std::string& name) : CLI::App(description, name) {
    option_defaults()->always_capture_default();
  }
};

/// Options that mean the same in every program.
struct Common {
  std::string precision = "float32";
  std::string vocab;
  int threads = 0;
  bool json = false;
  bool ignore_exif = false;

  void add_to(CLI::App& app) {
    app.add_option("--threads", threads, "threads to use (default: all cores)")->check(CLI::Range(1, 1024));
    app.add_option("--precision", precision, "of the matrix products; bfloat16 where the processor has it")
        ->check(CLI::IsMember({"float32", "bfloat16"}));
    app.add_option("--vocab", vocab,
                   "vocabulary for a model without tokenizer files: a vocab.json or the original merges file");
  }
  void add_json(CLI::App& app) { app.add_flag("--json", json, "print one JSON object per line"); }
  void add_exif(CLI::App& app) { app.add_flag("--ignore-exif", ignore_exif, "do not rotate photographs upright"); }

  /// The model of --model, with --vocab applied; for inference alone unless `options` say otherwise.
  [[nodiscard]] couplet::Pretrained<float> load(const std::string& directory,
                                                const couplet::LoadOptions& options = {
                                                    .packing = couplet::nn::Packing::only}) const {
    couplet::LoadOptions own = options;
    own.precision = couplet::parse_precision(precision);
    couplet::Pretrained<float> bundle = couplet::load_pretrained(directory, own);
    prepare(bundle.model);
    if (vocab.empty()) return bundle;
    const couplet::TextConfig& text = bundle.model.config().text;
    bundle.tokenizer =
        couplet::pretrained::in_dialect(couplet::tokenizers::Tokenizer::load_vocabulary(vocab), bundle.layout)
            .with_context_length(text.context_length);
    const bool ends_differ =
        text.pool == couplet::TextPool::eot && bundle.tokenizer->eos_token_id() != text.eot_token_id;
    if (bundle.tokenizer->vocab_size() > text.vocab_size || ends_differ) {
      throw couplet::file_error(vocab, "does not fit the model: " + std::to_string(bundle.tokenizer->vocab_size()) +
                                           " tokens, end " + std::to_string(bundle.tokenizer->eos_token_id()) +
                                           "; the model has " + std::to_string(text.vocab_size) + ", end " +
                                           std::to_string(text.eot_token_id));
    }
    return bundle;
  }
  /// Chooses the model's precision, and says so where it is not what was asked for.
  void prepare(couplet::Clip<float>& model) const {
    const couplet::Precision asked = couplet::parse_precision(precision);
    if (model.precision() != asked) model.prepare(asked, model.packing());
    if (model.precision() != asked) {
      std::cerr << "note: this processor has no matrix products in bfloat16 (level "
                << couplet::simd::to_string(couplet::simd::active_level()) << "); running float32\n";
    }
  }
  /// What --describe prints: one line per property.
  static void describe(const couplet::Pretrained<float>& bundle) {
    for (const auto& [name, text] : bundle.describe_lines()) {
      std::cout << name << std::string(name.size() < 12 ? 12 - name.size() : 1, ' ') << text << '\n';
    }
  }
  /// How a user's pictures are decoded for `bundle`.
  [[nodiscard]] couplet::image::DecodeOptions decode_options(const couplet::Pretrained<float>& bundle) const {
    couplet::image::DecodeOptions options = bundle.transform.decode_options();
    options.apply_exif_orientation = !ignore_exif;
    return options;
  }
};

/// Parses the command line and runs `body` under the thread limit; an error becomes one line and exit status 1.
template <class Body>
int run(CLI::App& app, int argc, char** argv, const Common& common, Body&& body) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    std::cerr << app.get_name() << ": " << error.what() << " (--help shows all options)\n";
    return 1;
  }
  try {
    const couplet::ThreadLimit limit(common.threads);
    return body();
  } catch (const std::exception& error) {
    std::cerr << app.get_name() << ": " << error.what() << '\n';
    return 1;
  }
}

/// "[#######---] 70% 12.3 pairs/s", redrawn in place; silent when standard error is not a terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label) : label_(std::move(label)), terminal_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(std::int64_t done, std::int64_t total, const std::string& text = "") {
    if (!terminal_ || total <= 0) return;
    const auto now = std::chrono::steady_clock::now();
    if (done < total && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    constexpr std::int64_t width = 30;
    const std::int64_t full = width * done / total;
    std::string line = "\r\x1b[2K" + label_ + " [" + std::string(static_cast<std::size_t>(full), '#') +
                       std::string(static_cast<std::size_t>(width - full), '-') + "] " +
                       std::to_string(100 * done / total) + "% " + text;
    std::cerr << line << std::flush;
    drawn_ = true;
  }
  void clear() {
    if (drawn_) std::cerr << "\r\x1b[2K" << std::flush;
    drawn_ = false;
  }

 private:
  std::string label_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

/// "1:23:45" or "3:07".
inline std::string clock_text(double seconds) {
  const auto s = static_cast<long>(seconds + 0.5);
  char text[64];
  if (s >= 3600) {
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  }
  return text;
}

/// printf for std::string.
template <class... Args>
std::string format(const char* pattern, Args... args) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, args...);
  return text;
}

/// The lines of a text file that are not empty.
inline std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  std::string line;
  for (const char c : couplet::io::read_file(path, std::uint64_t{256} << 20) + "\n") {
    if (c != '\n') {
      line += c;
      continue;
    }
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) lines.push_back(line);
    line.clear();
  }
  if (lines.empty()) throw couplet::file_error(path, "has no lines");
  return lines;
}

/// "a cat,a dog" at its commas.
inline std::vector<std::string> split_labels(const std::string& text) {
  std::vector<std::string> labels{""};
  for (const char c : text) {
    if (c == ',') {
      labels.emplace_back();
    } else if (c != ' ' || !labels.back().empty()) {
      labels.back() += c;
    }
  }
  std::erase_if(labels, [](const std::string& label) { return label.empty(); });
  return labels;
}

/// Names of samples that could not be read, on standard error.
inline void report_unreadable(const std::vector<couplet::data::UnreadableSample>& samples) {
  if (samples.empty()) return;
  std::cerr << samples.size() << (samples.size() == 1 ? " picture was" : " pictures were") << " skipped:\n";
  for (std::size_t i = 0; i < samples.size() && i < 10; ++i) std::cerr << "  " << samples[i].reason << '\n';
  if (samples.size() > 10) std::cerr << "  and " << samples.size() - 10 << " more\n";
}

/// Pictures, folders of pictures and shards, one after the other.
inline std::shared_ptr<const couplet::data::Dataset> open_pictures(const std::vector<std::string>& paths) {
  std::vector<std::unique_ptr<const couplet::data::Dataset>> parts;
  for (const std::string& path : paths) parts.push_back(couplet::data::open_dataset(path));
  return std::make_shared<couplet::data::Concatenation>(std::move(parts));
}

/// A data set by its name; "scenes:N" generates N captioned scenes as large as the model's images.
inline std::shared_ptr<const couplet::data::Dataset> open_data(const std::string& name, std::uint64_t seed,
                                                               int image_size) {
  if (name.rfind("scenes:", 0) != 0) return couplet::data::open_dataset(name);
  const std::string count = name.substr(7);
  if (count.empty() || count.size() > 9 || count.find_first_not_of("0123456789") != std::string::npos) {
    throw std::invalid_argument("\"" + name + "\": expected scenes:N with a number N");
  }
  return std::make_shared<couplet::data::SceneDataset>(
      couplet::data::SceneOptions{.seed = seed, .count = std::stol(count), .image_size = image_size});
}

}  // namespace program
