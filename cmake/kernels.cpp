// The kernels of every instruction set, compiled once for the tests, benchmarks and examples of this tree.
// Programs that use couplet do not need this file: without COUPLET_SHARED_KERNELS the headers bring the kernels along.
#define COUPLET_KERNELS_IMPLEMENTATION
#include "couplet/simd/kernels.hpp"
