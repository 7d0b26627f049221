#include "couplet/pretrained/tensor_read.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "couplet/checkpoint/safetensors_writer.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using checkpoint::Form;
using Reads = std::vector<pretrained::detail::TensorRead<float>>;

/// A file with `a` (2, 3) = 0 ... 5 and `b`, 300,000 numbers, more than are read at a time.
class WrittenTensors {
 public:
  WrittenTensors() {
    std::iota(b.begin(), b.end(), 0.0F);
    checkpoint::save_safetensors(folder_.path("model.safetensors"),
                                 {checkpoint::tensor_record("a", checkpoint::DType::f32, {2, 3}, b.data()),
                                  checkpoint::tensor_record("b", checkpoint::DType::f32, {300000}, b.data())});
  }
  [[nodiscard]] checkpoint::Checkpoint open() const { return checkpoint::open_checkpoint(folder_.path()); }

  std::vector<float> b = std::vector<float>(300000);

 private:
  test::TemporaryDirectory folder_;
};

TEST(TensorRead, ReadsPartsAndTransposedTensors) {
  const auto file = WrittenTensors().open();
  Parameter<float> halves(Shape{4, 3}), turned(Shape{3, 2});
  pretrained::detail::read_tensors<float>(file, Reads{{file.find("a"), Form::same, &halves, 0},
                                                      {file.find("a"), Form::same, &halves, 6},
                                                      {file.find("a"), Form::transposed, &turned}});
  EXPECT_EQ(halves.matrix()(1, 2), 5);
  EXPECT_EQ(halves.matrix()(3, 1), 4);
  EXPECT_EQ(turned.matrix()(2, 1), 5);
  EXPECT_EQ(turned.matrix()(0, 1), 3);
}

TEST(TensorRead, WaitingParametersAreReadWhenTheyAreAskedFor) {
  const WrittenTensors written;
  const auto file = written.open();
  Parameter<float> large(Shape{300000}), turned(Shape{3, 2}), pair(Shape{4, 3});
  const Reads reads{{file.find("b"), Form::same, &large},
                    {file.find("a"), Form::transposed, &turned},
                    {file.find("a"), Form::same, &pair, 0},
                    {file.find("a"), Form::same, &pair, 6}};
  {
    pretrained::detail::WaitingParameters<float> waiting(file, reads);
    EXPECT_EQ(large.part_to_pack(280000, 20000)[19999], 299999);
    EXPECT_EQ(pair.part_to_pack(4, 5)[1], 5);  // the last of the first tensor
    EXPECT_EQ(pair.part_to_pack(4, 5)[2], 0);
    EXPECT_EQ(turned.part_to_pack(5, 1)[0], 5);
    const auto values = large.matrix_to_pack();
    EXPECT_TRUE(std::equal(written.b.begin(), written.b.end(), values.data()));
    EXPECT_EQ(large.vector()[7], 0);  // not kept
    EXPECT_EQ(turned.matrix_to_pack()(2, 1), 5);
    waiting.read_rest();
    EXPECT_EQ(pair.matrix()(3, 1), 4);
    EXPECT_EQ(turned.matrix()(2, 1), 0);  // was asked for already
    EXPECT_NE(pair.source, nullptr);
  }
  EXPECT_EQ(pair.source, nullptr);
}

}  // namespace
