// A user's program: everything it knows of couplet is this include and, with COUPLET_TWO_UNITS, a second unit that is
// compiled with other flags. It exits with 0 if what it computes is right.
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "couplet/couplet.hpp"
#include "product.hpp"

#if defined(COUPLET_TWO_UNITS)
std::string version_seen_by_other_unit();  // other_unit.cpp
std::vector<float> product_of_other_unit();
#endif

namespace {

/// Whether the kernels' product is that of three loops in double.
bool is_right(const couplet::Tensor<float, 2>& c) {
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) {
      double sum = 0;
      for (int k = 0; k < depth; ++k) sum += double{left(i, k)} * double{right(j, k)};
      if (!(std::fabs(sum - double{c(i, j)}) < 1e-4)) return false;
    }
  }
  return true;
}

}  // namespace

int main() {
  const couplet::Tensor<float, 2> c = product();
  if (!is_right(c)) {
    std::printf("a product is wrong\n");
    return 1;
  }
#if defined(COUPLET_TWO_UNITS)
  if (std::vector<float>(c.data(), c.data() + c.size()) != product_of_other_unit()) {
    std::printf("the two units differ\n");
    return 1;
  }
  if (version_seen_by_other_unit() != couplet::version) return 1;
#endif
  std::printf("couplet %s, kernels: %s\n", couplet::version,
              couplet::simd::to_string(couplet::simd::active_level()).c_str());
  return 0;
}
