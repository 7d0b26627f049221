#pragma once
/// The bar that a trained model must clear: retrieval without a network, in closed form. Needs Eigen.
///
/// Ridge regression from what a picture looks like to the words of its captions. Looks: 16 x 16 pixels, and histograms
/// of gradient directions in 8 x 8 cells of 8 x 8 pixels (Dalal and Triggs, "Histograms of Oriented Gradients for Human
/// Detection", CVPR 2005: 9 unsigned directions, each cell normalised beside its neighbours). Words: a bag weighted by
/// log(N / captions with the word). A caption fits a picture by the cosine of the predicted and its own bag. It is
/// fitted in seconds; a model that finds fewer captions has learnt nothing that pixels do not say.
#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <numbers>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/decode_picture.hpp"
#include "couplet/eval/ridge.hpp"
#include "couplet/image/resize.hpp"
#include "couplet/train/evaluation.hpp"

namespace couplet::inline COUPLET_ABI::train {

/// What a picture looks like, without any learning.
class PictureLooks {
 public:
  static constexpr int thumbnail = 16;       ///< pixels a side
  static constexpr int side = 64;            ///< of the picture whose gradients are taken
  static constexpr int cells = 8, bins = 9;  ///< cells a side, directions
  static constexpr Index pixel_count = 3 * thumbnail * thumbnail;
  static constexpr Index size = pixel_count + cells * cells * bins;

  /// (size): pixels in [0, 1], then histograms of length 1 together with their neighbours.
  static Eigen::RowVectorXd of(const image::Image& picture) {
    Eigen::RowVectorXd looks(size);
    const image::Image small = image::resize(picture, thumbnail, thumbnail);
    for (Index i = 0; i < pixel_count; ++i) looks[i] = small.pixels[static_cast<std::size_t>(i)] / 255.0;
    const Histograms histograms = gradients(image::resize(picture, side, side));
    for (int y = 0; y < cells; ++y) {
      for (int x = 0; x < cells; ++x) {
        const double length = std::sqrt(energy_around(histograms, y, x) + 1e-4);
        for (int b = 0; b < bins; ++b) {
          looks[pixel_count + (y * cells + x) * bins + b] = histograms[at(y, x)][static_cast<std::size_t>(b)] / length;
        }
      }
    }
    return looks;
  }

 private:
  using Histograms = std::array<std::array<double, bins>, cells * cells>;
  static std::size_t at(int y, int x) { return static_cast<std::size_t>(y * cells + x); }

  static double grey(const image::Image& picture, int y, int x) {
    y = std::clamp(y, 0, side - 1), x = std::clamp(x, 0, side - 1);
    const std::uint8_t* p = &picture.pixels[static_cast<std::size_t>(3 * (y * side + x))];
    return (0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]) / 255.0;
  }

  /// Each gradient's length goes to the two directions beside its own.
  static Histograms gradients(const image::Image& picture) {
    Histograms histograms{};
    for (int y = 0; y < side; ++y) {
      for (int x = 0; x < side; ++x) {
        const double dx = grey(picture, y, x + 1) - grey(picture, y, x - 1);
        const double dy = grey(picture, y + 1, x) - grey(picture, y - 1, x);
        const double turn = std::atan2(dy, dx) / std::numbers::pi;  // a direction and its opposite are one
        const double place = (turn < 0 ? turn + 1 : turn) * bins;
        const int low = static_cast<int>(place);
        const double share = place - low;
        auto& cell = histograms[at(y * cells / side, x * cells / side)];
        cell[static_cast<std::size_t>(low % bins)] += (1 - share) * std::hypot(dx, dy);
        cell[static_cast<std::size_t>((low + 1) % bins)] += share * std::hypot(dx, dy);
      }
    }
    return histograms;
  }

  static double energy_around(const Histograms& histograms, int y, int x) {
    double energy = 0;
    for (int v = std::max(0, y - 1); v <= std::min(cells - 1, y + 1); ++v) {
      for (int u = std::max(0, x - 1); u <= std::min(cells - 1, x + 1); ++u) {
        for (const double value : histograms[at(v, u)]) energy += value * value;
      }
    }
    return energy;
  }
};

/// Captions as bags of words: lower-case runs of ASCII letters, digits and bytes above 127.
class WordBags {
 public:
  /// The words of all captions of a data set.
  explicit WordBags(const data::Dataset& dataset) {
    std::vector<double> captions_with;
    double captions = 0;
    for (Index i = 0; i < dataset.size(); ++i) {
      for (const std::string& caption : dataset.annotation(i).captions) {
        ++captions;
        for (const std::string& word : words(caption)) {
          const auto [entry, is_new] = columns_.try_emplace(word, static_cast<Index>(columns_.size()));
          if (is_new) captions_with.push_back(0);
          captions_with[static_cast<std::size_t>(entry->second)] += 1;
        }
      }
    }
    for (const double with : captions_with) weights_.push_back(std::log((1 + captions) / with));
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

class WordRegression {
 public:
  struct Options {
    double l2 = 3e-4;  ///< beside looks whose two groups each have variance 1 in all
    image::DecodeOptions decode = {};
  };

  /// Fits the captions of `dataset`. std::invalid_argument: it has no readable picture with a caption.
  explicit WordRegression(const data::Dataset& dataset) : WordRegression(dataset, Options()) {}
  WordRegression(const data::Dataset& dataset, const Options& options)
      : decode_(options.decode), bags_(dataset), ridge_(PictureLooks::size, bags_.size()) {
    const Looks looks = read(dataset);
    if (looks.indices.empty() || bags_.size() == 0) fail("word_regression", "no readable picture with a caption");
    scale_ = scale_of(looks.rows);
    constexpr Index rows_at_once = 512;  // bounds the bags in memory
    for (Index begin = 0; begin < looks.rows.rows(); begin += rows_at_once) {
      const Index count = std::min(rows_at_once, looks.rows.rows() - begin);
      EigenMatrix<double> targets = EigenMatrix<double>::Zero(count, bags_.size());
      for (Index r = 0; r < count; ++r) {
        const std::vector<std::string> captions = captions_of(dataset, looks, begin + r);
        for (const std::string& caption : captions) {
          targets.row(r) += bags_.of(caption) / static_cast<double>(captions.size());
        }
      }
      ridge_.add(scaled(looks.rows.middleRows(begin, count)), targets);
    }
    ridge_.solve(options.l2);
  }

  /// Retrieval on another data set, as evaluate() measures it; no labels.
  [[nodiscard]] Evaluation evaluate(const data::Dataset& dataset) const {
    const Looks looks = read(dataset);
    Evaluation result{.images = static_cast<Index>(looks.indices.size()), .unreadable = looks.unreadable};
    std::vector<Index> image_of_text;
    std::vector<std::string> captions;
    for (Index i = 0; i < result.images; ++i) {
      for (std::string& caption : captions_of(dataset, looks, i)) {
        captions.push_back(std::move(caption));
        image_of_text.push_back(i);
      }
    }
    result.texts = static_cast<Index>(captions.size());
    if (result.texts == 0) return result;
    Tensor<float, 2> images({result.images, bags_.size()}), texts({result.texts, bags_.size()});
    EigenMatrix<double> predicted = ridge_.predict(scaled(looks.rows));
    predicted.rowwise().normalize();
    eval::as_eigen(images.view()) = predicted.cast<float>();
    for (Index t = 0; t < result.texts; ++t) {
      eval::as_eigen(texts.view()).row(t) = bags_.of(captions[static_cast<std::size_t>(t)]).cast<float>();
    }
    Workspace workspace;
    const eval::Retrieval found = eval::retrieval<float>(images, texts, image_of_text, workspace);
    result.image_to_text = detail::percent(found.image_to_text);
    result.text_to_image = detail::percent(found.text_to_image);
    return result;
  }

 private:
  template <class T>
  using EigenMatrix = eval::EigenMatrix<T>;

  struct Looks {
    EigenMatrix<double> rows;  ///< (readable pictures with captions, PictureLooks::size)
    std::vector<Index> indices;
    std::vector<data::UnreadableSample> unreadable;
  };

  [[nodiscard]] Looks read(const data::Dataset& dataset) const {
    Looks looks;
    looks.rows.resize(dataset.size(), PictureLooks::size);
    std::vector<std::string> errors(static_cast<std::size_t>(dataset.size()));
    parallel_for(dataset.size(), [&](Index i) {
      try {
        looks.rows.row(i) = PictureLooks::of(data::decode_picture(dataset.sample(i), decode_));
      } catch (const file_error& error) {
        errors[static_cast<std::size_t>(i)] = error.what();
      }
    });
    for (Index i = 0; i < dataset.size(); ++i) {
      const std::string& error = errors[static_cast<std::size_t>(i)];
      if (!error.empty()) looks.unreadable.push_back({i, error});
      if (!error.empty() || dataset.annotation(i).captions.empty()) continue;
      looks.rows.row(static_cast<Index>(looks.indices.size())) = looks.rows.row(i);
      looks.indices.push_back(i);
    }
    looks.rows.conservativeResize(static_cast<Index>(looks.indices.size()), Eigen::NoChange);
    return looks;
  }

  static std::vector<std::string> captions_of(const data::Dataset& dataset, const Looks& looks, Index row) {
    return dataset.annotation(looks.indices[static_cast<std::size_t>(row)]).captions;
  }

  /// Pixels and histograms count alike, whatever their numbers and units.
  static std::array<double, 2> scale_of(const EigenMatrix<double>& rows) {
    const EigenMatrix<double> centred = rows.rowwise() - Eigen::RowVectorXd(rows.colwise().mean());
    const double count = static_cast<double>(rows.rows());
    const double pixels = centred.leftCols(PictureLooks::pixel_count).squaredNorm() / count;
    const double gradients = centred.rightCols(PictureLooks::size - PictureLooks::pixel_count).squaredNorm() / count;
    return {1 / std::sqrt(pixels + 1e-12), 1 / std::sqrt(gradients + 1e-12)};
  }
  template <class Rows>
  [[nodiscard]] EigenMatrix<double> scaled(const Rows& rows) const {
    EigenMatrix<double> result = rows;
    result.leftCols(PictureLooks::pixel_count) *= scale_[0];
    result.rightCols(PictureLooks::size - PictureLooks::pixel_count) *= scale_[1];
    return result;
  }

  image::DecodeOptions decode_;
  WordBags bags_;
  eval::RidgeRegression ridge_;
  std::array<double, 2> scale_{};
};

}  // namespace couplet::inline COUPLET_ABI::train
