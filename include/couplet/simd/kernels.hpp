#pragma once
/// Every kernel family; cmake/kernels.cpp compiles them once for the programs of this tree.
#include "couplet/simd/activation.hpp"
#include "couplet/simd/activation_functions.hpp"
#include "couplet/simd/adamw.hpp"
#include "couplet/simd/attention.hpp"
#include "couplet/simd/contrastive.hpp"
#include "couplet/simd/gemm.hpp"
#include "couplet/simd/gemm_bf16.hpp"
#include "couplet/simd/layer_norm.hpp"
#include "couplet/simd/reduce.hpp"
#include "couplet/simd/softmax.hpp"
