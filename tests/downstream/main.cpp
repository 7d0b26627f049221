// A user's program: everything it knows of couplet is this include and, with COUPLET_TWO_UNITS, a second unit that is
// compiled with other flags. It exits with 0 if what it computes is right.
#if __has_include("couplet/couplet.hpp")
#include "couplet/couplet.hpp"
#else
#include "couplet/version.hpp"
#endif

#include <iostream>
#include <string>

#if defined(COUPLET_TWO_UNITS)
std::string version_seen_by_other_unit();  // other_unit.cpp
#endif

int main() {
#if defined(COUPLET_TWO_UNITS)
  if (version_seen_by_other_unit() != couplet::version) return 1;
#endif
  std::cout << "couplet " << couplet::version << '\n';
  return 0;
}
