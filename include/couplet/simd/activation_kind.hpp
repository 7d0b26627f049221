#pragma once
/// The activations of CLIP and SigLIP towers, named apart from their code so that kernels and operations share the
/// name.
#include "couplet/config.hpp"

namespace couplet::inline COUPLET_ABI {

/// identity x; relu max(x, 0) (residual networks); gelu x Phi(x), by erf (open_clip, `gelu`); gelu_tanh, its tanh form
/// (SigLIP, `gelu_pytorch_tanh`); quick_gelu x sigmoid(1.702 x) (OpenAI's CLIP); silu x sigmoid(x) (EVA02).
enum class Activation { identity, gelu, gelu_tanh, quick_gelu, relu, silu };

namespace simd {
using couplet::Activation;
}
namespace ops {
using couplet::Activation;
}

}  // namespace couplet::inline COUPLET_ABI
