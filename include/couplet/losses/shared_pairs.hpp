#pragma once
/// The pairs of a batch divided among processes: what the contrastive losses exchange so that together they have the
/// loss and the gradients of the whole batch. With R processes, N pairs and embeddings of E numbers:
///
///   InfoNCE   texts gathered, (N, E); statistics of the columns merged, and their factors told, 2 numbers each a text;
///             gradients of texts summed by their owners, (N, E) in all
///   sigmoid   each process's texts travel around the ring of processes, and their gradients after them
///
/// Every sum over processes is formed in a fixed order. One process exchanges nothing, and computes what it would
/// without this header, bit by bit.
#include <algorithm>
#include <utility>

#include "couplet/distributed/rank_order.hpp"
#include "couplet/losses/contrastive_blocks.hpp"
#include "couplet/losses/softmax_side.hpp"

namespace couplet::inline COUPLET_ABI::losses::detail {

/// How many pairs each process has. Its memory is the workspace's.
class PairShares {
 public:
  PairShares(distributed::Communicator& communicator, Index own, Workspace& workspace)
      : communicator_(communicator),
        rows_(distributed::gather_values(communicator, own, workspace, distributed::Purpose::features)) {
    for (const Index rows : rows_) count_ += rows;
    for (int r = 0; r < rank(); ++r) begin_ += this->rows(r);
  }

  [[nodiscard]] distributed::Communicator& communicator() const { return communicator_; }
  [[nodiscard]] bool is_alone() const { return communicator_.is_alone(); }
  [[nodiscard]] int size() const { return communicator_.size(); }
  [[nodiscard]] int rank() const { return communicator_.rank(); }
  [[nodiscard]] Index count() const { return count_; }  ///< N
  [[nodiscard]] Index begin() const { return begin_; }  ///< number of this process's first pair
  [[nodiscard]] std::span<const Index> rows() const { return rows_; }
  [[nodiscard]] Index rows(int process) const { return rows_[static_cast<std::size_t>(process)]; }
  [[nodiscard]] Index own_rows() const { return rows(rank()); }

  /// The sum of a number over all processes, the same in all of them.
  [[nodiscard]] double sum(double mine, Workspace& workspace) const {
    return distributed::sum(communicator_, mine, workspace, distributed::Purpose::features);
  }

 private:
  distributed::Communicator& communicator_;
  std::span<const Index> rows_;
  Index count_ = 0;
  Index begin_ = 0;
};

/// `own` with the texts of others in the place of its own. text: (K, E), the first of them belongs to pair `first_text`
template <class T>
Pairs<T> with_texts(const Pairs<T>& own, const PairShares& shares, TensorView<const T, 2> text, Index first_text) {
  Pairs<T> pairs = own;
  pairs.text = text;
  pairs.count = shares.count();
  pairs.first_image = shares.begin();
  pairs.first_text = first_text;
  return pairs;
}

/// All texts of the batch, in the workspace.
template <class T>
Pairs<T> gather_texts(const Pairs<T>& own, const PairShares& shares, Workspace& workspace) {
  if (shares.is_alone()) return own;
  const Index columns = own.text.extent(1);
  const TensorView<T, 2> all = workspace.matrix<T>(shares.count(), columns);
  copy(own.text, all.slice(shares.begin(), shares.begin() + shares.own_rows()));
  shares.communicator().all_gather(all.data(), shares.rows(), static_cast<std::size_t>(columns) * sizeof(T),
                                   distributed::Purpose::features);
  return with_texts(own, shares, TensorView<const T, 2>(all), 0);
}

/// `gradients` with zeros for the texts of all processes in the place of the own texts', in the workspace.
template <class T>
ContrastiveGradients<T> for_gathered_texts(const ContrastiveGradients<T>& gradients, const PairShares& shares,
                                           Workspace& workspace) {
  ContrastiveGradients<T> of_all = gradients;
  if (shares.is_alone()) return of_all;
  of_all.text_features = workspace.matrix<T>(shares.count(), gradients.text_features.extent(1));
  std::fill_n(of_all.text_features.data(), of_all.text_features.size(), T(0));
  return of_all;
}

/// The gradient of a text is the sum over the images of all processes: each gets the sums of its own texts.
template <class T>
void sum_text_gradients(const ContrastiveGradients<T>& of_all_texts, const PairShares& shares,
                        ContrastiveGradients<T>& gradients, Workspace& workspace) {
  if (shares.is_alone()) return;
  const Workspace::Scope scope(workspace);
  const Index columns = gradients.text_features.extent(1);
  const TensorView<T, 2> sum = workspace.matrix<T>(shares.own_rows(), columns);
  T* const scratch = workspace.take<T>(shares.size() * sum.size());
  const std::span<Index> own_rows(workspace.take<Index>(shares.size()), static_cast<std::size_t>(shares.size()));
  distributed::sum_own_rows<T>(shares.communicator(), of_all_texts.text_features.data(), shares.rows(), columns,
                               sum.data(), scratch, own_rows, distributed::Purpose::features);
  copy(TensorView<const T, 2>(sum), gradients.text_features);
}

/// Columns (N) hold what this process's images say; afterwards the columns of its own texts hold what all images say.
template <class T>
void merge_columns(SoftmaxSide<T>& columns, const Pairs<T>& pairs, const PairShares& shares, Workspace& workspace) {
  if (shares.is_alone()) return;
  const Workspace::Scope scope(workspace);
  struct Statistics {
    double maximum, sum;
  };
  const Index own = shares.own_rows();
  auto* const mine = workspace.take<Statistics>(shares.count());
  auto* const received = workspace.take<Statistics>(shares.size() * own);
  Index* const own_rows = workspace.take<Index>(shares.size());
  std::fill_n(own_rows, shares.size(), own);
  for (Index j = 0; j < shares.count(); ++j) mine[j] = {static_cast<double>(columns.maximum(j)), columns.sum(j)};
  shares.communicator().all_to_all(mine, shares.rows(), received, {own_rows, static_cast<std::size_t>(shares.size())},
                                   sizeof(Statistics), distributed::Purpose::features);
  for (Index i = 0; i < own; ++i) {
    columns.begin_again(shares.begin() + i, pairs.masked * pairs.scale);
    for (int r = 0; r < shares.size(); ++r) {
      const Statistics& part = received[r * own + i];
      columns.merge(shares.begin() + i, static_cast<T>(part.maximum), part.sum);
    }
  }
}

/// Each process has finished the columns of its own texts; afterwards all have the factors of all.
template <class T>
void share_column_factors(SoftmaxSide<T>& columns, const PairShares& shares, Workspace& workspace) {
  if (shares.is_alone()) return;
  const Workspace::Scope scope(workspace);
  auto* const factors = workspace.take<SoftmaxFactor<T>>(shares.count());
  const Index end = shares.begin() + shares.own_rows();
  for (Index j = shares.begin(); j < end; ++j) factors[j] = columns.factor(j);
  shares.communicator().all_gather(factors, shares.rows(), sizeof(SoftmaxFactor<T>), distributed::Purpose::features);
  for (Index j = 0; j < shares.count(); ++j) {
    if (j < shares.begin() || j >= end) columns.set_factor(j, factors[j]);
  }
}

/// Rows that travel around the ring of processes: those here, and room for those that come next.
template <class T>
class Travellers {
 public:
  Travellers(const PairShares& shares, Index columns, Workspace& workspace) : shares_(shares), columns_(columns) {
    const Index most = *std::max_element(shares.rows().begin(), shares.rows().end());
    here_ = workspace.take<T>(most * columns);
    next_ = workspace.take<T>(most * columns);
  }
  /// (rows, E), those of process `owner`.
  [[nodiscard]] TensorView<T, 2> of(int owner) const { return {here_, {shares_.rows(owner), columns_}}; }
  /// Those of `owner` go on, and those of its successor come.
  void pass_on(int owner) {
    shares_.communicator().pass_on(here_, shares_.rows(owner), next_, shares_.rows((owner + 1) % shares_.size()),
                                   static_cast<std::size_t>(columns_) * sizeof(T), distributed::Purpose::features);
    std::swap(here_, next_);
  }

 private:
  const PairShares& shares_;
  Index columns_;
  T* here_;
  T* next_;
};

/// f(pairs, gradients) for the images of this process and the texts of each, its own first. The gradient of texts goes
/// from process to process behind them, and is at home, in `gradients`, when all have added to it.
template <class T, class F>
void for_each_share_of_texts(const Pairs<T>& own, const PairShares& shares, Workspace& workspace,
                             ContrastiveGradients<T>& gradients, F&& f) {
  if (shares.is_alone()) return f(own, gradients);
  const Workspace::Scope scope(workspace);
  const int size = shares.size(), rank = shares.rank();
  Travellers<T> texts(shares, own.text.extent(1), workspace);
  Travellers<T> text_gradients(shares, own.text.extent(1), workspace);
  copy(own.text, texts.of(rank));
  std::fill_n(text_gradients.of(rank).data(), text_gradients.of(rank).size(), T(0));
  Index first_text = shares.begin();
  for (int step = 0; step < size; ++step) {
    const int owner = (rank + step) % size;
    if (owner == 0) first_text = 0;
    Pairs<T> pairs = with_texts(own, shares, TensorView<const T, 2>(texts.of(owner)), first_text);
    pairs.accumulate = step > 0;
    ContrastiveGradients<T> of_texts = gradients;
    of_texts.text_features = text_gradients.of(owner);
    f(std::as_const(pairs), of_texts);
    if (step + 1 < size) texts.pass_on(owner);
    text_gradients.pass_on(owner);
    first_text += shares.rows(owner);
  }
  copy(TensorView<const T, 2>(text_gradients.of(rank)), gradients.text_features);
}

/// The same without gradients: f(pairs).
template <class T, class F>
void for_each_share_of_texts(const Pairs<T>& own, const PairShares& shares, Workspace& workspace, F&& f) {
  if (shares.is_alone()) return f(own);
  const Workspace::Scope scope(workspace);
  Travellers<T> texts(shares, own.text.extent(1), workspace);
  copy(own.text, texts.of(shares.rank()));
  Index first_text = shares.begin();
  for (int step = 0; step < shares.size(); ++step) {
    const int owner = (shares.rank() + step) % shares.size();
    if (owner == 0) first_text = 0;
    f(with_texts(own, shares, TensorView<const T, 2>(texts.of(owner)), first_text));
    if (step + 1 < shares.size()) texts.pass_on(owner);
    first_text += shares.rows(owner);
  }
}

}  // namespace couplet::inline COUPLET_ABI::losses::detail
