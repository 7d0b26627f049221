#pragma once
/// Every kernel family; cmake/kernels.cpp compiles them once for the programs of this tree.
#include "couplet/simd/activation_functions.hpp"
