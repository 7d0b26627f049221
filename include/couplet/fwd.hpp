#pragma once
/// Forward declarations for headers that only name couplet's types.
#include <cstddef>

#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI {

template <class T, std::size_t Rank>
class Tensor;
template <class T, std::size_t Rank>
class TensorView;
class Shape;
class Workspace;
class Sequences;
template <class T>
struct Parameter;

struct ClipConfig;
template <class T>
class Clip;
template <class T>
class ImageTower;
template <class T>
class VisionTransformer;
template <class T>
class ModifiedResNet;
template <class T>
class TextTransformer;
template <class T>
class Pretrained;
template <class T>
class ZeroShotClassifier;

namespace image {
struct Image;
class Transform;
}  // namespace image

namespace tokenizers {
class Tokenizer;
}  // namespace tokenizers

namespace data {
class Dataset;
class Loader;
}  // namespace data

}  // namespace couplet::inline COUPLET_ABI
