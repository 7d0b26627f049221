#pragma once
/// What all modules have in common.
///
/// A module is a plain value that owns its parameters. `visit_parameters(f)` calls f(name, parameter) for each of them,
/// always in the same order; it is the only list of parameters: optimiser, checkpoints, freezing and tests walk it.
/// `prepare()` brings weights into the form that products read. What backward() needs from forward() lives outside, in
/// the module's `Saved`; so inference is const and re-entrant, and one set of weights can run twice before a backward.
#include <algorithm>
#include <array>
#include <concepts>
#include <string_view>

#include "couplet/nn/parameter.hpp"

namespace couplet::inline COUPLET_ABI::nn {

template <class M>
concept Module = std::movable<M> && requires(M& module) {
  module.visit_parameters([](std::string_view, auto&) {});
};

namespace detail {

/// f under names with a prefix: "attn." + "out_proj.weight". Names are put together on the stack, because a training
/// step, which walks the parameters, allocates nothing.
template <class F>
auto with_prefix(std::string_view prefix, F& f) {
  return [prefix, &f](std::string_view name, auto& parameter) {
    std::array<char, 256> full;
    if (prefix.size() + name.size() > full.size()) fail("visit_parameters", "a name of more than 256 characters");
    std::copy(name.begin(), name.end(), std::copy(prefix.begin(), prefix.end(), full.begin()));
    f(std::string_view(full.data(), prefix.size() + name.size()), parameter);
  };
}

}  // namespace detail

/// Visits the parameters of a child under a prefix.
template <class M, class F>
void visit_child(std::string_view prefix, M& child, F&& f) {
  child.visit_parameters(detail::with_prefix(prefix, f));
}

/// The same for buffers: f(name, parameter) for the tensors that belong to a model's state but that no optimiser steps,
/// the running statistics of batch norm. They are never trainable. Modules without buffers have no visit_buffers().
template <class M, class F>
void visit_child_buffers(std::string_view prefix, M& child, F&& f) {
  child.visit_buffers(detail::with_prefix(prefix, f));
}

/// Parameters, then buffers: all that a checkpoint holds.
template <class M, class F>
void visit_state(M& module, F&& f) {
  module.visit_parameters(f);
  if constexpr (requires { module.visit_buffers(f); }) module.visit_buffers(f);
}

/// Zero gradients for everything trainable.
template <class M>
void zero_grad(M& module) {
  module.visit_parameters([](std::string_view, auto& parameter) { parameter.zero_grad(); });
}

/// Freezes a module (or thaws it): a frozen parameter gets no gradient and no step.
template <class M>
void set_trainable(M& module, bool trainable) {
  module.visit_parameters([&](std::string_view, auto& parameter) {
    parameter.trainable = trainable;
    if (!trainable) parameter.grad.release();
  });
}

template <class M>
[[nodiscard]] bool any_trainable(const M& module) {
  bool any = false;
  const auto look = [&](std::string_view, const auto& parameter) { any = any || parameter.trainable; };
  const_cast<M&>(module).visit_parameters(look);  // there is one list of parameters; this visitor only reads
  return any;
}

/// The number of elements of all parameters.
template <class M>
[[nodiscard]] Index count_parameters(M& module) {
  Index count = 0;
  module.visit_parameters([&](std::string_view, auto& parameter) { count += parameter.size(); });
  return count;
}

}  // namespace couplet::inline COUPLET_ABI::nn
