#pragma once
/// Search by embeddings: the k items whose vectors have the largest dot product with a query, exactly.
///
///   const auto index = search::EmbeddingIndex::load("photos.safetensors");
///   for (const auto& hit : index.search(query, 10)) use(index.items()[hit.item], hit.score);
///
/// Scores and order do not depend on the number of threads; equal scores are ordered by position.
#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/search/embedding_file.hpp"

namespace couplet::inline COUPLET_ABI::search {

struct Hit {
  Index item;  ///< position in items()
  float score;
  friend bool operator==(const Hit&, const Hit&) = default;
};

namespace detail {

/// sum_i a_i b_i in 16 running sums, added in a fixed tree: the compiler's vectors, one order of summation.
inline float dot(const float* a, const float* b, Index n) {
  constexpr Index lanes = 16;
  float sums[lanes] = {};
  Index i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (Index l = 0; l < lanes; ++l) sums[l] += a[i + l] * b[i + l];
  }
  for (Index l = 0; i < n; ++i, ++l) sums[l] += a[i] * b[i];
  for (Index width = lanes / 2; width > 0; width /= 2) {
    for (Index l = 0; l < width; ++l) sums[l] += sums[l + width];
  }
  return sums[0];
}

inline bool before(const Hit& a, const Hit& b) { return a.score != b.score ? a.score > b.score : a.item < b.item; }

/// Keeps the first k of `hits` in order.
inline void keep_best(std::vector<Hit>& hits, Index k) {
  const auto kept = std::min(static_cast<std::ptrdiff_t>(hits.size()), static_cast<std::ptrdiff_t>(k));
  std::partial_sort(hits.begin(), hits.begin() + kept, hits.end(), before);
  hits.resize(static_cast<std::size_t>(kept));
}

}  // namespace detail

class EmbeddingIndex {
 public:
  /// The tensor that holds an index in its file.
  static constexpr const char* tensor_name = "image_embeds";

  /// embeds: (N, E), one row per item. std::invalid_argument: another number of items than rows, E < 1, components that
  /// are not finite or beyond max_component.
  EmbeddingIndex(Tensor<float, 2> embeds, std::vector<std::string> items)
      : embeds_(std::move(embeds)), items_(std::move(items)) {
    if (embeds_.extent(0) != size() || embeds_.extent(1) < 1) {
      fail("EmbeddingIndex",
           "expected embeds (" + std::to_string(size()) + ", E) for the items, found " + to_string(embeds_.shape()));
    }
    if (const Index bad = detail::first_unusable(embeds_.data(), embeds_.size()); bad < embeds_.size()) {
      fail("EmbeddingIndex", "a component of item " + std::to_string(bad / embed_dim()) + " is not a finite number");
    }
  }

  /// file_error: see load_embeddings().
  static EmbeddingIndex load(const std::string& path) {
    Embeddings embeddings = load_embeddings(path, tensor_name);
    return EmbeddingIndex(std::move(embeddings.values), std::move(embeddings.items));
  }
  void save(const std::string& path) const { save_embeddings(path, tensor_name, embeds_, items_); }

  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(items_.size()); }
  [[nodiscard]] Index embed_dim() const noexcept { return embeds_.extent(1); }
  [[nodiscard]] const std::vector<std::string>& items() const noexcept { return items_; }
  /// (N, E)
  [[nodiscard]] TensorView<const float, 2> embeds() const { return embeds_.view(); }

  /// The min(k, size()) best items for a query (E), best first; none for an empty index. Thread-safe.
  /// std::invalid_argument: k < 0, a query of another length or with components that are not usable.
  [[nodiscard]] std::vector<Hit> search(std::span<const float> query, Index k) const {
    if (static_cast<Index>(query.size()) != embed_dim()) {
      fail("EmbeddingIndex",
           "expected a query of " + std::to_string(embed_dim()) + " components, found " + std::to_string(query.size()));
    }
    if (k < 0) fail("EmbeddingIndex", "expected k >= 0, found " + std::to_string(k));
    if (detail::first_unusable(query.data(), embed_dim()) != embed_dim()) {
      fail("EmbeddingIndex", "a component of the query is not a finite number");
    }
    constexpr Index block = 4096;  // rows
    std::vector<std::vector<Hit>> best(static_cast<std::size_t>((size() + block - 1) / block));
    parallel_for(static_cast<Index>(best.size()), [&](Index b) {
      std::vector<Hit>& hits = best[static_cast<std::size_t>(b)];
      const Index end = std::min(size(), (b + 1) * block);
      hits.reserve(static_cast<std::size_t>(end - b * block));
      for (Index row = b * block; row < end; ++row) {
        hits.push_back({row, detail::dot(embeds_.data() + row * embed_dim(), query.data(), embed_dim())});
      }
      detail::keep_best(hits, k);
    });
    std::vector<Hit> all;
    for (const std::vector<Hit>& hits : best) all.insert(all.end(), hits.begin(), hits.end());
    detail::keep_best(all, k);
    return all;
  }

 private:
  Tensor<float, 2> embeds_;
  std::vector<std::string> items_;
};

}  // namespace couplet::inline COUPLET_ABI::search
