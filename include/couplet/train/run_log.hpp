#pragma once
/// A run's log: one JSON object per line, appended as the run goes on.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "couplet/core/error.hpp"
#include "couplet/io/file.hpp"
#include "couplet/io/json.hpp"

namespace couplet::inline COUPLET_ABI::train {

class RunLog {
 public:
  /// Keeps the lines of steps up to `keep_step` that an earlier part of the run wrote; 0 begins anew.
  /// on_line(json) hears of each of them.
  template <class OnLine>
  RunLog(std::string path, std::int64_t keep_step, OnLine&& on_line) : path_(std::move(path)) {
    std::string kept;
    if (keep_step > 0 && std::filesystem::exists(path_)) kept = lines_until(keep_step, on_line);
    io::write_file(path_, kept);
    file_.open(path_, std::ios::app);
  }

  RunLog(std::string path, std::int64_t keep_step) : RunLog(std::move(path), keep_step, [](const io::Json&) {}) {}

  /// Appends `object` (one line of JSON) and hands it to the system. file_error: it cannot be written.
  void write(const std::string& object) {
    file_ << object << '\n' << std::flush;
    if (!file_) throw file_error(path_, "cannot be written");
  }

 private:
  /// A line that is cut off or is no JSON (the run was killed while it wrote) ends what is kept.
  template <class OnLine>
  [[nodiscard]] std::string lines_until(std::int64_t keep_step, OnLine&& on_line) const {
    std::ifstream in(path_);
    std::string kept;
    for (std::string line; std::getline(in, line);) {
      try {
        const io::Json json = io::Json::parse(line, path_);
        const io::Json* step = json.find("step");
        if (step == nullptr || step->as_integer() > keep_step) break;
        on_line(json);
      } catch (const file_error&) {
        break;
      }
      kept += line + '\n';
    }
    return kept;
  }

  std::string path_;
  std::ofstream file_;
};

}  // namespace couplet::inline COUPLET_ABI::train
