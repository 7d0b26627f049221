#include "couplet/image/resize.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "couplet/image/decode.hpp"
#include "image/golden.hpp"

namespace couplet::image {
namespace {

using test::noise_image;

// ---- a slow statement of the rules, in plain double arithmetic

double kernel(Filter filter, double x) {
  const double t = std::fabs(x), pi = std::acos(-1.0);
  const auto sinc = [pi](double v) { return v == 0 ? 1.0 : std::sin(v * pi) / (v * pi); };
  switch (filter) {
    case Filter::box:
      return x > -0.5 && x <= 0.5 ? 1 : 0;
    case Filter::bilinear:
      return t < 1 ? 1 - t : 0;
    case Filter::hamming:
      return t < 1 ? sinc(t) * (0.54 + 0.46 * std::cos(t * pi)) : 0;
    case Filter::bicubic:
      return t < 1 ? (1.5 * t - 2.5) * t * t + 1 : t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5 : 0;
    case Filter::lanczos:
      return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
    default:
      return 0;
  }
}

std::vector<std::vector<double>> weights(int n, int out, Filter filter) {
  const double supports[] = {0, 3, 1, 2, 0.5, 1};
  const double scale = double(n) / out, stretch = std::max(scale, 1.0);
  const double support = supports[int(filter)] * stretch, inverse = 1 / stretch;
  std::vector<std::vector<double>> table;
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    std::vector<double> row(std::size_t(n), 0.0);
    double sum = 0;
    const int low = std::max(int(center - support + 0.5), 0), high = std::min(int(center + support + 0.5), n);
    for (int k = low; k < high; ++k) sum += row[std::size_t(k)] = kernel(filter, (k - center + 0.5) * inverse);
    if (sum != 0)
      for (double& w : row) w /= sum;
    table.push_back(row);
  }
  return table;
}

/// One pass over rows (axis 0) or columns (axis 1) of (H, W, 3).
Image slow_pass(const Image& in, int out, Filter filter, ResizeEngine engine, int axis) {
  const int n = axis == 0 ? in.height : in.width;
  if (n == out) return in;
  const auto table = weights(n, out, filter);
  int bits = 22;
  if (engine == ResizeEngine::torchvision) {
    double most = 0;
    for (const auto& row : table)
      for (const double w : row) most = std::max(most, w);
    for (bits = 0; bits < 22 && int(0.5 + most * (1 << (bits + 1))) < (1 << 15);) ++bits;
  }
  Image result{axis == 0 ? in.width : out, axis == 0 ? out : in.height, {}};
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x)
      for (int c = 0; c < 3; ++c) {
        std::int64_t sum = std::int64_t{1} << (bits - 1);
        for (int k = 0; k < n; ++k) {
          const double w = table[std::size_t(axis == 0 ? y : x)][std::size_t(k)];
          const auto integer = std::int64_t(w * (1 << bits) + (w < 0 ? -0.5 : 0.5));
          sum += integer * in.pixels[std::size_t(((axis == 0 ? k : y) * in.width + (axis == 0 ? x : k)) * 3 + c)];
        }
        result.pixels.push_back(std::uint8_t(std::clamp<std::int64_t>(sum >> bits, 0, 255)));
      }
  return result;
}

Image slow_resize(const Image& in, int height, int width, const ResizeOptions& options) {
  const bool vertical =
      options.order == PassOrder::pillow13 && height < in.height && in.height - height > 2 * (in.width - width);
  const Image half = slow_pass(in, vertical ? height : width, options.filter, options.engine, vertical ? 0 : 1);
  return slow_pass(half, vertical ? width : height, options.filter, options.engine, vertical ? 1 : 0);
}

constexpr Filter smooth_filters[] = {Filter::lanczos, Filter::bilinear, Filter::bicubic, Filter::box, Filter::hamming};

TEST(Resize, EqualsTheSlowStatementOfTheRules) {
  std::uint32_t state = 1;
  const auto side = [&state](int most) {
    state = state * 1664525u + 1013904223u;
    return 1 + int(state >> 16) % most;
  };
  for (int trial = 0; trial < 300; ++trial) {
    const Image in = noise_image(side(60), side(60), state);
    const int height = side(50), width = side(50);
    const ResizeOptions options{smooth_filters[trial % 5], PassOrder(trial / 5 % 2), ResizeEngine(trial / 10 % 2)};
    EXPECT_EQ(resize(in, height, width, options), slow_resize(in, height, width, options))
        << name(options.filter) << " " << in.height << "x" << in.width << " to " << height << "x" << width;
  }
}

TEST(Resize, WindowsAreCropsOfTheWholeResult) {
  const Image in = noise_image(41, 57, 5);
  Image with_alpha = in;
  with_alpha.alpha = test::noise(41 * 57, 6);
  for (const Filter filter : {Filter::nearest, Filter::bilinear, Filter::bicubic, Filter::lanczos})
    for (const auto& [height, width] : {std::pair{20, 31}, {41, 30}, {41, 57}, {70, 57}, {80, 90}, {3, 57}})
      for (const PassOrder order : {PassOrder::horizontal_first, PassOrder::pillow13})
        for (const ResizeEngine engine : {ResizeEngine::pillow, ResizeEngine::torchvision})
          for (const Image& image : {in, with_alpha}) {
            const ResizeOptions options{filter, order, engine};
            const Window window{height / 3, width / 4, height - height / 3 - height / 5, width / 2};
            const Image whole = resize(image, height, width, options);
            EXPECT_EQ(resize_window(image, height, width, window, options), crop(whole, window))
                << name(filter) << " " << height << "x" << width;
          }
}

TEST(Resize, HalvesByHand) {
  const Image in{4, 1, {0, 0, 0, 10, 0, 0, 20, 100, 0, 30, 101, 255}};
  EXPECT_EQ(resize(in, 1, 2, {Filter::box}).pixels, (std::vector<std::uint8_t>{5, 0, 0, 25, 101, 128}));
  EXPECT_EQ(resize(in, 1, 2, {Filter::nearest}).pixels, (std::vector<std::uint8_t>{10, 0, 0, 30, 101, 255}));
  EXPECT_EQ(resize(in, 2, 4, {Filter::bilinear}).height, 2);
}

TEST(Resize, KeepsAConstantImageConstant) {
  for (const int value : {0, 1, 127, 254, 255})
    for (const Filter filter : smooth_filters) {
      const Image in{37, 23, std::vector<std::uint8_t>(37 * 23 * 3, std::uint8_t(value))};
      const Image out = resize(in, 51, 8, {filter});
      EXPECT_EQ(out.pixels, std::vector<std::uint8_t>(51 * 8 * 3, std::uint8_t(value))) << name(filter);
    }
}

TEST(Resize, NearestAddsTheStepAgainAndAgain) {
  Image in{49, 1, {}};
  for (int x = 0; x < 49; ++x) in.pixels.insert(in.pixels.end(), 3, std::uint8_t(x));
  const Image out = resize(in, 1, 30, {Filter::nearest});
  double position = 49.0 / 30.0 * 0.5;
  for (std::size_t x = 0; x < 30; ++x, position += 49.0 / 30.0) EXPECT_EQ(out.pixels[3 * x], int(position)) << x;
}

TEST(Resize, PremultipliesAlpha) {
  const Image in{2, 1, {200, 0, 0, 0, 0, 0}, {255, 0}};
  const Image out = resize(in, 1, 1, {Filter::box});
  EXPECT_EQ(out.alpha, (std::vector<std::uint8_t>{128}));
  EXPECT_EQ(out.pixels, (std::vector<std::uint8_t>{199, 0, 0}));  // 255 * 100 / 128: red stays red
}

TEST(Resize, RefusesEmptySizesAndForeignWindows) {
  const Image in = noise_image(4, 4, 1);
  EXPECT_THROW(resize(in, 0, 4), std::invalid_argument);
  EXPECT_THROW(resize(in, 4, -1), std::invalid_argument);
  EXPECT_THROW(resize(in, 50000, 50000), std::invalid_argument);
  EXPECT_THROW(resize(Image{4, 4, {}}, 2, 2), std::invalid_argument);
  EXPECT_THROW(resize_window(in, 4, 4, {0, 2, 4, 3}), std::invalid_argument);
  EXPECT_THROW(resize_window(in, 4, 4, {-1, 0, 1, 1}), std::invalid_argument);
  EXPECT_THROW(resize_window(in, 4, 4, {0, 0, 1, 2147483647}), std::invalid_argument);
  Image ragged = in;
  ragged.alpha = {1, 2};
  EXPECT_THROW(resize(ragged, 2, 2), std::invalid_argument);
}

TEST(Resize, EqualsTheGoldenFilesByteForByte) {
  COUPLET_NEEDS_GOLDEN_IMAGES();
  const io::Json index = test::golden_json("index.json");
  const test::GoldenTensors tensors("resize.safetensors");
  int equal = 0, total = 0, skipped = 0;
  for (const io::Json& entry : index.find("resize")->items()) {
    const std::string mode = test::text(entry, "pillow_mode");
    if (mode == "CMYK" || mode == "I;16") {  // resized by Pillow as four channels, and in 16 bits
      ++skipped;
      continue;
    }
    const Image image = decode_file(test::golden_images() + "/input/" + test::text(entry, "input"),
                                    {.transparency = Transparency::keep});
    ResizeOptions options{Filter(test::number(entry, "resample")), PassOrder::pillow13};
    if (image.indexed) options.filter = Filter::nearest;
    const auto check = [&](const char* key, PassOrder order) {
      options.order = order;
      const Image out = resize(image, test::number(entry, "height"), test::number(entry, "width"), options);
      const bool same = test::equal(out.pixels, tensors.bytes(test::text(entry, key)));
      ++total;
      equal += same ? 1 : 0;
      EXPECT_TRUE(same) << test::text(entry, key);
    };
    check("tensor", PassOrder::pillow13);
    if (test::has(entry, "tensor_horizontal_first")) check("tensor_horizontal_first", PassOrder::horizontal_first);
  }
  std::cout << "resize: " << equal << " of " << total << " equal, " << skipped << " not modelled\n";
  EXPECT_GT(total, 100);
}

}  // namespace
}  // namespace couplet::image
