#include "couplet/nn/position_resize.hpp"

#include "support/expect_near.hpp"
#include "support/gradient_check.hpp"
#include "support/random_tensor.hpp"

namespace {

using namespace couplet;
using nn::PositionFilter;

/// i^1.5 on a grid of 3 x 4.
Tensor<double, 2> power_table() {
  Tensor<double, 2> table({12, 1});
  for (Index i = 0; i < 12; ++i) table(i, 0) = std::pow(static_cast<double>(i), 1.5);
  return table;
}

void expect_resized(nn::Grid to, PositionFilter filter, const std::vector<double>& expected) {
  Tensor<double, 2> y({to.size(), 1});
  nn::PositionResize({3, 4}, to, filter).forward<double>(power_table(), y);
  ASSERT_EQ(expected.size(), static_cast<std::size_t>(to.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(y.data()[i], expected[i], 1e-9) << i;
}

// Expected values: torch 2.15.0, torch.nn.functional.interpolate in float64, 12 digits.
TEST(PositionResize, BicubicAsTorch) {
  expect_resized({5, 2}, PositionFilter::bicubic,
                 {-0.528877814545, 2.95926560551, 2.70553558468, 7.86902900025, 9.26048882789, 16.9382799329,
                  19.1569245378, 28.5959425143, 25.8318272916, 36.1708112362});
}

TEST(PositionResize, BicubicWithAntialiasAsTorch) {
  expect_resized({5, 2}, PositionFilter::bicubic_antialias,
                 {-0.0949183374615, 2.85881487761, 3.16804480398, 7.3999888635, 9.87002731471, 16.2782594799,
                  20.2351535169, 28.1043102827, 26.352348116, 34.9423220799});
  expect_resized({2, 6}, PositionFilter::bicubic_antialias,
                 {2.09954734341, 2.87979745954, 4.27977081945, 5.87215696457, 7.94306580986, 9.32425290053,
                  17.5640428668, 19.4794135021, 22.5721520853, 25.4415002406, 28.8413511394, 31.0317931487});
}

TEST(PositionResize, BilinearWithAntialiasAsTorch) {
  expect_resized({2, 6}, PositionFilter::bilinear_antialias,
                 {3.0, 3.90881372891, 5.22787602721, 6.86887030483, 8.73590566498, 10.1926924557, 17.1421356237,
                  19.1048815408, 21.7689540977, 24.5742606574, 27.5112399613, 29.7468926252});
}

TEST(PositionResize, TheSameGridChangesNothing) {
  for (const auto filter :
       {PositionFilter::bicubic, PositionFilter::bicubic_antialias, PositionFilter::bilinear_antialias}) {
    Tensor<double, 2> y({12, 1});
    nn::PositionResize({3, 4}, {3, 4}, filter).forward<double>(power_table(), y);
    EXPECT_TRUE(test::same_bits(y, power_table()));
  }
}

TEST(PositionResize, GradientOfTheTable) {
  auto table = test::random_matrix<double>(12, 2, 1);
  const auto dy = test::random_matrix<double>(10, 2, 2);
  const nn::PositionResize resize({3, 4}, {5, 2}, PositionFilter::bilinear_antialias);
  const auto loss = [&] {
    Tensor<double, 2> y({10, 2});
    resize.forward<double>(table, y);
    return test::inner_product(test::elements(y), test::elements(dy));
  };
  Tensor<double, 2> dtable({12, 2});
  dtable.fill(0);
  resize.backward<double>(dy, dtable);
  EXPECT_TRUE(test::check_gradient(loss, test::elements(table), test::elements(dtable)));
}

TEST(PositionResize, RefusesTablesOfAnotherGrid) {
  Tensor<double, 2> y({10, 1});
  EXPECT_THROW(nn::PositionResize({4, 4}, {5, 2}, PositionFilter::bicubic).forward<double>(power_table(), y),
               std::invalid_argument);
}

}  // namespace
