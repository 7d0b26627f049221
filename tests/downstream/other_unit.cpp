// The second translation unit of the user's program: compiled without -fopenmp, linked with one that has it.
#if __has_include("couplet/couplet.hpp")
#include "couplet/couplet.hpp"
#else
#include "couplet/version.hpp"
#endif

#include <string>

std::string version_seen_by_other_unit();
std::string version_seen_by_other_unit() { return couplet::version; }
