#pragma once
/// The image tower: ViT of CLIP (class token, ln_pre, projection), of SigLIP (attention-pool head), of CoCa
/// (attentional pooler), and open_clip's with average pooling. Towers of SigLIP 2 NaFlex read images of different sizes
/// and resize their positions to each. Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020; names as open_clip's
/// VisionTransformer.
#include "couplet/models/config.hpp"
#include "couplet/models/pictures.hpp"
#include "couplet/nn/attention_pool.hpp"
#include "couplet/nn/attentional_pooler.hpp"
#include "couplet/nn/average_pool.hpp"
#include "couplet/nn/patch_embedding.hpp"
#include "couplet/nn/position_resize.hpp"
#include "couplet/nn/transformer.hpp"

namespace couplet::inline COUPLET_ABI {

template <class T>
class VisionTransformer {
 public:
  struct Saved {
    typename nn::PatchEmbedding<T>::Saved conv1;
    std::vector<typename nn::PatchEmbedding<T>::Saved> conv1_each;  // NaFlex: of each image
    std::vector<nn::Grid> grids;                                    // NaFlex: of each image
    std::vector<Index> offsets;                                     // (B + 1), the rows of each image
    std::vector<Index> patches;                                     // (B * K), those seen; empty: all
    Tensor<T, 2> embedded;                                          // (B * tokens, C), what enters ln_pre
    typename nn::LayerNorm<T>::Saved ln_pre, ln_post;
    typename nn::Transformer<T>::Saved transformer;
    Tensor<T, 2> out;  // what enters ln_post: one row per image (B, C or E) or all tokens (B * tokens, C)
    typename nn::AttentionPool<T>::Saved attn_pool;
    typename nn::AttentionalPooler<T>::Saved attn_pooler;
    Index batch = 0;
    bool embeddings_learn = true;  // otherwise they save nothing
  };

  VisionTransformer() = default;
  VisionTransformer(const VisionConfig& config, Index embed_dim)
      : conv1(config.width, config.channels, config.patch_size, config.patch_bias),
        positional_embedding(Shape{config.tokens(), config.width}),
        transformer(config.width, config.layers, config.heads, config.mlp_width, config.activation, config.eps, false,
                    config.ls_init_value.has_value()),
        ln_post(config.pooled_width(embed_dim), config.eps),
        config_(config),
        embed_dim_(embed_dim) {
    if (config.class_token) class_embedding.reshape(Shape{config.width});
    if (config.ln_pre) ln_pre = nn::LayerNorm<T>(config.width, config.eps);
    if (config.pool == VisionPool::attention_pool) {
      attn_pool = nn::AttentionPool<T>(config.width, config.heads, config.mlp_width, config.activation, config.eps);
    }
    if (config.pool == VisionPool::attentional_pooler) {
      attn_pooler = nn::AttentionalPooler<T>(config.width, embed_dim, config.pooler_heads, config.pooler_queries);
    }
    if (config.eva02) {
      const auto positions = std::make_shared<const nn::RotaryPositions<T>>(table_grid(), config.width / config.heads);
      for (auto& block : transformer.resblocks) block.set_eva02(positions, config.eps);
    }
    if (config.projection) {
      proj = nn::Linear<T>(config.pooled_width(embed_dim), embed_dim, config.projection_bias);
    }
  }

  [[nodiscard]] const VisionConfig& config() const { return config_; }
  [[nodiscard]] Index embed_dim() const { return embed_dim_; }

  /// `precision` of the products; the last projection, a hundredth of the work, stays in float32.
  void prepare(Precision precision = Precision::float32, nn::Packing packing = nn::Packing::kept) {
    conv1.prepare(precision, packing);
    transformer.prepare(precision, packing);
    if (config_.pool == VisionPool::attention_pool) attn_pool.prepare(precision, packing);
    if (config_.pool == VisionPool::attentional_pooler) attn_pooler.prepare(precision, packing);
    if (config_.projection) proj.prepare(Precision::float32, packing);
  }

  /// pixels: (B, 3, H, W), normalised as the model's transform does; with `saved` they stay where they are until
  /// backward()   features: (B, E), before l2 normalisation.
  void forward(TensorView<const T, 4> pixels, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    if (config_.flexible()) {
      std::vector<TensorView<const T, 3>> each;
      for (Index b = 0; b < pixels.extent(0); ++b) each.push_back(pixels[b]);
      return forward(std::span<const TensorView<const T, 3>>(each), features, workspace, saved);
    }
    forward(Pictures<T>{pixels}, features, workspace, saved);
  }
  /// The same, of some patches of each picture.
  void forward(const Pictures<T>& pictures, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    if (pictures.patches.empty() && config_.flexible()) return forward(pictures.pixels, features, workspace, saved);
    check(pictures, features);
    if (pictures.extent(0) == 0) return;
    Workspace::Scope scope(workspace);
    const Index seen = pictures.patches.empty() ? patches() : pictures.patches.extent(1);
    const Sequences images = nn::equal_lengths(pictures.extent(0), class_rows() + seen, workspace);
    const TensorView<T, 2> x = workspace.matrix<T>(images.rows(), config_.width);
    begin(images, saved);
    embed(pictures, images, x, workspace, below(saved));
    run(x, images, features, workspace, saved);
  }

  /// NaFlex. pixels: for each image (3, H, W), multiples of the patch size   features: (B, E), before l2 normalisation.
  void forward(std::span<const TensorView<const T, 3>> pixels, TensorView<T, 2> features, Workspace& workspace,
               Saved* saved = nullptr) const {
    check(pixels, features);
    if (pixels.empty()) return;
    Workspace::Scope scope(workspace);
    const std::size_t batch = pixels.size();
    Index* offsets = workspace.take<Index>(static_cast<Index>(batch) + 1);
    offsets[0] = 0;
    for (std::size_t b = 0; b < batch; ++b) offsets[b + 1] = offsets[b] + grid_of(pixels[b]).size();
    const Sequences images({offsets, batch + 1});
    const TensorView<T, 2> x = workspace.matrix<T>(images.rows(), config_.width);
    begin(images, saved);
    embed_each(pixels, images, x, workspace, below(saved));
    run(x, images, features, workspace, saved);
  }

  /// dfeatures: (B, E). Adds to the gradients of all parameters that learn, and ends with the lowest of them: what lies
  /// below has saved nothing.
  void backward(TensorView<const T, 2> dfeatures, Workspace& workspace, const Saved& saved) {
    if (saved.batch == 0) return;
    Workspace::Scope scope(workspace);
    const Index c = config_.width;
    const Sequences images(saved.offsets);
    const TensorView<T, 2> dx = workspace.matrix<T>(images.rows(), c);
    const TensorView<T, 2> dpooled = workspace.matrix<T>(saved.batch, config_.pooled_width(embed_dim_));
    if (config_.pool == VisionPool::class_token) {
      backward_row_head(dfeatures, dpooled, workspace, saved);
      transformer.backward_pooled(dpooled, images, first_rows(images, workspace), dx, workspace, saved.transformer);
    } else {
      if (config_.pool == VisionPool::attentional_pooler) {
        backward_row_head(dfeatures, dpooled, workspace, saved);
        attn_pooler.backward(dpooled, images, dx, workspace, saved.attn_pooler);
      } else if (config_.ln_after_pool) {
        backward_row_head(dfeatures, dpooled, workspace, saved);
        nn::average_pool_backward<T>(dpooled, images, class_rows(), dx);
      } else {
        backward_token_head(dfeatures, images, dpooled, dx, workspace, saved);
      }
      transformer.backward(dx, images, workspace, saved.transformer);
    }
    if (!saved.embeddings_learn) return;
    config_.flexible() ? backward_embed_each(dx, images, workspace, saved)
                       : backward_embed(dx, images, workspace, saved);
  }

  template <class F>
  void visit_parameters(F&& f) {
    nn::visit_child("conv1.", conv1, f);
    if (config_.class_token) f("class_embedding", class_embedding);
    f("positional_embedding", positional_embedding);
    if (config_.ln_pre) nn::visit_child("ln_pre.", ln_pre, f);
    nn::visit_child("transformer.", transformer, f);
    nn::visit_child("ln_post.", ln_post, f);
    if (config_.pool == VisionPool::attention_pool) nn::visit_child("attn_pool.", attn_pool, f);
    if (config_.pool == VisionPool::attentional_pooler) nn::visit_child("attn_pool.", attn_pooler, f);
    if (config_.projection) nn::visit_child("proj.", proj, f);
  }

  nn::PatchEmbedding<T> conv1;
  Parameter<T> class_embedding;       ///< (C), CLIP
  Parameter<T> positional_embedding;  ///< (tokens, C); row 0 belongs to the class token where there is one
  nn::LayerNorm<T> ln_pre;            ///< CLIP
  nn::Transformer<T> transformer;
  nn::LayerNorm<T> ln_post;
  nn::AttentionPool<T> attn_pool;        ///< SigLIP
  nn::AttentionalPooler<T> attn_pooler;  ///< CoCa
  nn::Linear<T> proj;                    ///< CLIP: (E, C), CoCa: (E, E), without bias; EVA02: (E, C)

 private:
  /// The rows of the images, and where backward() ends.
  void begin(const Sequences& images, Saved* saved) const {
    if (saved == nullptr) return;
    saved->batch = images.count();
    saved->offsets.assign(1, 0);
    for (Index b = 0; b < images.count(); ++b) saved->offsets.push_back(images.end(b));
    saved->embeddings_learn = embeddings_learn();
    saved->transformer.first = saved->embeddings_learn ? 0 : transformer.first_trainable();
  }
  /// For what lies below the transformer.
  static Saved* below(Saved* saved) { return saved != nullptr && saved->embeddings_learn ? saved : nullptr; }

  [[nodiscard]] bool embeddings_learn() const {
    return nn::any_trainable(conv1) || (config_.class_token && class_embedding.trainable) ||
           positional_embedding.trainable || (config_.ln_pre && nn::any_trainable(ln_pre));
  }

  /// From the tokens of all images to their features. x: overwritten.
  void run(TensorView<T, 2> x, const Sequences& images, TensorView<T, 2> features, Workspace& workspace,
           Saved* saved) const {
    const TensorView<T, 2> pooled = workspace.matrix<T>(images.count(), config_.pooled_width(embed_dim_));
    if (config_.pool == VisionPool::class_token) {
      transformer.forward_pooled(x, images, first_rows(images, workspace), pooled, workspace,
                                 saved != nullptr ? &saved->transformer : nullptr);
      return forward_row_head(pooled, features, workspace, saved);
    }
    transformer.forward(x, images, workspace, saved != nullptr ? &saved->transformer : nullptr);
    if (config_.pool == VisionPool::attentional_pooler) {
      attn_pooler.forward(x, images, pooled, workspace, saved != nullptr ? &saved->attn_pooler : nullptr);
      return forward_row_head(pooled, features, workspace, saved);
    }
    if (!config_.ln_after_pool) return forward_token_head(x, images, pooled, features, workspace, saved);
    nn::average_pool_forward<T>(x, images, class_rows(), pooled);
    forward_row_head(pooled, features, workspace, saved);
  }

  static constexpr auto position_filter = nn::PositionFilter::bilinear_antialias;  // of NaFlex

  [[nodiscard]] Index class_rows() const { return config_.class_token ? 1 : 0; }
  [[nodiscard]] nn::Grid table_grid() const { return {config_.grid_height(), config_.grid_width()}; }
  [[nodiscard]] nn::Grid grid_of(TensorView<const T, 3> image) const {
    return {image.extent(1) / config_.patch_size, image.extent(2) / config_.patch_size};
  }

  void check(std::span<const TensorView<const T, 3>> pixels, TensorView<T, 2> features) const {
    if (!config_.flexible()) fail("encode_image", "this model reads images of one size");
    for (const auto& image : pixels) {
      const nn::Grid grid = grid_of(image);
      const bool whole =
          grid.height * config_.patch_size == image.extent(1) && grid.width * config_.patch_size == image.extent(2);
      if (image.extent(0) == config_.channels && grid.size() > 0 && whole) continue;
      fail("encode_image", "pixels " + to_string(image.shape()) + ", but the model reads (" +
                               std::to_string(config_.channels) + ", H, W) in multiples of " +
                               std::to_string(config_.patch_size));
    }
    if (features.extent(0) != std::ssize(pixels) || features.extent(1) != embed_dim_) {
      fail("encode_image", "features " + to_string(features.shape()) + ", expected (" + std::to_string(pixels.size()) +
                               ", " + std::to_string(embed_dim_) + ")");
    }
  }

  void check(const Pictures<T>& pictures, TensorView<T, 2> features) const {
    const TensorView<const T, 4> pixels = pictures.pixels;
    if (!pictures.patches.empty()) check_patches(pictures);
    if (pixels.extent(1) != config_.channels || pixels.extent(2) != config_.image_height ||
        pixels.extent(3) != config_.image_width) {
      fail("encode_image", "pixels " + to_string(pixels.shape()) + ", but the model reads (B, " +
                               std::to_string(config_.channels) + ", " + std::to_string(config_.image_height) + ", " +
                               std::to_string(config_.image_width) + ")");
    }
    if (features.extent(0) != pixels.extent(0) || features.extent(1) != embed_dim_) {
      fail("encode_image", "features " + to_string(features.shape()) + ", expected (" +
                               std::to_string(pixels.extent(0)) + ", " + std::to_string(embed_dim_) + ")");
    }
  }

  void check_patches(const Pictures<T>& pictures) const {
    if (!config_.may_drop_patches()) fail("encode_image", "this model has no patch dropout");
    const TensorView<const Index, 2> seen = pictures.patches;
    bool good = seen.extent(0) == pictures.extent(0) && seen.extent(1) > 0;
    for (Index b = 0; good && b < seen.extent(0); ++b) {
      for (Index i = 0; i < seen.extent(1); ++i) good = good && seen(b, i) >= 0 && seen(b, i) < patches();
    }
    if (!good) {
      fail("encode_image", "patches " + to_string(seen.shape()) + ", expected for each of " +
                               std::to_string(pictures.extent(0)) + " pictures some of 0 .. " +
                               std::to_string(patches() - 1));
    }
  }

  /// Of a picture.
  [[nodiscard]] Index patches() const { return config_.tokens() - class_rows(); }
  /// Which patch stands in row `row` behind the class token of picture b. seen: (B * K), empty: all
  [[nodiscard]] static Index patch_at(std::span<const Index> seen, Index b, Index row, Index rows) {
    return seen.empty() ? row : seen[static_cast<std::size_t>(b * rows + row)];
  }

  /// x[image] = [class_embedding; patches] + positional_embedding, then ln_pre.
  void embed(const Pictures<T>& pictures, const Sequences& images, TensorView<T, 2> x, Workspace& workspace,
             Saved* saved) const {
    Workspace::Scope scope(workspace);
    const TensorView<T, 2> all = workspace.matrix<T>(images.count() * patches(), config_.width);
    conv1.forward(pictures.pixels, all, workspace, saved != nullptr ? &saved->conv1 : nullptr);
    const std::span<const Index> seen(pictures.patches.data(), static_cast<std::size_t>(pictures.patches.size()));
    if (saved != nullptr) saved->patches.assign(seen.begin(), seen.end());
    const TensorView<const T, 2> positions = positional_embedding.matrix();
    parallel_for(images.count(), [&](Index b) {
      const Index rows = images.length(b) - class_rows();
      const auto add = [&](const T* token, Index position, Index row) {
        for (Index c = 0; c < config_.width; ++c) x(images.begin(b) + row, c) = token[c] + positions(position, c);
      };
      if (config_.class_token) add(class_embedding.value.data(), 0, 0);
      for (Index i = 0; i < rows; ++i) {
        const Index patch = patch_at(seen, b, i, rows);
        add(&all(b * patches() + patch, 0), class_rows() + patch, class_rows() + i);
      }
    });
    if (!config_.ln_pre) return;
    if (saved != nullptr) {
      saved->embedded.resize({x.extent(0), x.extent(1)});
      copy(TensorView<const T, 2>(x), saved->embedded.view());
      saved->ln_pre.resize(x.extent(0));
    }
    ln_pre.forward(x, ops::Operand<T>(x), saved != nullptr ? &saved->ln_pre : nullptr);
  }

  /// NaFlex: x[image] = patches + positional_embedding resized to the image's grid.
  void embed_each(std::span<const TensorView<const T, 3>> pixels, const Sequences& images, TensorView<T, 2> x,
                  Workspace& workspace, Saved* saved) const {
    if (saved != nullptr) {
      saved->conv1_each.resize(pixels.size());
      saved->grids.clear();
      for (const auto& image : pixels) saved->grids.push_back(grid_of(image));
    }
    parallel_for(workspace, images.count(), [&](Index b, Workspace& local) {
      const auto i = static_cast<std::size_t>(b);
      const TensorView<const T, 3> image = pixels[i];
      const TensorView<const T, 4> one(image.data(), {1, image.extent(0), image.extent(1), image.extent(2)});
      const TensorView<T, 2> rows = x.slice(images.begin(b), images.end(b));
      Workspace::Scope scope(local);
      const TensorView<T, 2> positions = local.matrix<T>(rows.extent(0), config_.width);
      conv1.forward(one, rows, local, saved != nullptr ? &saved->conv1_each[i] : nullptr);
      nn::PositionResize(table_grid(), grid_of(image), position_filter)
          .template forward<T>(positional_embedding.matrix(), positions);
      ops::residual_add<T>(positions, rows);
    });
  }

  void backward_embed_each(TensorView<T, 2> dx, const Sequences& images, Workspace& workspace, const Saved& saved) {
    for (Index b = 0; b < images.count(); ++b) {
      const auto i = static_cast<std::size_t>(b);
      const TensorView<const T, 2> drows = dx.slice(images.begin(b), images.end(b));
      if (positional_embedding.trainable) {
        nn::PositionResize(table_grid(), saved.grids[i], position_filter)
            .template backward<T>(drows, positional_embedding.grad_matrix());
      }
      conv1.backward(drows, workspace, saved.conv1_each[i]);
    }
  }

  void backward_embed(TensorView<T, 2> dx, const Sequences& images, Workspace& workspace, const Saved& saved) {
    Workspace::Scope scope(workspace);
    const Index c = config_.width;
    if (config_.ln_pre) {
      const TensorView<T, 2> dembedded = workspace.matrix<T>(dx.extent(0), c);
      ln_pre.backward(dx, saved.embedded.view(), saved.ln_pre, dembedded, false);
      dx = dembedded;
    }
    const TensorView<T, 2> dpatches = workspace.matrix<T>(images.count() * patches(), c);
    if (!saved.patches.empty()) std::fill_n(dpatches.data(), dpatches.size(), T(0));
    for (Index b = 0; b < images.count(); ++b) {
      const Index rows = images.length(b) - class_rows();
      const auto row_of = [](TensorView<T, 2> matrix, Index row) { return matrix.slice(row, row + 1); };
      if (config_.class_token) {
        const TensorView<const T, 2> dtoken = row_of(dx, images.begin(b));
        if (positional_embedding.trainable) ops::residual_add<T>(dtoken, row_of(positional_embedding.grad_matrix(), 0));
        if (class_embedding.trainable) ops::residual_add<T>(dtoken, class_embedding.grad_matrix());
      }
      for (Index i = 0; i < rows; ++i) {
        const Index patch = patch_at(saved.patches, b, i, rows);
        const TensorView<const T, 2> drow = row_of(dx, images.begin(b) + class_rows() + i);
        copy(drow, row_of(dpatches, b * patches() + patch));
        if (!positional_embedding.trainable) continue;
        ops::residual_add<T>(drow, row_of(positional_embedding.grad_matrix(), class_rows() + patch));
      }
    }
    conv1.backward(dpatches, workspace, saved.conv1);
  }

  /// ln_post of one row per image, then the projection.
  void forward_row_head(TensorView<T, 2> pooled, TensorView<T, 2> features, Workspace& workspace, Saved* saved) const {
    Workspace::Scope scope(workspace);
    save_out(pooled, saved);
    const ops::Operand<T> normalized(workspace, pooled.extent(0), pooled.extent(1));
    ln_post.forward(pooled, normalized, saved != nullptr ? &saved->ln_post : nullptr);
    project(normalized, features, workspace);
  }

  /// ln_post of every token, then pooling, then the projection. x: (B * tokens, C), overwritten.
  void forward_token_head(TensorView<T, 2> x, const Sequences& images, TensorView<T, 2> pooled,
                          TensorView<T, 2> features, Workspace& workspace, Saved* saved) const {
    save_out(x, saved);
    const ops::Operand<T> tokens(x);
    ln_post.forward(x, tokens, saved != nullptr ? &saved->ln_post : nullptr);
    if (config_.pool == VisionPool::attention_pool) {
      attn_pool.forward(tokens, images, pooled, workspace, saved != nullptr ? &saved->attn_pool : nullptr);
    } else {
      nn::average_pool_forward<T>(x, images, class_rows(), pooled);
    }
    project(ops::Operand<T>(pooled), features, workspace);
  }

  void save_out(TensorView<const T, 2> x, Saved* saved) const {
    if (saved == nullptr) return;
    saved->out.resize(x.extents());
    copy(x, saved->out.view());
    saved->ln_post.resize(x.extent(0));
  }

  void project(const ops::Operand<T>& x, TensorView<T, 2> features, Workspace& workspace) const {
    if (config_.projection) {
      proj.forward(x, {}, features, workspace);
    } else {
      copy(TensorView<const T, 2>(x.view()), features);
    }
  }

  /// x: (B, C), the input of the projection   dx: (B, C), assigned.
  void backward_projection(TensorView<const T, 2> dfeatures, TensorView<const T, 2> x, TensorView<T, 2> dx,
                           Workspace& workspace) {
    if (config_.projection) {
      proj.backward(dfeatures, x, dx, workspace);
    } else {
      copy(dfeatures, dx);
    }
  }

  /// dout: (B, C), assigned: the gradient of what entered ln_post.
  void backward_row_head(TensorView<const T, 2> dfeatures, TensorView<T, 2> dout, Workspace& workspace,
                         const Saved& saved) {
    Workspace::Scope scope(workspace);
    const TensorView<const T, 2> out = saved.out.view();
    const TensorView<T, 2> normalized = workspace.matrix<T>(out.extent(0), out.extent(1));
    ln_post.forward(out, ops::Operand<T>(normalized));
    const TensorView<T, 2> dnormalized = workspace.matrix<T>(out.extent(0), out.extent(1));
    backward_projection(dfeatures, normalized, dnormalized, workspace);
    ln_post.backward(dnormalized, out, saved.ln_post, dout, false);
  }

  /// dpooled: (B, C), scratch   dout: (B * tokens, C), assigned: the gradient of what entered ln_post.
  void backward_token_head(TensorView<const T, 2> dfeatures, const Sequences& images, TensorView<T, 2> dpooled,
                           TensorView<T, 2> dout, Workspace& workspace, const Saved& saved) {
    Workspace::Scope scope(workspace);
    const TensorView<T, 2> tokens = workspace.matrix<T>(images.rows(), config_.width);
    const TensorView<T, 2> dtokens = workspace.matrix<T>(images.rows(), config_.width);
    ln_post.forward(saved.out.view(), ops::Operand<T>(tokens));
    if (config_.pool == VisionPool::attention_pool) {
      copy(dfeatures, dpooled);  // no projection follows this head
      attn_pool.backward(dpooled, tokens, images, dtokens, workspace, saved.attn_pool);
    } else {
      const TensorView<T, 2> pooled = workspace.matrix<T>(images.count(), config_.width);
      nn::average_pool_forward<T>(tokens, images, class_rows(), pooled);
      backward_projection(dfeatures, pooled, dpooled, workspace);
      nn::average_pool_backward<T>(dpooled, images, class_rows(), dtokens);
    }
    ln_post.backward(dtokens, saved.out.view(), saved.ln_post, dout, false);
  }

  /// The rows of the class tokens.
  static std::span<const Index> first_rows(const Sequences& images, Workspace& workspace) {
    Index* rows = workspace.take<Index>(images.count());
    for (Index b = 0; b < images.count(); ++b) rows[b] = images.begin(b);
    return {rows, static_cast<std::size_t>(images.count())};
  }

  VisionConfig config_;
  Index embed_dim_ = 0;
};

}  // namespace couplet::inline COUPLET_ABI
