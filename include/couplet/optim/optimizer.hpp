#pragma once
/// What AdamW and Lion have in common: the list of stepped parameters, their state tensors, the checks, the walk.
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "couplet/core/parallel.hpp"
#include "couplet/nn/parameter.hpp"
#include "couplet/optim/weight_decay.hpp"

namespace couplet::inline COUPLET_ABI::optim {

/// Steps the trainable parameters of one model. Borrows them: the model must stay where it is, keep its shapes, and
/// outlive the optimiser. A parameter that is frozen when the optimiser is made has no state and is never stepped; one
/// that is frozen later keeps its state and stays put while frozen.
template <class T>
class Optimizer {
 public:
  /// Steps taken so far.
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// For a run that is resumed, together with visit_state().
  void set_steps(std::int64_t steps) {
    if (steps < 0) fail(name_, "steps must not be negative: " + std::to_string(steps));
    steps_ = steps;
  }

  /// Gradients of all trainable parameters exist and are zero.
  void zero_grad() {
    for (auto& slot : slots_) slot.parameter->zero_grad();
  }

  /// The learning rate of each parameter is multiplied by f(name): layer-wise decay. std::invalid_argument: f gives a
  /// number that is negative or not finite.
  template <class F>
  void scale_learning_rates(F&& f) {
    for (auto& slot : slots_) {
      const double scale = f(std::string_view(slot.name));
      if (!(scale >= 0 && scale < 1e30)) fail(name_, slot.name + ": learning-rate factor " + std::to_string(scale));
      slot.lr_scale = scale;
    }
  }

  /// The state tensors, in the order of visit_parameters: f("NAME.exp_avg", shape, TensorView<T, 1>), and so on. With
  /// steps() they are the whole state.
  template <class F>
  void visit_state(F&& f) {
    for (auto& slot : slots_) {
      for (std::size_t i = 0; i < slot.state.size(); ++i) {
        f(slot.name + "." + state_names_[i], slot.parameter->shape,
          TensorView<T, 1>(slot.state[i].data(), {slot.state[i].size()}));
      }
    }
  }

  /// f(name, decays): the parameters that are stepped and whether weight decay acts on them.
  template <class F>
  void visit_groups(F&& f) const {
    for (const auto& slot : slots_) f(slot.name, slot.decays);
  }

 protected:
  struct Slot {
    std::string name;
    Parameter<T>* parameter;
    std::vector<AlignedBuffer<T>> state;
    bool decays;
    double lr_scale = 1;
  };

  /// name: of the algorithm, for errors   state_names: of its tensors per parameter.
  template <class Model>
  Optimizer(const char* name, std::initializer_list<const char*> state_names, Model& model)
      : name_(name), state_names_(state_names) {
    model.visit_parameters([&](std::string_view parameter_name, Parameter<T>& parameter) {
      if (parameter.trainable)
        add(parameter_name, parameter);
      else
        frozen_.emplace_back(std::string(parameter_name), &parameter);
    });
  }
  ~Optimizer() = default;
  Optimizer(Optimizer&&) noexcept = default;
  Optimizer& operator=(Optimizer&&) noexcept = default;

  /// Counts one step and calls update(slot, begin, end) for ranges that cover all elements of all parameters, in
  /// parallel. Nothing changes if a check fails.
  template <class Update>
  void for_each_chunk(Update&& update) {
    parallel_for(static_cast<Index>(chunks_.size()), [&](Index i) {
      const Chunk& chunk = chunks_[static_cast<std::size_t>(i)];
      Slot& slot = slots_[chunk.slot];
      if (slot.parameter->trainable) update(slot, chunk.begin, chunk.end);
    });
  }
  void begin_step() {
    check();
    ++steps_;
  }

 private:
  struct Chunk {
    std::size_t slot;
    Index begin, end;
  };
  static constexpr Index chunk_size = Index{1} << 15;  ///< elements per task: 512 KiB of float in AdamW's four arrays

  void add(std::string_view name, Parameter<T>& parameter) {
    for (Index begin = 0; begin < parameter.size(); begin += chunk_size) {
      chunks_.push_back({slots_.size(), begin, std::min(begin + chunk_size, parameter.size())});
    }
    std::vector<AlignedBuffer<T>> state(state_names_.size());
    for (auto& each : state) each.resize(parameter.size());
    slots_.push_back({std::string(name), &parameter, std::move(state), has_weight_decay(name, parameter.shape)});
  }

  void check() const {
    for (const auto& slot : slots_) {
      if (!slot.parameter->trainable) continue;
      if (slot.parameter->size() != slot.state.front().size()) {
        fail(name_, slot.name + " has " + std::to_string(slot.parameter->size()) + " elements but its moments have " +
                        std::to_string(slot.state.front().size()));
      }
      if (!slot.parameter->has_grad()) fail(name_, slot.name + " has no gradient: call zero_grad() before backward");
    }
    for (const auto& [name, parameter] : frozen_) {
      if (parameter->trainable) fail(name_, name + " was frozen when the optimiser was made: make a new one");
    }
  }

  const char* name_;
  std::vector<const char*> state_names_;
  std::int64_t steps_ = 0;
  std::vector<Slot> slots_;
  std::vector<Chunk> chunks_;
  std::vector<std::pair<std::string, const Parameter<T>*>> frozen_;
};

namespace detail {

/// The ranges that both algorithms ask for.
inline void check_options(const char* op, double beta1, double beta2, double weight_decay) {
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1)) {
    fail(op, "betas must be in [0, 1): " + std::to_string(beta1) + ", " + std::to_string(beta2));
  }
  if (!(weight_decay >= 0)) fail(op, "weight_decay must not be negative: " + std::to_string(weight_decay));
}

}  // namespace detail

}  // namespace couplet::inline COUPLET_ABI::optim
