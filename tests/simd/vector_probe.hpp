#pragma once
/// A kernel family for the tests: it applies one operation of the vector wrapper to lanes in memory. It shows how a
/// family is added (see couplet/simd/dispatch.hpp). Its body is compiled in the test, never shared, so this comes
/// before every other header of simd.
#undef COUPLET_SHARED_KERNELS
#include "couplet/simd/activation_functions.hpp"

namespace couplet::inline COUPLET_ABI::simd {

enum class Unary {
  abs,
  neg,
  sqrt,
  round,
  exponent_of,
  mantissa_of,
  exp,
  sigmoid,
  gelu,
  gelu_tanh,
  quick_gelu,
  identity
};
enum class Binary {
  add,
  sub,
  mul,
  div,
  min,
  max,
  copysign,
  scale_2n,
  select_less,
  multiply_then_add,
  add_then_subtract
};

/// All pointers are to `width` floats, on any address.
struct VectorProbe {
  int width;
  void (*unary)(Unary, const float* x, float* y);
  void (*binary)(Binary, const float* a, const float* b, float* y);
  void (*ternary)(bool negate, const float* a, const float* b, const float* c, float* y);  ///< fma, fnma
  void (*copy_n)(const float* x, Index n, float fill, float* all_lanes, float* first_lanes);
  void (*transpose)(float* rows);  ///< (width, width), in place
  float (*sum)(const float* x);
  float (*max_of)(const float* x);
  float (*first)(const float* x);
};
inline const VectorProbe& vector_probe(Level level);

}  // namespace couplet::inline COUPLET_ABI::simd

#define COUPLET_KERNEL_FILE "simd/vector_probe.inl"
#include "couplet/simd/arch/levels.inl"
#undef COUPLET_KERNEL_FILE
COUPLET_KERNEL_TABLE(VectorProbe, vector_probe)
