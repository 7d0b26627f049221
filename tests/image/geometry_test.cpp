#include "couplet/image/geometry.hpp"

#include <gtest/gtest.h>

#include "image/golden.hpp"

namespace couplet::image {
namespace {

TEST(Geometry, ResizesByHand) {
  EXPECT_EQ(shortest_edge_size({333, 500}, 224), (Size{224, 336}));
  EXPECT_EQ(shortest_edge_size({500, 333}, 224), (Size{336, 224}));
  EXPECT_EQ(shortest_edge_size({9, 9}, 224), (Size{224, 224}));
  EXPECT_EQ(keep_ratio_size({100, 200}, {48, 48}, true), (Size{24, 48}));
  EXPECT_EQ(keep_ratio_size({1, 300}, {48, 48}, true), (Size{0, 48}));
  EXPECT_THROW(shortest_edge_size({1, 16384}, 16384 * 8), std::invalid_argument);
  EXPECT_THROW(shortest_edge_size({0, 5}, 3), std::invalid_argument);
}

TEST(Geometry, CropsByHand) {
  for (const Pipeline p : {Pipeline::transformers_pil, Pipeline::transformers_torchvision, Pipeline::open_clip})
    EXPECT_EQ(center_crop_axis(10, 4, p), (CropAxis{0, 0, 3}));
  EXPECT_EQ(center_crop_axis(7, 4, Pipeline::transformers_pil).offset, 1);
  EXPECT_EQ(center_crop_axis(7, 4, Pipeline::open_clip).offset, 2);  // round(1.5)
  EXPECT_EQ(center_crop_axis(9, 4, Pipeline::open_clip).offset, 2);  // round(2.5)
  EXPECT_EQ(center_crop_axis(4, 7, Pipeline::transformers_pil), (CropAxis{2, 1, 0}));
  EXPECT_EQ(center_crop_axis(4, 7, Pipeline::open_clip), (CropAxis{1, 2, 0}));
}

TEST(Geometry, EqualsTheGoldenSizes) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const io::Json golden = test::golden_json("geometry.json");
  const auto pair = [](const io::Json& row, const char* key) {
    const auto& items = row.find(key)->items();
    return Size{static_cast<int>(items[0].as_integer()), static_cast<int>(items[1].as_integer())};
  };
  int total = 0;
  const auto source = [](const io::Json& row) { return Size{test::number(row, "height"), test::number(row, "width")}; };
  for (const io::Json& row : golden.find("resize_shortest")->items()) {
    EXPECT_EQ(shortest_edge_size(source(row), test::number(row, "shortest_edge")), pair(row, "out"));
    ++total;
  }
  for (const bool longest : {true, false})
    for (const io::Json& row :
         golden.find(longest ? "resize_longest" : "resize_shortest_open_clip_nonsquare")->items()) {
      EXPECT_EQ(keep_ratio_size(source(row), pair(row, "target"), longest), pair(row, "out"));
      ++total;
    }
  std::cout << total << " sizes compared\n";
  EXPECT_EQ(total, 3 * 164);
}

TEST(Geometry, EqualsTheGoldenCrops) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const io::Json golden = test::golden_json("geometry.json");
  const std::pair<const char*, Pipeline> rules[] = {{"transformers_pil", Pipeline::transformers_pil},
                                                    {"transformers_torchvision", Pipeline::transformers_torchvision},
                                                    {"torchvision_v1_shortest", Pipeline::open_clip},
                                                    {"open_clip_longest", Pipeline::open_clip}};
  int total = 0;
  for (const io::Json& row : golden.find("center_crop")->items())
    for (const auto& [name, pipeline] : rules)
      for (const bool rows : {true, false}) {
        const io::Json& axis = *row.find(name)->find(rows ? "rows" : "columns");
        const CropAxis expected{test::number(axis, "pad_before"), test::number(axis, "pad_after"),
                                test::number(axis, "offset")};
        const int n = test::number(row, rows ? "height" : "width");
        const int crop = static_cast<int>(row.find("crop")->items()[rows ? 0 : 1].as_integer());
        EXPECT_EQ(center_crop_axis(n, crop, pipeline), expected) << name << " " << n << " to " << crop;
        ++total;
      }
  std::cout << total << " crop axes compared\n";
  EXPECT_EQ(total, 50 * 8);
}

}  // namespace
}  // namespace couplet::image
