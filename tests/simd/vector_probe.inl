// A kernel family that applies one operation of the vector wrapper; see vector_probe.hpp.
namespace vector_probe {

inline void unary(Unary operation, const float* x, float* y) {
  const Vec v = load(x);
  switch (operation) {
    case Unary::abs:
      return store(y, abs(v));
    case Unary::neg:
      return store(y, neg(v));
    case Unary::sqrt:
      return store(y, sqrt(v));
    case Unary::round:
      return store(y, round(v));
    case Unary::exponent_of:
      return store(y, exponent_of(v));
    case Unary::mantissa_of:
      return store(y, mantissa_of(v));
    case Unary::exp:
      return store(y, exp(v));
    case Unary::sigmoid:
      return store(y, sigmoid(v));
    case Unary::gelu:
      return store(y, activation<Activation::gelu>(v));
    case Unary::gelu_tanh:
      return store(y, activation<Activation::gelu_tanh>(v));
    case Unary::quick_gelu:
      return store(y, activation<Activation::quick_gelu>(v));
    case Unary::identity:
      return store(y, activation<Activation::identity>(v));
  }
}

inline void binary(Binary operation, const float* a, const float* b, float* y) {
  const Vec u = load(a);
  const Vec v = load(b);
  switch (operation) {
    case Binary::add:
      return store(y, add(u, v));
    case Binary::sub:
      return store(y, sub(u, v));
    case Binary::mul:
      return store(y, mul(u, v));
    case Binary::div:
      return store(y, div(u, v));
    case Binary::min:
      return store(y, min(u, v));
    case Binary::max:
      return store(y, max(u, v));
    case Binary::copysign:
      return store(y, copysign(u, v));
    case Binary::scale_2n:
      return store(y, scale_2n(u, v));
    case Binary::select_less:
      return store(y, select(less(u, v), set1(1.0F), set1(-1.0F)));
    case Binary::multiply_then_add:  // must not become a fused multiply-add
      return store(y, add(mul(u, v), u));
    case Binary::add_then_subtract:  // must not become v
      return store(y, sub(add(u, v), u));
  }
}

inline void ternary(bool negate, const float* a, const float* b, const float* c, float* y) {
  store(y, negate ? fnma(load(a), load(b), load(c)) : fma(load(a), load(b), load(c)));
}

inline void copy_n(const float* x, Index n, float fill, float* all_lanes, float* first_lanes) {
  const Vec v = load_n(x, n, fill);
  store(all_lanes, v);
  store_n(first_lanes, v, n);
}

inline void transpose_rows(float* rows) {
  Vec r[width];
  for (int i = 0; i < width; ++i) r[i] = load(rows + i * width);
  transpose(r);
  for (int i = 0; i < width; ++i) store(rows + i * width, r[i]);
}

inline float sum_of_lanes(const float* x) { return sum(load(x)); }
inline float max_of_lanes(const float* x) { return max_of(load(x)); }
inline float first_lane(const float* x) { return first(load(x)); }

}  // namespace vector_probe

inline constexpr VectorProbe vector_probe_table{width,
                                                &vector_probe::unary,
                                                &vector_probe::binary,
                                                &vector_probe::ternary,
                                                &vector_probe::copy_n,
                                                &vector_probe::transpose_rows,
                                                &vector_probe::sum_of_lanes,
                                                &vector_probe::max_of_lanes,
                                                &vector_probe::first_lane};
