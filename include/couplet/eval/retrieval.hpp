#pragma once
/// How well images find their captions and captions their images: recall at 1, 5, 10, mean and median rank.
///
///   z_ij = image_i . text_j          rank of a query = #{j : z_j > z_own, or z_j = z_own and j < own}
/// (open_clip's rule for ties). An image may have several captions; it is found at the rank of its best one, while each
/// caption looks for its one image. Exact, and in blocks of 256 images x 4096 texts: never a matrix of all scores. Two
/// passes over the same blocks, the first one only over those that hold a true pair, so that a score compares equal to
/// itself.
#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/core/tensor.hpp"
#include "couplet/ops/matmul.hpp"
#include "couplet/ops/shapes.hpp"

namespace couplet::inline COUPLET_ABI::eval {

/// The rank of every query, 0 for a hit at the top.
struct RetrievalRanks {
  std::vector<Index> image_to_text;
  std::vector<Index> text_to_image;
};

struct RetrievalMetrics {
  Index queries = 0;
  double recall_at_1 = 0;  ///< shares in [0, 1]
  double recall_at_5 = 0;
  double recall_at_10 = 0;
  double mean_rank = 0;    ///< counted from 1
  double median_rank = 0;  ///< floor of the median, counted from 1
};

struct Retrieval {
  RetrievalMetrics image_to_text;
  RetrievalMetrics text_to_image;
};

namespace detail {

/// The images (N, E), the captions (M, E) and, for each caption, its image.
template <class T>
struct RetrievalData {
  TensorView<const T, 2> image;
  TensorView<const T, 2> text;
  std::span<const Index> image_of_text;

  [[nodiscard]] Index own_image(Index caption) const { return image_of_text[static_cast<std::size_t>(caption)]; }

  void check() const {
    const auto shapes = [&] { return ops::shapes_text("image_features", image, "text_features", text); };
    if (image.extent(1) != text.extent(1)) fail("retrieval", "widths differ: " + shapes());
    if (static_cast<Index>(image_of_text.size()) != text.extent(0)) {
      fail("retrieval", std::to_string(image_of_text.size()) + " caption owners; " + shapes());
    }
    std::vector<bool> found(static_cast<std::size_t>(image.extent(0)), false);
    for (const Index owner : image_of_text) {
      if (owner < 0 || owner >= image.extent(0)) {
        fail("retrieval", "a caption belongs to image " + std::to_string(owner) + "; " + shapes());
      }
      found[static_cast<std::size_t>(owner)] = true;
    }
    const auto lonely = std::find(found.begin(), found.end(), false) - found.begin();
    if (lonely < image.extent(0)) fail("retrieval", "image " + std::to_string(lonely) + " has no caption");
  }
};

/// A candidate that a query is after: its score and its index. Another one stands before it unless it is clearly
/// behind; so a score that is not a number gives the last rank, not the first.
template <class T>
struct Target {
  T score;
  Index index;

  [[nodiscard]] bool before_it(T other_score, Index other) const {
    return !(other_score < score || (other_score == score && other >= index));
  }
};

/// f(scores, i, j) for all blocks in order: scores of images from i on against captions from j on. Blocks for which
/// wanted(i, i_end, j, j_end) is false are left out.
template <class T, class Wanted, class F>
void for_each_score_block(const RetrievalData<T>& data, Workspace& workspace, Wanted&& wanted, F&& f) {
  constexpr Index block_rows = 256;
  constexpr Index block_columns = 4096;
  const Workspace::Scope scope(workspace);
  const Index images = data.image.extent(0);
  const Index texts = data.text.extent(0);
  const auto memory = workspace.matrix<T>(std::min(images, block_rows), std::min(texts, block_columns));
  for (Index i = 0; i < images; i += block_rows) {
    const Index i_end = std::min(i + block_rows, images);
    for (Index j = 0; j < texts; j += block_columns) {
      const Index j_end = std::min(j + block_columns, texts);
      if (!wanted(i, i_end, j, j_end)) continue;
      const auto scores = memory.slice(0, i_end - i).columns(0, j_end - j);
      ops::matmul<T>(data.image.slice(i, i_end), data.text.slice(j, j_end), scores, workspace);
      f(TensorView<const T, 2>(scores), i, j);
    }
  }
}

/// For every caption its image, with the score.
template <class T>
std::vector<Target<T>> caption_targets(const RetrievalData<T>& data, Workspace& workspace) {
  std::vector<Target<T>> targets(data.image_of_text.size());
  const auto owners_in = [&](Index i, Index i_end, Index j, Index j_end, auto&& f) {
    for (Index t = j; t < j_end; ++t) {
      if (data.own_image(t) >= i && data.own_image(t) < i_end) f(t);
    }
  };
  const auto wanted = [&](Index i, Index i_end, Index j, Index j_end) {
    bool any = false;
    owners_in(i, i_end, j, j_end, [&](Index) { any = true; });
    return any;
  };
  for_each_score_block(data, workspace, wanted, [&](TensorView<const T, 2> scores, Index i, Index j) {
    owners_in(i, i + scores.extent(0), j, j + scores.extent(1), [&](Index t) {
      targets[static_cast<std::size_t>(t)] = {scores(data.own_image(t) - i, t - j), data.own_image(t)};
    });
  });
  return targets;
}

/// For every image the caption of its own that it finds first.
template <class T>
std::vector<Target<T>> image_targets(const RetrievalData<T>& data, const std::vector<Target<T>>& captions) {
  std::vector<Target<T>> targets(static_cast<std::size_t>(data.image.extent(0)), {T(0), -1});
  for (std::size_t t = 0; t < captions.size(); ++t) {
    auto& best = targets[static_cast<std::size_t>(captions[t].index)];
    if (best.index < 0 || captions[t].score > best.score) best = {captions[t].score, static_cast<Index>(t)};
  }
  return targets;
}

}  // namespace detail

/// image: (N, E); text: (M, E); image_of_text: (M), for each caption the row of its image; every image has a caption.
template <class T>
[[nodiscard]] RetrievalRanks retrieval_ranks(TensorView<const T, 2> image, TensorView<const T, 2> text,
                                             std::span<const Index> image_of_text, Workspace& workspace) {
  const detail::RetrievalData<T> data{image, text, image_of_text};
  data.check();
  const auto captions = detail::caption_targets(data, workspace);
  const auto images = detail::image_targets(data, captions);
  RetrievalRanks ranks{std::vector<Index>(images.size(), 0), std::vector<Index>(captions.size(), 0)};
  const auto all = [](Index, Index, Index, Index) { return true; };
  detail::for_each_score_block(data, workspace, all, [&](TensorView<const T, 2> scores, Index i, Index j) {
    parallel_for(scores.extent(0), [&](Index r) {
      Index before = 0;
      for (Index c = 0; c < scores.extent(1); ++c) {
        before += images[static_cast<std::size_t>(i + r)].before_it(scores(r, c), j + c) ? 1 : 0;
      }
      ranks.image_to_text[static_cast<std::size_t>(i + r)] += before;
    });
    constexpr Index tile = 64;  // columns per task: whole cache lines of a row
    parallel_for((scores.extent(1) + tile - 1) / tile, [&](Index t) {
      const Index end = std::min((t + 1) * tile, scores.extent(1));
      for (Index r = 0; r < scores.extent(0); ++r) {
        for (Index c = t * tile; c < end; ++c) {
          const auto caption = static_cast<std::size_t>(j + c);
          ranks.text_to_image[caption] += captions[caption].before_it(scores(r, c), i + r) ? 1 : 0;
        }
      }
    });
  });
  return ranks;
}

/// Mean and median as open_clip computes them.
[[nodiscard]] inline RetrievalMetrics summarize_ranks(std::vector<Index> ranks) {
  RetrievalMetrics metrics;
  metrics.queries = static_cast<Index>(ranks.size());
  if (ranks.empty()) return metrics;
  std::sort(ranks.begin(), ranks.end());
  const auto count = static_cast<double>(ranks.size());
  const auto recall = [&](Index k) {
    return static_cast<double>(std::lower_bound(ranks.begin(), ranks.end(), k) - ranks.begin()) / count;
  };
  metrics.recall_at_1 = recall(1);
  metrics.recall_at_5 = recall(5);
  metrics.recall_at_10 = recall(10);
  double sum = 0;
  for (const Index rank : ranks) sum += static_cast<double>(rank);
  metrics.mean_rank = sum / count + 1;
  const std::size_t middle = ranks.size() / 2;
  const Index twice_median = ranks.size() % 2 == 1 ? 2 * ranks[middle] : ranks[middle - 1] + ranks[middle];
  const Index median = twice_median / 2;  // rounded down, as open_clip does
  metrics.median_rank = static_cast<double>(median + 1);
  return metrics;
}

/// Both directions; several captions per image.
template <class T>
[[nodiscard]] Retrieval retrieval(TensorView<const T, 2> image, TensorView<const T, 2> text,
                                  std::span<const Index> image_of_text, Workspace& workspace) {
  RetrievalRanks ranks = retrieval_ranks<T>(image, text, image_of_text, workspace);
  return {summarize_ranks(std::move(ranks.image_to_text)), summarize_ranks(std::move(ranks.text_to_image))};
}

/// One caption per image: image, text (N, E), caption i belongs to image i.
template <class T>
[[nodiscard]] Retrieval retrieval(TensorView<const T, 2> image, TensorView<const T, 2> text, Workspace& workspace) {
  std::vector<Index> own(static_cast<std::size_t>(text.extent(0)));
  for (std::size_t i = 0; i < own.size(); ++i) own[i] = static_cast<Index>(i);
  return retrieval<T>(image, text, own, workspace);
}

}  // namespace couplet::inline COUPLET_ABI::eval
