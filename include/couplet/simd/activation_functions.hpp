#pragma once
/// exp and the activations on vectors, for the kernel bodies of every level: include this before a family's body.
#include "couplet/simd/activation_kind.hpp"
#include "couplet/simd/dispatch.hpp"

#if COUPLET_KERNEL_BODIES
#define COUPLET_KERNEL_FILE "couplet/simd/kernels/activation_functions.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
#endif
