#pragma once
/// The bar that a trained model must clear: retrieval without a network, in closed form. Needs Eigen.
///
/// Ridge regression from what a picture looks like to the words of its captions. A caption fits a picture by the cosine
/// of the predicted and its own bag of words. It is fitted in seconds; a model that finds fewer captions has learnt
/// nothing that pixels do not say.
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "couplet/data/dataset.hpp"
#include "couplet/data/decode_picture.hpp"
#include "couplet/eval/ridge.hpp"
#include "couplet/train/evaluation.hpp"
#include "couplet/train/picture_looks.hpp"
#include "couplet/train/word_bags.hpp"

namespace couplet::inline COUPLET_ABI::train {

class WordRegression {
 public:
  struct Options {
    double l2 = 3e-4;  ///< beside looks whose two groups each have variance 1 in all
    image::DecodeOptions decode = {};
  };

  /// Fits the captions of `dataset`. std::invalid_argument: it has no readable picture with a caption.
  explicit WordRegression(const data::Dataset& dataset) : WordRegression(dataset, Options()) {}
  WordRegression(const data::Dataset& dataset, const Options& options)
      : WordRegression(Looks(dataset, options.decode), options) {}

  /// Retrieval on another data set, as evaluate() measures it; no labels.
  [[nodiscard]] Evaluation evaluate(const data::Dataset& dataset) const {
    const Looks looks(dataset, decode_);
    const auto texts = static_cast<Index>(looks.captions.texts.size());
    Evaluation result{.images = looks.rows.rows(), .unreadable = looks.unreadable};
    if (texts == 0) return result;
    Tensor<float, 2> predicted({result.images, bags_.size()}), bags({texts, bags_.size()});
    eval::as_eigen(predicted.view()) = ridge_.predict(scaled(looks.rows)).rowwise().normalized().cast<float>();
    for (Index t = 0; t < texts; ++t) {
      eval::as_eigen(bags.view()).row(t) = bags_.of(looks.captions.texts[static_cast<std::size_t>(t)]).cast<float>();
    }
    detail::measure_retrieval(predicted, bags, looks.captions, result);
    return result;
  }

 private:
  template <class T>
  using EigenMatrix = eval::EigenMatrix<T>;

  /// The readable pictures that have captions.
  struct Looks {
    EigenMatrix<double> rows;  ///< (pictures, PictureLooks::size)
    detail::Captions captions;
    std::vector<data::UnreadableSample> unreadable;

    Looks(const data::Dataset& dataset, const image::DecodeOptions& decode) : rows(dataset.size(), PictureLooks::size) {
      std::vector<std::string> errors(static_cast<std::size_t>(dataset.size()));
      parallel_for(dataset.size(), [&](Index i) {
        try {
          rows.row(i) = PictureLooks::of(data::decode_picture(dataset.sample(i), decode));
        } catch (const file_error& error) {
          errors[static_cast<std::size_t>(i)] = error.what();
        }
      });
      Index kept = 0;
      for (Index i = 0; i < dataset.size(); ++i) {
        const std::string& error = errors[static_cast<std::size_t>(i)];
        if (!error.empty()) {
          unreadable.push_back({i, error});
          continue;
        }
        std::vector<std::string> own = dataset.annotation(i).captions;
        if (own.empty()) continue;
        rows.row(kept) = rows.row(i);
        captions.add(kept++, std::move(own));
      }
      rows.conservativeResize(kept, Eigen::NoChange);
    }
  };

  WordRegression(const Looks& looks, const Options& options)
      : decode_(options.decode), bags_(looks.captions.texts), ridge_(PictureLooks::size, bags_.size()) {
    if (bags_.size() == 0) fail("word_regression", "no readable picture with a caption");
    scale_ = scale_of(looks.rows);
    constexpr Index rows_at_once = 512;  // bounds the bags in memory
    std::size_t text = 0;
    for (Index begin = 0; begin < looks.rows.rows(); begin += rows_at_once) {
      const Index count = std::min(rows_at_once, looks.rows.rows() - begin);
      ridge_.add(scaled(looks.rows.middleRows(begin, count)), mean_bags(looks.captions, begin, count, text));
    }
    ridge_.solve(options.l2);
  }

  /// The mean bag of the captions of each of `count` pictures; `text` goes from the first of them behind the last.
  [[nodiscard]] EigenMatrix<double> mean_bags(const detail::Captions& captions, Index begin, Index count,
                                              std::size_t& text) const {
    EigenMatrix<double> bags = EigenMatrix<double>::Zero(count, bags_.size());
    for (Index r = 0; r < count; ++r) {
      double own = 0;
      for (; text < captions.texts.size() && captions.image_of_text[text] == begin + r; ++text, ++own) {
        bags.row(r) += bags_.of(captions.texts[text]);
      }
      bags.row(r) /= own;
    }
    return bags;
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
