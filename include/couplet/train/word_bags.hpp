#pragma once
/// Captions as bags of words: lower-case runs of ASCII letters, digits and bytes above 127. Needs Eigen.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "couplet/eval/eigen.hpp"

namespace couplet::inline COUPLET_ABI::train {

class WordBags {
 public:
  /// The words of some captions, weighted by log((1 + N) / captions with the word).
  explicit WordBags(std::span<const std::string> captions) {
    std::vector<double> captions_with;
    for (const std::string& caption : captions) {
      for (const std::string& word : words(caption)) {
        const auto [entry, is_new] = columns_.try_emplace(word, static_cast<Index>(columns_.size()));
        if (is_new) captions_with.push_back(0);
        captions_with[static_cast<std::size_t>(entry->second)] += 1;
      }
    }
    const double all = 1 + static_cast<double>(captions.size());
    for (const double with : captions_with) weights_.push_back(std::log(all / with));
  }

  [[nodiscard]] Index size() const { return static_cast<Index>(weights_.size()); }

  /// (size), of length 1; zero for a caption without any known word.
  [[nodiscard]] Eigen::RowVectorXd of(std::string_view caption) const {
    Eigen::RowVectorXd bag = Eigen::RowVectorXd::Zero(size());
    for (const std::string& word : words(caption)) {
      const auto entry = columns_.find(word);
      if (entry != columns_.end()) bag[entry->second] = weights_[static_cast<std::size_t>(entry->second)];
    }
    const double length = bag.norm();
    return length > 0 ? Eigen::RowVectorXd(bag / length) : bag;
  }

 private:
  /// Each word once.
  static std::vector<std::string> words(std::string_view caption) {
    std::vector<std::string> found;
    std::string word;
    const auto finish = [&] {
      if (!word.empty() && std::find(found.begin(), found.end(), word) == found.end()) found.push_back(word);
      word.clear();
    };
    for (const char c : caption) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte > 127 || std::isalnum(byte)) {
        word += static_cast<char>(byte > 127 ? byte : std::tolower(byte));
      } else {
        finish();
      }
    }
    finish();
    return found;
  }

  std::unordered_map<std::string, Index> columns_;
  std::vector<double> weights_;
};

}  // namespace couplet::inline COUPLET_ABI::train
