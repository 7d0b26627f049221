#pragma once
/// How a layer brings a weight into the form that products read.
#include "couplet/nn/parameter.hpp"
#include "couplet/ops/half_matrix.hpp"
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

/// The same for a table of embeddings (V, C), which products do not read: with Packing::only it lives in 16 bits where
/// that loses nothing, as for files in these types, and stays as it is where it would.
template <class T>
void prepare_table(Parameter<T>& table, ops::HalfMatrix& packed, Packing packing) {
  if (packing == Packing::only && table.value.dropped() && table.source == nullptr) return;
  if (packing != Packing::only) table.value.require_kept();
  packed.release();
  if constexpr (std::is_same_v<T, float>) {
    const auto part = [&](Index first, Index count) { return table.part_to_pack(first, count); };
    if (packing == Packing::only && packed.assign(table.shape[0], table.shape[1], part)) table.drop();
  }
}

}  // namespace couplet::inline COUPLET_ABI::nn
