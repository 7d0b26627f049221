// Tiles of the contrastive losses; see simd/contrastive.hpp.
namespace contrastive {

/// Zero in the lanes from n on.
inline Vec keep_first(Vec x, Index n) {
  float lanes[width];
  store(lanes, x);
  return load_n(lanes, n, 0.0F);
}

/// log(1 + e) for e in [0, 1]: 2 atanh(z), z = e / (2 + e) <= 1/3; the first term left out is z^15 / 15 < 5e-9 z.
inline Vec log1p_of_fraction(Vec e) {
  const Vec z = div(e, add(set1(2.0F), e));
  const Vec z2 = mul(z, z);
  Vec p = set1(2.0F / 13);
  p = fma(p, z2, set1(2.0F / 11));
  p = fma(p, z2, set1(2.0F / 9));
  p = fma(p, z2, set1(2.0F / 7));
  p = fma(p, z2, set1(2.0F / 5));
  p = fma(p, z2, set1(2.0F / 3));
  return fma(mul(p, z2), z, add(z, z));
}

inline void row_statistics(const float* s, Index stride, Index rows, Index columns, float scale, float* maximum,
                           float* sum_of_exp) {
  const Vec factor = set1(scale);
  for (Index r = 0; r < rows; ++r, s += stride) {
    Vec largest = set1(maximum[r]);
    Index c = 0;
    for (; c + width <= columns; c += width) largest = max(largest, mul(factor, load(s + c)));
    if (c < columns) largest = max(largest, mul(factor, load_n(s + c, columns - c, s[c])));
    const float new_maximum = max_of(largest);
    const Vec shift = set1(-new_maximum);
    Vec total = set1(0.0F);
    for (c = 0; c + width <= columns; c += width) total = add(total, exp(fma(factor, load(s + c), shift)));
    if (c < columns) {
      const Index n = columns - c;
      total = add(total, keep_first(exp(fma(factor, load_n(s + c, n, s[c]), shift)), n));
    }
    const float kept = sum_of_exp[r] > 0 ? sum_of_exp[r] * first(exp(set1(maximum[r] - new_maximum))) : 0.0F;
    sum_of_exp[r] = kept + sum(total);
    maximum[r] = new_maximum;
  }
}

/// Columns [c, c + n), n <= width.
inline void column_statistics_of(const float* s, Index stride, Index rows, Index n, float scale, float* maximum,
                                 float* sum_of_exp) {
  const Vec factor = set1(scale);
  const Vec old_maximum = load_n(maximum, n, 0.0F);
  Vec largest = old_maximum;
  for (Index r = 0; r < rows; ++r) largest = max(largest, mul(factor, load_n(s + r * stride, n, 0.0F)));
  const Vec old_sum = load_n(sum_of_exp, n, 0.0F);
  const Vec started = select(less(set1(0.0F), old_sum), exp(sub(old_maximum, largest)), set1(0.0F));
  Vec total = mul(old_sum, started);
  const Vec shift = neg(largest);
  for (Index r = 0; r < rows; ++r) total = add(total, exp(fma(factor, load_n(s + r * stride, n, 0.0F), shift)));
  store_n(maximum, largest, n);
  store_n(sum_of_exp, total, n);
}

inline void column_statistics(const float* s, Index stride, Index rows, Index columns, float scale, float* maximum,
                              float* sum_of_exp) {
  for (Index c = 0; c < columns; c += width) {
    const Index n = columns - c < width ? columns - c : width;
    column_statistics_of(s + c, stride, rows, n, scale, maximum + c, sum_of_exp + c);
  }
}

inline double info_nce_gradient(float* s, Index stride, Index rows, Index columns, float scale,
                                const float* row_maximum, const float* row_weight, const float* column_maximum,
                                const float* column_weight, float weight, Index diagonal) {
  const Vec factor = set1(scale);
  double total = 0;
  for (Index r = 0; r < rows; ++r, s += stride) {
    const Vec row_shift = set1(-row_maximum[r]);
    const Vec row_factor = set1(row_weight[r]);
    const Index own = diagonal + r;
    const bool has_own = own >= 0 && own < columns;
    const float own_similarity = has_own ? s[own] : 0.0F;
    Vec row_total = set1(0.0F);
    for (Index c = 0; c < columns; c += width) {
      const Index n = columns - c < width ? columns - c : width;
      const Vec similarity = load_n(s + c, n, 0.0F);
      const Vec along_row = mul(row_factor, exp(fma(factor, similarity, row_shift)));
      const Vec column_shift = neg(load_n(column_maximum + c, n, 0.0F));
      const Vec along_column = exp(fma(factor, similarity, column_shift));
      const Vec gradient = fma(load_n(column_weight + c, n, 0.0F), along_column, along_row);
      row_total = fma(gradient, similarity, row_total);
      store_n(s + c, gradient, n);
    }
    total += static_cast<double>(sum(row_total));
    if (has_own) {
      s[own] -= 2 * weight;
      total -= 2.0 * static_cast<double>(weight) * static_cast<double>(own_similarity);
    }
  }
  return total;
}

/// softplus(l) = max(l, 0) + log(1 + exp(-|l|))
inline Vec softplus(Vec l, Vec exp_of_minus_abs) {
  return add(max(set1(0.0F), l), log1p_of_fraction(exp_of_minus_abs));
}

inline SigmoidSums sigmoid_gradient(float* s, Index stride, Index rows, Index columns, float scale, float bias,
                                    float weight, Index diagonal) {
  const Vec factor = set1(scale);
  const Vec offset = set1(bias);
  const Vec one = set1(1.0F);
  SigmoidSums total;
  for (Index r = 0; r < rows; ++r, s += stride) {
    const Index own = diagonal + r;
    const bool has_own = own >= 0 && own < columns;
    const float own_similarity = has_own ? s[own] : 0.0F;
    Vec loss = set1(0.0F);
    Vec gradient_s = set1(0.0F);
    Vec gradient_sum = set1(0.0F);
    for (Index c = 0; c < columns; c += width) {
      const Index n = columns - c < width ? columns - c : width;
      const Vec similarity = load_n(s + c, n, 0.0F);
      const Vec l = fma(factor, similarity, offset);
      const Vec e = exp(neg(abs(l)));
      const Vec larger = div(one, add(one, e));  // sigmoid(|l|)
      const Vec sigmoid = select(less(l, set1(0.0F)), mul(e, larger), larger);
      const Vec gradient = mul(set1(weight), sigmoid);
      const Vec value = softplus(l, e);
      loss = add(loss, n == width ? value : keep_first(value, n));
      gradient_sum = add(gradient_sum, n == width ? gradient : keep_first(gradient, n));
      gradient_s = fma(gradient, similarity, gradient_s);
      store_n(s + c, gradient, n);
    }
    total.loss += static_cast<double>(sum(loss));
    total.gradient_s += static_cast<double>(sum(gradient_s));
    total.gradient += static_cast<double>(sum(gradient_sum));
    if (has_own) {
      s[own] -= weight;
      const double own_logit = static_cast<double>(scale) * static_cast<double>(own_similarity) + static_cast<double>(bias);
      total.loss -= own_logit;
      total.gradient_s -= static_cast<double>(weight) * static_cast<double>(own_similarity);
      total.gradient -= static_cast<double>(weight);
    }
  }
  return total;
}

inline double sigmoid_loss(const float* s, Index stride, Index rows, Index columns, float scale, float bias,
                           Index diagonal) {
  double total = 0;
  for (Index r = 0; r < rows; ++r, s += stride) {
    Vec loss = set1(0.0F);
    for (Index c = 0; c < columns; c += width) {
      const Index n = columns - c < width ? columns - c : width;
      const Vec l = fma(set1(scale), load_n(s + c, n, 0.0F), set1(bias));
      const Vec value = softplus(l, exp(neg(abs(l))));
      loss = add(loss, n == width ? value : keep_first(value, n));
    }
    total += static_cast<double>(sum(loss));
    const Index own = diagonal + r;
    if (own >= 0 && own < columns) {
      total -= static_cast<double>(scale) * static_cast<double>(s[own]) + static_cast<double>(bias);
    }
  }
  return total;
}

}  // namespace contrastive

inline constexpr ContrastiveKernels contrastive_kernels_table{
    &contrastive::row_statistics, &contrastive::column_statistics, &contrastive::info_nce_gradient,
    &contrastive::sigmoid_gradient, &contrastive::sigmoid_loss};
