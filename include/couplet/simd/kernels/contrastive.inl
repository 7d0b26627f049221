// Tiles of the contrastive losses; see simd/contrastive.hpp.
namespace contrastive {

/// Stands in lanes that do not exist: any logit made of it has the exponential 0.
inline constexpr float far_below = -3.0e38F;

/// log(1 + e) for e in [0, 1]: 2 atanh(z), z = e / (2 + e) <= 1/3; the first term left out is 2 z^15 / 15 < 3e-8 z.
COUPLET_FORCE_INLINE Vec log1p_of_fraction(Vec e) {
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

/// softplus(l) = max(l, 0) + log(1 + e),   e = exp(-|l|)
COUPLET_FORCE_INLINE Vec softplus(Vec l, Vec e) { return add(max(set1(0.0F), l), log1p_of_fraction(e)); }

inline void row_statistics(const float* s, Index stride, Index rows, Index columns, float scale, float* maximum,
                           float* sum_of_exp) {
  const Vec factor = set1(scale);
  for (Index r = 0; r < rows; ++r, s += stride) {
    Vec largest = set1(maximum[r]);
    for_each_vector(columns,
                    [&](Index c, auto lanes) { largest = max(largest, mul(factor, lanes.load_or(s + c, far_below))); });
    const float new_maximum = max_of(largest);
    const Vec shift = set1(-new_maximum);
    const float total = sum_over(
        columns, [=](Index c, auto lanes) { return exp(fma(factor, lanes.load_or(s + c, far_below), shift)); });
    if (sum_of_exp[r] > 0) {
      const Vec kept = exp(sub(set1(maximum[r]), set1(new_maximum)));
      sum_of_exp[r] = first(fma(set1(sum_of_exp[r]), kept, set1(total)));
    } else {
      sum_of_exp[r] = total;
    }
    maximum[r] = new_maximum;
  }
}

inline void column_statistics(const float* s, Index stride, Index rows, Index columns, float scale, float* maximum,
                              float* sum_of_exp) {
  const Vec factor = set1(scale);
  for_each_vector(columns, [=](Index c, auto lanes) {
    const Vec old_maximum = lanes.load_or(maximum + c, 0.0F);
    const Vec old_sum = lanes.load_or(sum_of_exp + c, 0.0F);
    Vec largest = old_maximum;
    for (Index r = 0; r < rows; ++r) largest = max(largest, mul(factor, lanes.load_or(s + r * stride + c, 0.0F)));
    const Vec kept = select(less(set1(0.0F), old_sum), exp(sub(old_maximum, largest)), set1(0.0F));
    Vec total = mul(old_sum, kept);
    const Vec shift = neg(largest);
    for (Index r = 0; r < rows; ++r) {
      total = add(total, exp(fma(factor, lanes.load_or(s + r * stride + c, 0.0F), shift)));
    }
    lanes.store_to(maximum + c, largest);
    lanes.store_to(sum_of_exp + c, total);
  });
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
    const double own_similarity = has_own ? static_cast<double>(s[own]) : 0.0;
    const float row_total = sum_over(columns, [=](Index c, auto lanes) {
      const Vec similarity = lanes.load_or(s + c, 0.0F);
      const Vec column_shift = neg(lanes.load_or(column_maximum + c, 0.0F));
      const Vec along_row = mul(row_factor, exp(fma(factor, similarity, row_shift)));
      const Vec along_column = exp(fma(factor, similarity, column_shift));
      const Vec gradient = fma(lanes.load_or(column_weight + c, 0.0F), along_column, along_row);
      lanes.store_to(s + c, gradient);
      return mul(gradient, similarity);
    });
    total += static_cast<double>(row_total);
    if (!has_own) continue;
    s[own] -= 2 * weight;
    total -= 2 * static_cast<double>(weight) * own_similarity;
  }
  return total;
}

/// The three sums of one row while its similarities become gradients.
struct SigmoidRow {
  float* s;
  Vec factor;
  Vec offset;
  Vec weight;
  Vec loss = set1(0.0F);
  Vec gradient_s = set1(0.0F);
  Vec gradient = set1(0.0F);

  template <class Lanes>
  COUPLET_FORCE_INLINE void visit(Index c, Lanes lanes) {
    const Vec zero = set1(0.0F);
    const Vec similarity = lanes.load_or(s + c, 0.0F);
    const Vec l = fma(factor, similarity, offset);
    const Vec e = exp(neg(abs(l)));
    const Vec sigmoid_of_abs = div(set1(1.0F), add(set1(1.0F), e));
    const Vec g = mul(weight, select(less(l, zero), mul(e, sigmoid_of_abs), sigmoid_of_abs));
    lanes.store_to(s + c, g);
    loss = add(loss, lanes.keep(softplus(l, e)));
    gradient = add(gradient, lanes.keep(g));
    gradient_s = fma(g, similarity, gradient_s);
  }
};

inline SigmoidSums sigmoid_gradient(float* s, Index stride, Index rows, Index columns, float scale, float bias,
                                    float weight, Index diagonal) {
  SigmoidSums total;
  for (Index r = 0; r < rows; ++r, s += stride) {
    const Index own = diagonal + r;
    const bool has_own = own >= 0 && own < columns;
    const double own_similarity = has_own ? static_cast<double>(s[own]) : 0.0;
    SigmoidRow row{s, set1(scale), set1(bias), set1(weight)};
    Index c = 0;
    for (; c + width <= columns; c += width) row.visit(c, AllLanes{});
    if (c < columns) row.visit(c, FirstLanes{columns - c});
    total.loss += static_cast<double>(sum(row.loss));
    total.gradient_s += static_cast<double>(sum(row.gradient_s));
    total.gradient += static_cast<double>(sum(row.gradient));
    if (!has_own) continue;
    s[own] -= weight;
    total.loss -= static_cast<double>(scale) * own_similarity + static_cast<double>(bias);
    total.gradient_s -= static_cast<double>(weight) * own_similarity;
    total.gradient -= static_cast<double>(weight);
  }
  return total;
}

}  // namespace contrastive

inline constexpr ContrastiveKernels contrastive_kernels_table{
    &contrastive::row_statistics, &contrastive::column_statistics, &contrastive::info_nce_gradient,
    &contrastive::sigmoid_gradient};
