// The second translation unit of the user's program: compiled without -fopenmp, linked with one that has it.
#include <string>
#include <vector>

#include "couplet/couplet.hpp"
#include "product.hpp"

std::string version_seen_by_other_unit();
std::string version_seen_by_other_unit() { return couplet::version; }

std::vector<float> product_of_other_unit();
std::vector<float> product_of_other_unit() {
  const couplet::Tensor<float, 2> c = product();
  return {c.data(), c.data() + c.size()};
}
