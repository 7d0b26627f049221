#pragma once
/// The text tower: causal and pooled at the end-of-text token (CLIP), or bidirectional and pooled at the last position
/// of a text padded to full length (SigLIP). open_clip has the other two combinations. Names as its TextTransformer.
///
/// In a causal tower nothing behind the pooled token can reach it, so texts are cut there: exact, and several times
/// less work on real captions.
#include "couplet/models/config.hpp"
#include "couplet/nn/transformer.hpp"
#include "couplet/ops/embedding.hpp"

namespace couplet::inline COUPLET_ABI {

template <class T>
class TextTransformer {
 public:
  struct Saved {
    std::vector<std::int64_t> ids;  // (R), the tokens that were computed
    std::vector<Index> offsets;     // (B + 1), their sequences
    std::vector<Index> pooled;      // (B), the row of each text that was kept
    typename nn::Transformer<T>::Saved transformer;
    Tensor<T, 2> out;  // (B, C), what enters ln_final
    typename nn::LayerNorm<T>::Saved ln_final;
  };

  TextTransformer() = default;
  TextTransformer(const TextConfig& config, Index embed_dim)
      : token_embedding(Shape{config.vocab_size, config.width}),
        positional_embedding(Shape{config.context_length, config.width}),
        transformer(config.width, config.layers, config.heads, config.mlp_width, config.activation, config.eps,
                    config.causal, config.ls_init_value.has_value()),
        ln_final(config.width, config.eps),
        text_projection(config.width, embed_dim, config.projection_bias),
        config_(config) {}

  [[nodiscard]] const TextConfig& config() const { return config_; }
  [[nodiscard]] Index embed_dim() const { return text_projection.weight.shape[0]; }

  /// `precision` of the products; the last projection, a hundredth of the work, stays in float32.
  void prepare(Precision precision = Precision::float32, nn::Packing packing = nn::Packing::kept) {
    nn::prepare_table(token_embedding, half_tokens_, packing);
    transformer.prepare(precision, packing);
    text_projection.prepare(Precision::float32, packing);
  }

  /// ids: (B, L), L <= context_length, padded on the right (bidirectional towers: L = context_length)
  /// features: (B, E), before l2 normalisation.
  void forward(TensorView<const std::int64_t, 2> ids, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    check(ids, features);
    if (ids.extent(0) == 0) return;
    Workspace::Scope scope(workspace);
    const auto [tokens, texts, pooled_rows] = cut_texts(ids, workspace);
    const TensorView<T, 2> x = workspace.matrix<T>(texts.rows(), config_.width);
    const TensorView<T, 2> pooled = workspace.matrix<T>(texts.count(), config_.width);
    embed(tokens, texts, x);
    transformer.forward_pooled(x, texts, pooled_rows, pooled, workspace,
                               saved != nullptr ? &saved->transformer : nullptr);
    if (saved != nullptr) save({tokens, texts, pooled_rows}, pooled, *saved);
    const ops::Operand<T> normalized(pooled);
    ln_final.forward(pooled, normalized, saved != nullptr ? &saved->ln_final : nullptr);
    text_projection.forward(normalized, {}, features, workspace);
  }

  /// dfeatures: (B, E). Adds to the gradients of all parameters.
  void backward(TensorView<const T, 2> dfeatures, Workspace& workspace, const Saved& saved) {
    if (dfeatures.extent(0) == 0) return;
    Workspace::Scope scope(workspace);
    const Sequences texts(saved.offsets);
    const TensorView<T, 2> normalized = workspace.matrix<T>(texts.count(), config_.width);
    const TensorView<T, 2> dpooled = workspace.matrix<T>(texts.count(), config_.width);
    const TensorView<T, 2> dx = workspace.matrix<T>(texts.rows(), config_.width);
    ln_final.forward(saved.out.view(), ops::Operand<T>(normalized));
    const TensorView<T, 2> dnormalized = workspace.matrix<T>(texts.count(), config_.width);
    text_projection.backward(dfeatures, normalized, dnormalized, workspace);
    ln_final.backward(dnormalized, saved.out.view(), saved.ln_final, dpooled, false);
    transformer.backward_pooled(dpooled, texts, saved.pooled, dx, workspace, saved.transformer);
    ops::embedding_backward<T>(
        std::span<const std::int64_t>(saved.ids), texts, dx,
        token_embedding.trainable ? token_embedding.grad_matrix() : TensorView<T, 2>{},
        positional_embedding.trainable ? positional_embedding.grad_matrix() : TensorView<T, 2>{});
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("token_embedding.weight", token_embedding);
    f("positional_embedding", positional_embedding);
    nn::visit_child("transformer.", transformer, f);
    nn::visit_child("ln_final.", ln_final, f);
    nn::visit_child("text_projection.", text_projection, f);
  }

  Parameter<T> token_embedding;       ///< (V, C)
  Parameter<T> positional_embedding;  ///< (context_length, C)
  nn::Transformer<T> transformer;
  nn::LayerNorm<T> ln_final;
  nn::Linear<T> text_projection;  ///< (E, C)

 private:
  void embed(std::span<const std::int64_t> tokens, const Sequences& texts, TensorView<T, 2> x) const {
    if constexpr (std::is_same_v<T, float>) {
      if (!half_tokens_.empty()) {
        return ops::embedding_forward(tokens, texts, half_tokens_, positional_embedding.matrix(), x);
      }
    }
    ops::embedding_forward<T>(tokens, texts, token_embedding.matrix(), positional_embedding.matrix(), x);
  }

  void check(TensorView<const std::int64_t, 2> ids, TensorView<T, 2> features) const {
    const Index length = ids.extent(1);
    const bool fits = !config_.full_length() || length == config_.context_length;
    if (length < 1 || length > config_.context_length || !fits) {
      fail("encode_text", "ids " + to_string(ids.shape()) + ", but the model reads " +
                              (config_.full_length() ? "texts padded to " : "at most ") +
                              std::to_string(config_.context_length) + " tokens");
    }
    if (features.extent(0) != ids.extent(0) || features.extent(1) != embed_dim()) {
      fail("encode_text", "features " + to_string(features.shape()) + ", expected (" + std::to_string(ids.extent(0)) +
                              ", " + std::to_string(embed_dim()) + ")");
    }
  }

  /// The place of the token that is pooled.
  [[nodiscard]] Index pooled_token(TensorView<const std::int64_t, 1> text, Index number) const {
    if (config_.pool == TextPool::last) return text.size() - 1;
    Index largest = 0;
    for (Index t = 0; t < text.size(); ++t) {
      if (config_.pool == TextPool::eot && text[t] == config_.eot_token_id) return t;
      if (text[t] > text[largest]) largest = t;
    }
    if (config_.pool == TextPool::argmax) return largest;
    fail("encode_text", "text " + std::to_string(number) + " has no end-of-text token (id " +
                            std::to_string(config_.eot_token_id) + ")");
  }

  struct Texts {
    std::span<const std::int64_t> ids;
    Sequences sequences;
    std::span<const Index> pooled_rows;
  };

  [[nodiscard]] Texts cut_texts(TensorView<const std::int64_t, 2> ids, Workspace& workspace) const {
    Index* offsets = workspace.take<Index>(ids.extent(0) + 1);
    Index* pooled_rows = workspace.take<Index>(ids.extent(0));
    std::int64_t* tokens = workspace.take<std::int64_t>(ids.size());
    offsets[0] = 0;
    for (Index b = 0; b < ids.extent(0); ++b) {
      const Index pooled = pooled_token(ids[b], b);
      const Index length = config_.full_length() ? ids.extent(1) : pooled + 1;
      for (Index t = 0; t < length; ++t) {
        const std::int64_t id = ids(b, t);
        if (id < 0 || id >= config_.vocab_size) {
          fail("encode_text", "token id " + std::to_string(id) + " of text " + std::to_string(b) +
                                  " is not in the vocabulary of " + std::to_string(config_.vocab_size));
        }
        tokens[offsets[b] + t] = id;
      }
      pooled_rows[b] = offsets[b] + pooled;
      offsets[b + 1] = offsets[b] + length;
    }
    const auto count = static_cast<std::size_t>(ids.extent(0));
    return {{tokens, static_cast<std::size_t>(offsets[count])}, Sequences({offsets, count + 1}), {pooled_rows, count}};
  }

  void save(const Texts& texts, TensorView<const T, 2> pooled, Saved& saved) const {
    saved.ids.assign(texts.ids.begin(), texts.ids.end());
    saved.offsets.clear();
    saved.offsets.push_back(0);
    for (Index b = 0; b < texts.sequences.count(); ++b) saved.offsets.push_back(texts.sequences.end(b));
    saved.pooled.assign(texts.pooled_rows.begin(), texts.pooled_rows.end());
    saved.out.resize(pooled.extents());
    copy(pooled, saved.out.view());
    saved.ln_final.resize(texts.sequences.count());
  }

  TextConfig config_;
  ops::HalfMatrix half_tokens_;  // token_embedding with nn::Packing::only, where 16 bits are enough
};

}  // namespace couplet::inline COUPLET_ABI
