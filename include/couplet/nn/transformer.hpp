#pragma once
/// A stack of residual attention blocks over a ragged batch.
#include <vector>

#include "couplet/nn/residual_attention_block.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class T>
class Transformer {
 public:
  struct Saved {
    std::vector<typename ResidualAttentionBlock<T>::Saved> resblocks;
  };

  Transformer() = default;
  Transformer(Index width, Index layers, Index heads, Index mlp_width, Activation activation, double eps,
              bool is_causal, bool layer_scale = false)
      : causal(is_causal) {
    for (Index i = 0; i < layers; ++i) resblocks.emplace_back(width, heads, mlp_width, activation, eps, layer_scale);
  }

  void prepare(Precision precision = Precision::float32) {
    for (auto& block : resblocks) block.prepare(precision);
  }

  /// x: (R, C), the residual stream, changed in place.
  void forward(TensorView<T, 2> x, const Sequences& sequences, Workspace& workspace, Saved* saved) const {
    resize(saved, x.extent(0), x.extent(0));
    for_each_row_block(sequences, workspace, [&](const RowBlock& block, Workspace& local) {
      run_layers(resblocks.size(), rows_of(x, block), block, local, saved);
    });
  }

  /// Keeps one row per sequence: the last block computes nothing else. x: (R, C), used as scratch   pooled_rows: per
  /// sequence, a row of the batch that sees its whole sequence   y: (sequences, C), assigned.
  void forward_pooled(TensorView<T, 2> x, const Sequences& sequences, std::span<const Index> pooled_rows,
                      TensorView<T, 2> y, Workspace& workspace, Saved* saved) const {
    if (resblocks.empty()) return gather_rows<T>(x, pooled_rows, y);
    resize(saved, x.extent(0), sequences.count());
    for_each_row_block(sequences, workspace, [&](const RowBlock& block, Workspace& local) {
      const std::size_t last = resblocks.size() - 1;
      const TensorView<T, 2> rows = rows_of(x, block);
      run_layers(last, rows, block, local, saved);
      const Index n = block.sequences.count();
      Workspace::Scope scope(local);
      Index* relative = local.take<Index>(n);
      for (Index i = 0; i < n; ++i) {
        relative[i] = pooled_rows[static_cast<std::size_t>(block.first_sequence + i)] - block.first_row;
      }
      resblocks[last].forward_pooled(rows, block, {relative, static_cast<std::size_t>(n)},
                                     y.slice(block.first_sequence, block.first_sequence + n), local,
                                     saved != nullptr ? &saved->resblocks[last] : nullptr);
    });
  }

  /// dx: (R, C), in place: the gradient of what went out before, of what came in afterwards.
  void backward(TensorView<T, 2> dx, const Sequences& sequences, Workspace& workspace, const Saved& saved) {
    for (std::size_t i = resblocks.size(); i-- > 0;) {
      resblocks[i].backward(dx, sequences, causal, workspace, saved.resblocks[i]);
    }
  }

  /// dy: (sequences, C), overwritten   dx: (R, C), assigned.
  void backward_pooled(TensorView<T, 2> dy, const Sequences& sequences, std::span<const Index> pooled_rows,
                       TensorView<T, 2> dx, Workspace& workspace, const Saved& saved) {
    if (resblocks.empty()) {
      std::fill_n(dx.data(), dx.size(), T(0));
      return scatter_add_rows<T>(dy, pooled_rows, dx);
    }
    const std::size_t last = resblocks.size() - 1;
    resblocks[last].backward_pooled(dy, sequences, pooled_rows, dx, workspace, saved.resblocks[last]);
    for (std::size_t i = last; i-- > 0;) {
      resblocks[i].backward(dx, sequences, causal, workspace, saved.resblocks[i]);
    }
  }

  template <class F>
  void visit_parameters(F&& f) {
    for (std::size_t i = 0; i < resblocks.size(); ++i) {
      visit_child("resblocks." + std::to_string(i) + ".", resblocks[i], f);
    }
  }

  std::vector<ResidualAttentionBlock<T>> resblocks;
  bool causal = false;

 private:
  static TensorView<T, 2> rows_of(TensorView<T, 2> x, const RowBlock& block) {
    return x.slice(block.first_row, block.first_row + block.sequences.rows());
  }

  void run_layers(std::size_t count, TensorView<T, 2> x, const RowBlock& block, Workspace& workspace,
                  Saved* saved) const {
    for (std::size_t i = 0; i < count; ++i) {
      resblocks[i].forward(x, block, causal, workspace, saved != nullptr ? &saved->resblocks[i] : nullptr);
    }
  }

  void resize(Saved* saved, Index rows, Index last_rows) const {
    if (saved == nullptr) return;
    saved->resblocks.resize(resblocks.size());
    for (std::size_t i = 0; i < resblocks.size(); ++i) {
      saved->resblocks[i].resize(resblocks[i], rows, i + 1 == resblocks.size() ? last_rows : rows);
    }
  }
};

}  // namespace couplet::inline COUPLET_ABI::nn
