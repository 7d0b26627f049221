#include "couplet/search/embedding_file.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::search {
namespace {

Tensor<float, 2> matrix(Index rows, Index columns) {
  Tensor<float, 2> values({rows, columns});
  for (Index i = 0; i < values.size(); ++i) values.data()[i] = static_cast<float>(i) * 0.25F - 3.0F;
  return values;
}

class EmbeddingFileTest : public testing::Test {
 protected:
  /// The message for a file with these tensors and metadata.
  std::string refusal(const std::vector<std::int64_t>& shape, const std::vector<float>& values,
                      const checkpoint::Metadata& metadata, const std::string& name = "image_embeds") {
    checkpoint::save_safetensors(path_, {checkpoint::tensor_record(name, checkpoint::DType::f32, shape, values.data())},
                                 metadata);
    return test::file_error_of([&] { (void)load_embeddings(path_, "image_embeds"); });
  }
  test::TemporaryDirectory folder_;
  std::string path_ = folder_.path("e.safetensors");
};

TEST_F(EmbeddingFileTest, ReadsBackWhatWasWritten) {
  const auto values = matrix(3, 5);
  const std::vector<std::string> items{"a.png", "sub/b \"quoted\".png", "\xc3\xa4\n"};
  save_embeddings(path_, "text_embeds", values, items);
  const Embeddings back = load_embeddings(path_, "text_embeds");
  EXPECT_EQ(back.items, items);
  ASSERT_EQ(back.values.shape(), Shape({3, 5}));
  EXPECT_TRUE(std::equal(values.data(), values.data() + 15, back.values.data()));
}

TEST_F(EmbeddingFileTest, KeepsAnEmptyMatrix) {
  save_embeddings(path_, "image_embeds", matrix(0, 7), {});
  EXPECT_EQ(load_embeddings(path_, "image_embeds").values.shape(), Shape({0, 7}));
}

TEST_F(EmbeddingFileTest, HasItemsAsAJsonList) {
  save_embeddings(path_, "image_embeds", matrix(2, 1), {"a", "b"});
  const checkpoint::SafetensorsFile file(path_);
  ASSERT_NE(file.find_metadata("items"), nullptr);
  EXPECT_EQ(*file.find_metadata("items"), "[\"a\",\"b\"]");
  EXPECT_EQ(file.tensors().size(), 1u);
}

TEST_F(EmbeddingFileTest, RefusesFilesThatAreNoEmbeddings) {
  const checkpoint::Metadata two{{"items", R"(["a","b"])"}};
  EXPECT_EQ(refusal({2, 2}, {1, 2, 3, 4}, two), "");
  EXPECT_NE(refusal({2, 2}, {1, 2, 3, 4}, two, "text_embeds").find("expected a tensor 'image_embeds'"),
            std::string::npos);
  EXPECT_NE(refusal({4}, {1, 2, 3, 4}, two).find("shape (N, E)"), std::string::npos);
  EXPECT_NE(refusal({2, 0}, {}, two).find("shape (N, E)"), std::string::npos);
  EXPECT_NE(refusal({2, 2}, {1, 2, 3, 4}, {}).find("'items'"), std::string::npos);
  for (const char* items : {R"(["a"])", R"(["a","b","c"])", R"({"a":1})", R"(["a",1])", "[", "null"}) {
    EXPECT_NE(refusal({2, 2}, {1, 2, 3, 4}, {{"items", items}}), "") << items;
  }
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinity, -infinity, 2e15F, -3e38F}) {
    EXPECT_NE(refusal({2, 2}, {1, 2, 3, bad}, two).find("item 1 is not a finite number"), std::string::npos) << bad;
  }
}

TEST_F(EmbeddingFileTest, NoticesEveryChangedByteOfItemsAndValues) {
  save_embeddings(path_, "image_embeds", matrix(3, 3), {"a", "b", "c"});
  const std::string good = io::read_file(path_, 1 << 20);
  const Embeddings expected = load_embeddings(path_, "image_embeds");
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    std::ofstream(path_, std::ios::binary) << bad;
    Embeddings found;
    const std::string message = test::file_error_of([&] { found = load_embeddings(path_, "image_embeds"); });
    if (message.empty()) {  // a byte that carries nothing: the key of the checksum
      EXPECT_EQ(found.items, expected.items) << at;
      EXPECT_TRUE(std::equal(found.values.data(), found.values.data() + 9, expected.values.data())) << at;
    }
    EXPECT_FALSE(message.empty() && at + 36 >= good.size()) << at;
  }
  for (std::size_t size = 0; size < good.size(); size += 7) {
    std::ofstream(path_, std::ios::binary) << good.substr(0, size);
    EXPECT_NE(test::file_error_of([&] { (void)load_embeddings(path_, "image_embeds"); }), "") << size;
  }
}

TEST_F(EmbeddingFileTest, RefusesToWriteWhatItWouldNotRead) {
  EXPECT_THROW(save_embeddings(path_, "image_embeds", matrix(2, 2), {"a"}), std::invalid_argument);
  auto values = matrix(2, 2);
  values(1, 0) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(save_embeddings(path_, "image_embeds", values, {"a", "b"}), std::invalid_argument);
  EXPECT_EQ(folder_.entries(), 0u);
}

}  // namespace
}  // namespace couplet::search
