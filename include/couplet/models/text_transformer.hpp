#pragma once
/// The text tower: causal and pooled at the end-of-text token (CLIP), bidirectional and pooled at the last position of
/// a text padded to full length (SigLIP; open_clip has the other two combinations), or pooled at a class token behind
/// the padded text (CoCa). Names as open_clip's TextTransformer.
///
/// In a causal tower nothing behind the pooled token can reach it, so texts are cut there: exact, and several times
/// less work on real captions. CoCa's class token sees everything but padding, and nothing else of a text sees padding
/// either; so rows of padding are left out, which is exact, too.
#include "couplet/models/config.hpp"
#include "couplet/nn/transformer.hpp"
#include "couplet/ops/embedding.hpp"

namespace couplet::inline COUPLET_ABI {

template <class T>
class TextTransformer {
 public:
  struct Saved {
    std::vector<std::int64_t> ids;  // (R), the tokens that were computed
    std::vector<Index> places;      // (R), their positions
    std::vector<Index> offsets;     // (B + 1), their sequences
    std::vector<Index> key_ends;    // (B) with a class token, else empty: see Sequences
    std::vector<Index> pooled;      // (B), the row of each text that was kept
    typename nn::Transformer<T>::Saved transformer;
    Tensor<T, 2> out;  // (B, C), what enters ln_final
    typename nn::LayerNorm<T>::Saved ln_final;
    bool embeddings_learn = true;
  };

  TextTransformer() = default;
  TextTransformer(const TextConfig& config, Index embed_dim)
      : token_embedding(Shape{config.vocab_size, config.width}),
        positional_embedding(Shape{config.positions(), config.width}),
        transformer(config.width, config.layers, config.heads, config.mlp_width, config.activation, config.eps,
                    config.causal, config.ls_init_value.has_value()),
        ln_final(config.width, config.eps),
        text_projection(config.width, embed_dim, config.projection_bias),
        config_(config) {
    if (config.has_class_token()) cls_emb.reshape(Shape{config.width});
  }

  [[nodiscard]] const TextConfig& config() const { return config_; }
  [[nodiscard]] Index embed_dim() const { return text_projection.weight.shape[0]; }

  /// `precision` of the products; the last projection, a hundredth of the work, stays in float32.
  void prepare(Precision precision = Precision::float32, nn::Packing packing = nn::Packing::kept) {
    nn::prepare_table(token_embedding, half_tokens_, packing);
    transformer.prepare(precision, packing);
    text_projection.prepare(Precision::float32, packing);
  }

  /// ids: (B, L), L <= context_length, padded on the right (where config().full_length(): L = context_length)
  /// features: (B, E), before l2 normalisation.
  void forward(TensorView<const std::int64_t, 2> ids, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    check(ids, features);
    if (ids.extent(0) == 0) return;
    Workspace::Scope scope(workspace);
    const Texts texts = cut_texts(ids, workspace);
    const TensorView<T, 2> x = workspace.matrix<T>(texts.sequences.rows(), config_.width);
    const TensorView<T, 2> pooled = workspace.matrix<T>(texts.sequences.count(), config_.width);
    embed(texts, x);
    if (saved != nullptr) {
      saved->embeddings_learn = embeddings_learn();
      saved->transformer.first = saved->embeddings_learn ? 0 : transformer.first_trainable();
    }
    transformer.forward_pooled(x, texts.sequences, texts.pooled_rows, pooled, workspace,
                               saved != nullptr ? &saved->transformer : nullptr);
    if (saved != nullptr) save(texts, pooled, *saved);
    const ops::Operand<T> normalized(pooled);
    ln_final.forward(pooled, normalized, saved != nullptr ? &saved->ln_final : nullptr);
    text_projection.forward(normalized, {}, features, workspace);
  }

  /// dfeatures: (B, E). Adds to the gradients of all parameters that learn, and ends with the lowest of them: what lies
  /// below has saved nothing.
  void backward(TensorView<const T, 2> dfeatures, Workspace& workspace, const Saved& saved) {
    if (dfeatures.extent(0) == 0) return;
    Workspace::Scope scope(workspace);
    const Sequences texts(saved.offsets, saved.key_ends);
    const TensorView<T, 2> normalized = workspace.matrix<T>(texts.count(), config_.width);
    const TensorView<T, 2> dpooled = workspace.matrix<T>(texts.count(), config_.width);
    const TensorView<T, 2> dx = workspace.matrix<T>(texts.rows(), config_.width);
    ln_final.forward(saved.out.view(), ops::Operand<T>(normalized));
    const TensorView<T, 2> dnormalized = workspace.matrix<T>(texts.count(), config_.width);
    text_projection.backward(dfeatures, normalized, dnormalized, workspace);
    ln_final.backward(dnormalized, saved.out.view(), saved.ln_final, dpooled, false);
    transformer.backward_pooled(dpooled, texts, saved.pooled, dx, workspace, saved.transformer);
    if (!saved.embeddings_learn) return;
    ops::embedding_backward<T>(
        saved.ids, saved.places, dx, token_embedding.trainable ? token_embedding.grad_matrix() : TensorView<T, 2>{},
        positional_embedding.trainable ? positional_embedding.grad_matrix() : TensorView<T, 2>{});
    if (config_.has_class_token() && cls_emb.trainable) {
      for (const Index row : saved.pooled) ops::residual_add<T>(dx.slice(row, row + 1), cls_emb.grad_matrix());
    }
  }

  template <class F>
  void visit_parameters(F&& f) {
    f("token_embedding.weight", token_embedding);
    if (config_.has_class_token()) f("cls_emb", cls_emb);
    f("positional_embedding", positional_embedding);
    nn::visit_child("transformer.", transformer, f);
    nn::visit_child("ln_final.", ln_final, f);
    nn::visit_child("text_projection.", text_projection, f);
  }

  Parameter<T> token_embedding;       ///< (V, C)
  Parameter<T> cls_emb;               ///< (C), CoCa
  Parameter<T> positional_embedding;  ///< (context_length, C); CoCa's class token has one more row
  nn::Transformer<T> transformer;
  nn::LayerNorm<T> ln_final;
  nn::Linear<T> text_projection;  ///< (E, C)

 private:
  [[nodiscard]] bool embeddings_learn() const {
    return token_embedding.trainable || positional_embedding.trainable ||
           (config_.has_class_token() && cls_emb.trainable);
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

  /// The rows that are computed, and what is known of them.
  struct Texts {
    std::span<const std::int64_t> ids;
    std::span<const Index> places;  // positions in their texts
    Sequences sequences;
    std::span<const Index> key_ends;     // of the sequences, where there are class tokens
    std::span<const Index> pooled_rows;  // one per text
  };

  [[nodiscard]] std::int64_t checked_id(TensorView<const std::int64_t, 2> ids, Index text, Index place) const {
    const std::int64_t id = ids(text, place);
    if (id < 0 || id >= config_.vocab_size) {
      fail("encode_text", "token id " + std::to_string(id) + " of text " + std::to_string(text) +
                              " is not in the vocabulary of " + std::to_string(config_.vocab_size));
    }
    return id;
  }

  /// With a class token: whether the token at `place`, or the class token behind all, is seen by itself and by those
  /// behind it. open_clip's mask stands one place too far to the right, and published weights were trained so: hidden
  /// is what follows a padding token, so the first one of them is seen, and the class token only in texts that fill the
  /// context.
  [[nodiscard]] bool is_seen(TensorView<const std::int64_t, 1> text, Index place) const {
    return place == 0 || text[place - 1] != config_.pad_token_id;
  }

  [[nodiscard]] Texts cut_texts(TensorView<const std::int64_t, 2> ids, Workspace& workspace) const {
    const Index count = ids.extent(0);
    const bool class_token = config_.has_class_token();
    const Index most = ids.size() + (class_token ? count : 0);
    Index* offsets = workspace.take<Index>(count + 1);
    Index* key_ends = workspace.take<Index>(count);
    Index* pooled_rows = workspace.take<Index>(count);
    Index* places = workspace.take<Index>(most);
    std::int64_t* tokens = workspace.take<std::int64_t>(most);
    Index rows = offsets[0] = 0;
    const auto add = [&](std::int64_t id, Index place) {
      tokens[rows] = id;
      places[rows++] = place;
    };
    for (Index b = 0; b < count; ++b) {
      const Index pooled = class_token ? ids.extent(1) : pooled_token(ids[b], b);
      const Index length = config_.full_length() ? ids.extent(1) : pooled + 1;
      for (Index t = 0; t < length; ++t) {
        if (!class_token || is_seen(ids[b], t)) add(checked_id(ids, b, t), t);
      }
      pooled_rows[b] = class_token ? rows : offsets[b] + pooled;
      key_ends[b] = class_token && is_seen(ids[b], pooled) ? rows + 1 : rows;
      if (class_token) add(ops::no_token, pooled);
      offsets[b + 1] = rows;
    }
    const auto n = static_cast<std::size_t>(count);
    const std::span<const Index> ends(key_ends, class_token ? n : 0);
    return {{tokens, static_cast<std::size_t>(rows)},
            {places, static_cast<std::size_t>(rows)},
            Sequences({offsets, n + 1}, ends),
            ends,
            {pooled_rows, n}};
  }

  void embed(const Texts& texts, TensorView<T, 2> x) const {
    embed_tokens(texts, x);
    if (!config_.has_class_token()) return;
    for (const Index row : texts.pooled_rows) ops::residual_add<T>(cls_emb.matrix(), x.slice(row, row + 1));
  }

  void embed_tokens(const Texts& texts, TensorView<T, 2> x) const {
    if constexpr (std::is_same_v<T, float>) {
      if (!half_tokens_.empty()) {
        return ops::embedding_forward(texts.ids, texts.places, half_tokens_, positional_embedding.matrix(), x);
      }
    }
    ops::embedding_forward<T>(texts.ids, texts.places, token_embedding.matrix(), positional_embedding.matrix(), x);
  }

  void save(const Texts& texts, TensorView<const T, 2> pooled, Saved& saved) const {
    saved.ids.assign(texts.ids.begin(), texts.ids.end());
    saved.places.assign(texts.places.begin(), texts.places.end());
    saved.offsets.clear();
    saved.offsets.push_back(0);
    for (Index b = 0; b < texts.sequences.count(); ++b) saved.offsets.push_back(texts.sequences.end(b));
    saved.key_ends.assign(texts.key_ends.begin(), texts.key_ends.end());
    saved.pooled.assign(texts.pooled_rows.begin(), texts.pooled_rows.end());
    saved.out.resize(pooled.extents());
    copy(pooled, saved.out.view());
    saved.ln_final.resize(texts.sequences.count());
  }

  TextConfig config_;
  ops::HalfMatrix half_tokens_;  // token_embedding with nn::Packing::only, where 16 bits are enough
};

}  // namespace couplet::inline COUPLET_ABI
