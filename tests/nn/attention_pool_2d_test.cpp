#include "couplet/nn/attention_pool_2d.hpp"

#include "support/expect_near.hpp"
#include "support/module_check.hpp"

namespace {

using namespace couplet;
using Pool = nn::AttentionPool2d<double>;

TEST(AttentionPool2d, HasTrueGradients) {
  Pool pool(7, 8, 2, 5);  // 6 pixels and their mean
  test::randomize(pool, 1);
  auto x = test::random_matrix<double>(18, 8, 2);
  const auto dy = test::random_matrix<double>(3, 5, 3);
  Tensor<double, 2> y({3, 5}), dx({18, 8});
  Workspace workspace;
  Pool::Saved saved;
  const auto loss = [&] {
    pool.prepare();
    pool.forward(x, y, workspace, &saved);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  loss();
  nn::zero_grad(pool);
  pool.backward(dy, dx, workspace, saved);
  // One key for all: a bias of the keys changes no probability.
  for (Index c = 0; c < 8; ++c) EXPECT_NEAR(pool.k_proj.bias.grad.data()[c], 0.0, 1e-14);
  pool.k_proj.bias = {};
  test::expect_parameter_gradients(pool, loss, 1e-7, 40);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(x), test::elements(dx)));
}

TEST(AttentionPool2d, WithoutQueriesItAveragesTheValues) {
  Pool pool(5, 4, 1, 4);
  test::randomize(pool, 1);
  for (Parameter<double>* zero : {&pool.positional_embedding, &pool.q_proj.weight, &pool.q_proj.bias}) {
    std::fill_n(zero->value.data(), zero->size(), 0.0);
  }
  for (nn::Linear<double>* identity : {&pool.v_proj, &pool.c_proj}) {
    for (Index i = 0; i < 16; ++i) identity->weight.value.data()[i] = i % 5 == 0 ? 1.0 : 0.0;
    std::fill_n(identity->bias.value.data(), 4, 0.0);
  }
  pool.prepare();
  const auto x = test::random_matrix<double>(4, 4, 2);
  Tensor<double, 2> y({1, 4});
  Workspace workspace;
  pool.forward(x, y, workspace, nullptr);
  // The mean of the mean and the four pixels is the mean.
  for (Index c = 0; c < 4; ++c) EXPECT_NEAR(y(0, c), (x(0, c) + x(1, c) + x(2, c) + x(3, c)) / 4, 1e-15);
}

TEST(AttentionPool2d, RefusesPixelsOfAnotherGrid) {
  Pool pool(5, 4, 1, 4);
  pool.prepare();
  Tensor<double, 2> x({9, 4}), y({2, 4});
  Workspace workspace;
  EXPECT_THROW(pool.forward(x, y, workspace, nullptr), std::invalid_argument);
}

}  // namespace
