#include "couplet/nn/layer_norm.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(LayerNormModule, StartsAsPlainNormalisation) {
  const nn::LayerNorm<double> ln(4, 1e-5);
  Tensor<double, 2> x({1, 4});
  for (Index i = 0; i < 4; ++i) x(0, i) = static_cast<double>(i);
  Tensor<double, 2> y({1, 4});
  ln.forward(x, ops::Operand<double>(y.view()));
  const double rstd = 1 / std::sqrt(1.25 + 1e-5);
  for (Index i = 0; i < 4; ++i) EXPECT_NEAR(y(0, i), (static_cast<double>(i) - 1.5) * rstd, 1e-15);
}

TEST(LayerNormModule, GradientsWithBlocksOfRowsSavedSeparately) {
  nn::LayerNorm<double> ln(6, 1e-3);
  test::randomize(ln, 1);
  auto x = test::random_matrix<double>(5, 6, 2);
  const auto dy = test::random_matrix<double>(5, 6, 3);
  Tensor<double, 2> y({5, 6});
  nn::LayerNorm<double>::Saved saved;
  saved.resize(5);
  const auto loss = [&] {
    for (const auto& [begin, end] : {std::pair<Index, Index>{0, 2}, {2, 5}}) {
      ln.forward(x.view().slice(begin, end), ops::Operand<double>(y.view().slice(begin, end)), &saved, begin);
    }
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  nn::zero_grad(ln);
  Tensor<double, 2> dx({5, 6});
  ln.backward(dy, x, saved, dx, false);
  Tensor<double, 2> twice = dx;  // the residual stream is added to
  ln.backward(dy, x, saved, twice, true);
  for (Index i = 0; i < dx.size(); ++i) EXPECT_NEAR(twice.data()[i], 2 * dx.data()[i], 1e-14);

  nn::zero_grad(ln);
  ln.backward(dy, x, saved, dx, false);
  test::expect_parameter_gradients(ln, loss);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
}

}  // namespace
