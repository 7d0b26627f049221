// Losses and gradients of open_clip, in float64: shared/golden/losses (README.models.md there).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "couplet/checkpoint/safetensors.hpp"
#include "couplet/losses/clip_loss.hpp"
#include "couplet/losses/siglip_loss.hpp"
#include "couplet/ops/l2_normalize.hpp"
#include "support/expect_near.hpp"

namespace couplet::losses {
namespace {

std::string golden_directory() {
  if (const char* shared = std::getenv("COUPLET_SHARED")) return std::string(shared) + "/golden/losses";
#if defined(COUPLET_SHARED_DIR)
  return std::string(COUPLET_SHARED_DIR) + "/golden/losses";
#else
  return {};
#endif
}

template <class T, std::size_t Rank>
Tensor<T, Rank> load(const checkpoint::SafetensorsFile& file, const std::string& name) {
  const auto* info = file.find(name);
  if (info == nullptr) throw std::runtime_error(file.path() + ": no tensor " + name);
  Extents<Rank> extents{1};
  for (std::size_t i = 0; i < info->shape.size(); ++i) extents[i] = static_cast<Index>(info->shape[i]);
  Tensor<T, Rank> tensor(extents);
  file.read(*info, tensor.data(), static_cast<std::size_t>(tensor.size()));
  return tensor;
}

/// A case of a file through normalisation, loss, and both backward passes.
template <class T>
class GoldenCase {
 public:
  GoldenCase(const checkpoint::SafetensorsFile& file, const std::string& features, const std::string& name)
      : file_(file), name_(name) {
    const auto image = load<T, 2>(file, features + "image_features");
    const auto text = load<T, 2>(file, features + "text_features");
    const auto extents = image.extents();
    Tensor<T, 2> image_unit(extents), text_unit(extents);
    Tensor<T, 1> image_norms({extents[0]}), text_norms({extents[0]});
    ops::l2_normalize_forward<T>(image, image_unit, image_norms);
    ops::l2_normalize_forward<T>(text, text_unit, text_norms);
    d_image_.resize(extents);
    d_text_.resize(extents);
    ContrastiveGradients<T> gradients{.image_features = d_image_, .text_features = d_text_};
    Workspace workspace;
    const T scale = scalar<T>("logit_scale");
    sigmoid_ = name.find("sigmoid") != std::string::npos;
    if (sigmoid_) {
      loss_ =
          SigLipLoss<T>().forward_backward(image_unit, text_unit, scale, scalar<T>("logit_bias"), gradients, workspace);
    } else {
      loss_ = ClipLoss<T>().forward_backward(image_unit, text_unit, scale, gradients, workspace);
    }
    d_logit_scale_ = gradients.logit_scale;
    d_logit_bias_ = gradients.logit_bias;
    ops::l2_normalize_backward<T>(d_image_, image_unit, image_norms, d_image_);
    ops::l2_normalize_backward<T>(d_text_, text_unit, text_norms, d_text_);
  }

  /// The largest difference from the file over loss, features and scalars; each relative to max(floor, its largest
  /// element). Gradients of features of norm 1e-9 are 1e9 times larger, hence the relative measure.
  [[nodiscard]] double error(double floor) const {
    double worst = std::max(difference(loss_, "loss", floor), difference(d_logit_scale_, "d_logit_scale", floor));
    if (sigmoid_) worst = std::max(worst, difference(d_logit_bias_, "d_logit_bias", floor));
    worst = std::max(worst, difference(d_image_, "d_image_features", floor));
    return std::max(worst, difference(d_text_, "d_text_features", floor));
  }

 private:
  template <class U>
  [[nodiscard]] U scalar(const std::string& key) const {
    return load<U, 1>(file_, name_ + "." + key)[0];
  }
  [[nodiscard]] double difference(T value, const std::string& key, double floor) const {
    const double expected = scalar<double>(key);
    return std::abs(static_cast<double>(value) - expected) / std::max(floor, std::abs(expected));
  }
  [[nodiscard]] double difference(const Tensor<T, 2>& found, const std::string& key, double floor) const {
    const auto expected = load<double, 2>(file_, name_ + "." + key);
    double worst = 0, largest = floor;
    for (Index i = 0; i < expected.size(); ++i) {
      const double one = std::abs(static_cast<double>(found.data()[i]) - expected.data()[i]);
      if (!(one <= worst)) worst = std::isnan(one) ? HUGE_VAL : one;
      largest = std::max(largest, std::abs(expected.data()[i]));
    }
    return worst / largest;
  }

  const checkpoint::SafetensorsFile& file_;
  std::string name_;
  Tensor<T, 2> d_image_, d_text_;
  T loss_, d_logit_scale_, d_logit_bias_;
  bool sigmoid_;
};

/// f(file, features, case) for every case of every file; returns how many there were.
template <class F>
int for_each_case(F&& f) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden_directory())) {
    if (entry.path().extension() != ".safetensors") continue;
    const checkpoint::SafetensorsFile file(entry.path().string());
    for (const auto& tensor : file.tensors()) {
      if (!tensor.name.ends_with(".loss")) continue;
      const std::string name = tensor.name.substr(0, tensor.name.size() - 5);
      const std::size_t kind = std::min(name.find("infonce"), name.find("sigmoid"));
      f(file, name.substr(0, kind), name);
      ++count;
    }
  }
  return count;
}

#define COUPLET_SKIP_WITHOUT_GOLDEN_FILES() \
  if (!std::filesystem::is_directory(golden_directory())) GTEST_SKIP() << "no golden files of losses"

TEST(GoldenLosses, AreReproducedInDouble) {
  COUPLET_SKIP_WITHOUT_GOLDEN_FILES();
  double worst = 0;
  const int count = for_each_case([&](const auto& file, const std::string& features, const std::string& name) {
    const double error = GoldenCase<double>(file, features, name).error(1);
    EXPECT_LT(error, 1e-10) << file.path() << " " << name;
    worst = std::max(worst, error);
  });
  EXPECT_GE(count, 60);
  RecordProperty("cases", count);
}

TEST(GoldenLosses, AreReproducedInFloat) {
  COUPLET_SKIP_WITHOUT_GOLDEN_FILES();
  for_each_case([&](const auto& file, const std::string& features, const std::string& name) {
    // A logit of 100 carries the rounding of its dot product a hundredfold.
    const double tolerance = name.find("scale_4.6") == std::string::npos ? 2e-6 : 2e-5;
    EXPECT_LT(GoldenCase<float>(file, features, name).error(1), tolerance) << file.path() << " " << name;
  });
}

}  // namespace
}  // namespace couplet::losses
