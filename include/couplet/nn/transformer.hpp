#pragma once
/// A stack of residual attention blocks over a ragged batch.
#include <algorithm>
#include <vector>

#include "couplet/nn/residual_attention_block.hpp"

namespace couplet::inline COUPLET_ABI::nn {

/// Hears of each block as a backward pass leaves it: this pass adds nothing more to its gradients.
template <class T>
class BlockObserver {
 public:
  virtual void on_gradients(ResidualAttentionBlock<T>& block) = 0;

 protected:
  ~BlockObserver() = default;
};

template <class T>
class Transformer {
 public:
  using Block = ResidualAttentionBlock<T>;

  /// What backward() reads: the activations of each block or, with grad_checkpointing, the input of each block. Then
  /// backward() runs every block forward once more, with the same bits.
  /// Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174.
  struct Saved {
    bool grad_checkpointing = false;  ///< to be set before forward()
    /// To be set before forward(): blocks below this one save nothing, and backward() ends with this one, where neither
    /// they nor what enters them learns. See first_trainable().
    std::size_t first = 0;
    std::vector<typename Block::Saved> resblocks;
    std::vector<Tensor<T, 2>> inputs;          // (R, C) of each block
    mutable typename Block::Saved recomputed;  // scratch of backward()
    BlockObserver<T>* observer = nullptr;      ///< of the next backward()

    /// The large tensors.
    template <class F>
    void visit_tensors(F&& f) {
      for (auto& block : resblocks) block.visit_tensors(f);
      for (auto& input : inputs) f(input);
      recomputed.visit_tensors(f);
    }
  };

  Transformer() = default;
  Transformer(Index width, Index layers, Index heads, Index mlp_width, Activation activation, double eps,
              bool is_causal, bool layer_scale = false)
      : causal(is_causal) {
    for (Index i = 0; i < layers; ++i) resblocks.emplace_back(width, heads, mlp_width, activation, eps, layer_scale);
  }

  void prepare(Precision precision = Precision::float32, Packing packing = Packing::kept) {
    for (auto& block : resblocks) block.prepare(precision, packing);
    packing_ = packing;
  }

  /// The lowest block that learns; as many as there are blocks where all are frozen.
  [[nodiscard]] std::size_t first_trainable() const {
    const auto found =
        std::find_if(resblocks.begin(), resblocks.end(), [](const Block& block) { return any_trainable(block); });
    return static_cast<std::size_t>(found - resblocks.begin());
  }

  /// x: (R, C), the residual stream, changed in place.
  void forward(TensorView<T, 2> x, const Sequences& sequences, Workspace& workspace, Saved* saved) const {
    run(x, sequences, {}, workspace, saved);
  }

  /// Keeps one row per sequence: the last block computes nothing else. x: (R, C), used as scratch   pooled_rows: per
  /// sequence, a row of the batch that sees its whole sequence   y: (sequences, C), assigned.
  void forward_pooled(TensorView<T, 2> x, const Sequences& sequences, std::span<const Index> pooled_rows,
                      TensorView<T, 2> y, Workspace& workspace, Saved* saved) const {
    if (resblocks.empty()) return gather_rows<T>(x, pooled_rows, y);
    run(x, sequences, {pooled_rows, y}, workspace, saved);
  }

  /// dx: (R, C), in place: the gradient of what went out before, of what came into block saved.first afterwards.
  void backward(TensorView<T, 2> dx, const Sequences& sequences, Workspace& workspace, const Saved& saved) {
    backward_layers(resblocks.size(), dx, sequences, workspace, saved);
  }

  /// dy: (sequences, C), overwritten   dx: (R, C), assigned, unless all blocks lie below saved.first.
  void backward_pooled(TensorView<T, 2> dy, const Sequences& sequences, std::span<const Index> pooled_rows,
                       TensorView<T, 2> dx, Workspace& workspace, const Saved& saved) {
    if (resblocks.empty()) {
      std::fill_n(dx.data(), dx.size(), T(0));
      return scatter_add_rows<T>(dy, pooled_rows, dx);
    }
    const std::size_t last = resblocks.size() - 1;
    if (saved.first > last) return;
    resblocks[last].backward_pooled(dy, sequences, pooled_rows, dx, workspace,
                                    activations(last, sequences, pooled_rows, workspace, saved));
    if (saved.observer != nullptr) saved.observer->on_gradients(resblocks[last]);
    backward_layers(last, dx, sequences, workspace, saved);
  }

  template <class F>
  void visit_parameters(F&& f) {
    for (std::size_t i = 0; i < resblocks.size(); ++i) {
      visit_child("resblocks." + std::to_string(i) + ".", resblocks[i], f);
    }
  }

  std::vector<Block> resblocks;
  bool causal = false;

 private:
  /// The rows that the last block keeps, and where they go; nothing where it keeps all.
  struct Pooled {
    std::span<const Index> rows = {};
    TensorView<T, 2> y = {};
  };

  static TensorView<T, 2> rows_of(TensorView<T, 2> x, const RowBlock& block) {
    return x.slice(block.first_row, block.first_row + block.sequences.rows());
  }

  /// All layers. Weights that are kept: a row block goes through all layers while it is in the cache. Weights that are
  /// packed at use: all row blocks go through a layer, whose weights are packed once.
  void run(TensorView<T, 2> x, const Sequences& sequences, const Pooled& pooled, Workspace& workspace,
           Saved* saved) const {
    if (saved != nullptr) resize(*saved, x.extent(0), pooled.rows.empty() ? x.extent(0) : sequences.count());
    if (packing_ == Packing::at_use) {
      for (std::size_t i = 0; i < resblocks.size(); ++i) run_layer(i, x, sequences, pooled, workspace, saved);
      return;
    }
    for_each_row_block(sequences, workspace, [&](const RowBlock& block, Workspace& local) {
      for (std::size_t i = 0; i < resblocks.size(); ++i) {
        run_block(i, resblocks[i].packed(local), x, block, pooled, local, saved);
      }
    });
  }

  void run_layer(std::size_t i, TensorView<T, 2> x, const Sequences& sequences, const Pooled& pooled,
                 Workspace& workspace, Saved* saved) const {
    const Workspace::Scope scope(workspace);
    const typename Block::Packed weights = resblocks[i].packed(workspace);
    for_each_row_block(sequences, workspace, [&](const RowBlock& block, Workspace& local) {
      run_block(i, weights, x, block, pooled, local, saved);
    });
  }

  /// Layer i on one row block, with what backward() reads of it.
  void run_block(std::size_t i, const typename Block::Packed& weights, TensorView<T, 2> x, const RowBlock& block,
                 const Pooled& pooled, Workspace& workspace, Saved* saved) const {
    typename Block::Saved* activations = nullptr;
    if (saved != nullptr && i < saved->first) saved = nullptr;
    if (saved != nullptr && saved->grad_checkpointing) {
      copy(TensorView<const T, 2>(rows_of(x, block)), rows_of(saved->inputs[i].view(), block));
    } else if (saved != nullptr) {
      activations = &saved->resblocks[i];
    }
    run_block(i, weights, x, block, pooled, workspace, activations);
  }

  void run_block(std::size_t i, const typename Block::Packed& weights, TensorView<T, 2> x, const RowBlock& block,
                 const Pooled& pooled, Workspace& workspace, typename Block::Saved* saved) const {
    const TensorView<T, 2> rows = rows_of(x, block);
    if (pooled.rows.empty() || i + 1 < resblocks.size()) {
      return resblocks[i].forward(weights, rows, block, causal, workspace, saved);
    }
    const Workspace::Scope scope(workspace);
    const Index n = block.sequences.count();
    Index* relative = workspace.take<Index>(n);
    for (Index s = 0; s < n; ++s) {
      relative[s] = pooled.rows[static_cast<std::size_t>(block.first_sequence + s)] - block.first_row;
    }
    resblocks[i].forward_pooled(weights, rows, block, {relative, static_cast<std::size_t>(n)},
                                pooled.y.slice(block.first_sequence, block.first_sequence + n), workspace, saved);
  }

  void backward_layers(std::size_t count, TensorView<T, 2> dx, const Sequences& sequences, Workspace& workspace,
                       const Saved& saved) {
    for (std::size_t i = count; i-- > saved.first;) {
      resblocks[i].backward(dx, sequences, causal, workspace, activations(i, sequences, {}, workspace, saved));
      if (saved.observer != nullptr) saved.observer->on_gradients(resblocks[i]);
    }
  }

  /// What the forward pass of layer i left, or leaves now. pooled_rows: of the last layer, where it is pooled.
  const typename Block::Saved& activations(std::size_t i, const Sequences& sequences,
                                           std::span<const Index> pooled_rows, Workspace& workspace,
                                           const Saved& saved) const {
    if (!saved.grad_checkpointing) return saved.resblocks[i];
    const Workspace::Scope scope(workspace);
    const TensorView<const T, 2> input = saved.inputs[i].view();
    const TensorView<T, 2> x = workspace.matrix<T>(input.extent(0), input.extent(1));
    copy(input, x);
    Pooled pooled{pooled_rows};
    if (!pooled_rows.empty()) pooled.y = workspace.matrix<T>(sequences.count(), input.extent(1));
    saved.recomputed.resize(resblocks[i], x.extent(0), pooled_rows.empty() ? x.extent(0) : sequences.count());
    const typename Block::Packed weights = resblocks[i].packed(workspace);
    for_each_row_block(sequences, workspace, [&](const RowBlock& block, Workspace& local) {
      run_block(i, weights, x, block, pooled, local, &saved.recomputed);
    });
    return saved.recomputed;
  }

  void resize(Saved& saved, Index rows, Index last_rows) const {
    saved.resblocks.resize(saved.grad_checkpointing ? 0 : resblocks.size());
    saved.inputs.resize(saved.grad_checkpointing ? resblocks.size() : 0);
    for (std::size_t i = saved.first; i < saved.resblocks.size(); ++i) {
      saved.resblocks[i].resize(resblocks[i], rows, i + 1 == resblocks.size() ? last_rows : rows);
    }
    for (std::size_t i = saved.first; i < saved.inputs.size(); ++i) {
      saved.inputs[i].resize({rows, resblocks[i].attn.width()});
    }
  }

  Packing packing_ = Packing::kept;
};

}  // namespace couplet::inline COUPLET_ABI::nn
