#include "couplet/nn/attention_pool.hpp"

#include <array>

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;

TEST(AttentionPool, GradientsOfProbeParametersAndTokens) {
  nn::AttentionPool<double> pool(8, 2, 12, Activation::gelu_tanh, 1e-3);
  test::randomize(pool, 1);
  const std::array<Index, 4> offsets{0, 3, 4, 9};
  const Sequences sequences(offsets);
  auto x = test::random_matrix<double>(9, 8, 2);
  const auto dy = test::random_matrix<double>(3, 8, 3);
  Workspace workspace;
  nn::AttentionPool<double>::Saved saved;
  Tensor<double, 2> y({3, 8});
  const auto loss = [&] {
    pool.prepare();
    pool.forward(ops::Operand<double>(x.view()), sequences, y, workspace, &saved);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  nn::zero_grad(pool);
  Tensor<double, 2> dy_scratch = dy;
  Tensor<double, 2> dx({9, 8});
  pool.backward(dy_scratch, x, sequences, dx, workspace, saved);
  test::expect_parameter_gradients(pool, loss);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
}

}  // namespace
