// Layer normalization; see simd/layer_norm.hpp.
namespace layer_norm {

inline void forward(const float* x, const float* weight, const float* bias, float eps, Index columns, float* y,
                    float* mean, float* rstd) {
  const auto count = static_cast<float>(columns);
  const float total = sum_over(columns, [=](Index c, auto lanes) { return lanes.load_or(x + c, 0.0F); });
  const float center = divide(total, count);
  const Vec m = set1(center);
  const float squares = sum_over(columns, [=](Index c, auto lanes) {
    const Vec d = sub(lanes.load_or(x + c, center), m);
    return mul(d, d);
  });
  const Vec r = div(set1(1.0F), sqrt(add(div(set1(squares), set1(count)), set1(eps))));
  for_each_vector(columns, [=](Index c, auto lanes) {
    const Vec n = mul(sub(lanes.load_or(x + c, 0.0F), m), r);
    lanes.store_to(y + c, fma(n, lanes.load_or(weight + c, 0.0F), lanes.load_or(bias + c, 0.0F)));
  });
  *mean = center;
  *rstd = first(r);
}

inline void backward(const float* dy, const float* x, const float* weight, float mean, float rstd, Index columns,
                     bool accumulate, float* dx) {
  const auto count = static_cast<float>(columns);
  const Vec m = set1(mean);
  const Vec r = set1(rstd);
  const auto dn_at = [=](Index c, auto lanes) {
    return mul(lanes.load_or(weight + c, 0.0F), lanes.load_or(dy + c, 0.0F));
  };
  const auto n_at = [=](Index c, auto lanes) { return mul(sub(lanes.load_or(x + c, mean), m), r); };
  const float sum_dn = sum_over(columns, dn_at);
  const float sum_dn_n = sum_over(columns, [=](Index c, auto lanes) { return mul(dn_at(c, lanes), n_at(c, lanes)); });
  const Vec mean_dn = set1(divide(sum_dn, count));
  const Vec mean_dn_n = set1(divide(sum_dn_n, count));
  for_each_vector(columns, [=](Index c, auto lanes) {
    const Vec gradient = mul(r, fnma(n_at(c, lanes), mean_dn_n, sub(dn_at(c, lanes), mean_dn)));
    lanes.store_to(dx + c, accumulate ? add(lanes.load_or(dx + c, 0.0F), gradient) : gradient);
  });
}

/// The rows of one matrix and the statistics of its rows.
struct Rows {
  const float* dy;
  Index dy_stride;
  const float* x;
  Index x_stride;
  const float* mean;
  const float* rstd;
  Index count;
};

template <int vectors, class Lanes>
COUPLET_FORCE_INLINE void add_sums(const Vec (&sums)[vectors], Lanes lanes, float* to) {
  COUPLET_UNROLL
  for (int v = 0; v < vectors; ++v) {
    lanes.store_to(to + v * width, add(lanes.load_or(to + v * width, 0.0F), sums[v]));
  }
}

/// `vectors` vectors of columns that begin at column c.
template <int vectors, class Lanes>
COUPLET_FORCE_INLINE void parameters_of(const Rows& rows, Index c, Lanes lanes, float* dweight, float* dbias) {
  for (Index begin = 0; begin < rows.count; begin += reduce::rows_per_sum) {
    const Index end = rows.count - begin < reduce::rows_per_sum ? rows.count : begin + reduce::rows_per_sum;
    Vec weight_sum[vectors];
    Vec bias_sum[vectors];
    COUPLET_UNROLL
    for (int v = 0; v < vectors; ++v) weight_sum[v] = bias_sum[v] = set1(0.0F);
    for (Index i = begin; i < end; ++i) {
      const Vec m = set1(rows.mean[i]);
      const Vec r = set1(rows.rstd[i]);
      COUPLET_UNROLL
      for (int v = 0; v < vectors; ++v) {
        const Vec dy = lanes.load_or(rows.dy + i * rows.dy_stride + c + v * width, 0.0F);
        const Vec x = lanes.load_or(rows.x + i * rows.x_stride + c + v * width, 0.0F);
        weight_sum[v] = fma(dy, mul(sub(x, m), r), weight_sum[v]);
        bias_sum[v] = add(bias_sum[v], dy);
      }
    }
    if (dweight != nullptr) add_sums(weight_sum, lanes, dweight + c);
    if (dbias != nullptr) add_sums(bias_sum, lanes, dbias + c);
  }
}

inline void backward_parameters(const float* dy, Index dy_stride, const float* x, Index x_stride, const float* mean,
                                const float* rstd, Index count, Index columns, float* dweight, float* dbias) {
  const Rows rows{dy, dy_stride, x, x_stride, mean, rstd, count};
  Index c = 0;
  for (; c + 4 * width <= columns; c += 4 * width) parameters_of<4>(rows, c, AllLanes{}, dweight, dbias);
  for (; c + width <= columns; c += width) parameters_of<1>(rows, c, AllLanes{}, dweight, dbias);
  if (c < columns) parameters_of<1>(rows, c, FirstLanes{columns - c}, dweight, dbias);
}

}  // namespace layer_norm

inline constexpr LayerNormKernels layer_norm_kernels_table{&layer_norm::forward, &layer_norm::backward,
                                                           &layer_norm::backward_parameters};
