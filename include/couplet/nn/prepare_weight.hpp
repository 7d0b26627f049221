#pragma once
/// How a layer brings a weight into the form that products read.
#include "couplet/nn/parameter.hpp"
#include "couplet/ops/linear.hpp"

namespace couplet::inline COUPLET_ABI::nn {

using ops::Packing;

/// pack(weight (O, everything else)) puts it into `packed`, one of the forms that it makes. With Packing::only the
/// weight is dropped then; once that is done, doing it again changes nothing, and anything else is refused.
template <class T, class Pack>
void prepare_weight(Parameter<T>& weight, const ops::PackedWeight<T>& packed, Precision precision, Packing packing,
                    const Pack& pack) {
  if (packing != Packing::only) return pack(std::as_const(weight).matrix());
  if (weight.value.dropped() && weight.source == nullptr && packed.holds(precision)) return;
  pack(weight.matrix_to_pack());
  weight.drop();
}

/// The same for a weight with one packed form.
template <class T>
void prepare_weight(Parameter<T>& weight, ops::PackedWeight<T>& packed, Precision precision, Packing packing) {
  prepare_weight(weight, packed, precision, packing,
                 [&](TensorView<const T, 2> matrix) { packed.pack(matrix, precision, packing); });
}

}  // namespace couplet::inline COUPLET_ABI::nn
