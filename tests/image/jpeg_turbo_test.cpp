#include "couplet/image/jpeg_turbo.hpp"

#include <gtest/gtest.h>

#include "image/samples.hpp"
#include "support/file_errors.hpp"

namespace couplet::image {
namespace {

#if defined(COUPLET_HAVE_LIBJPEG)
TEST(JpegTurbo, GivesTheSamplesOfTheFile) {
  const std::string grey = test::grey_jpeg().bytes();
  const turbo::Samples samples = turbo::decode(test::bytes(grey), "");
  EXPECT_EQ(samples.channels, 1);
  EXPECT_EQ(samples.data[0], 118);
  EXPECT_EQ(samples.data[16 * 15 + 15], 228);
  const std::string color = test::color_jpeg().bytes();
  EXPECT_EQ(turbo::decode(test::bytes(color), "").channels, 3);
}

TEST(JpegTurbo, TurnsErrorsAndLostDataIntoExceptions) {
  EXPECT_NE(test::file_error_of([] { turbo::decode({}, "x"); }), "");
  EXPECT_EQ(test::file_error_of([] { turbo::decode(test::bytes("no JPEG at all"), "x.jpg"); }).find("x.jpg: JPEG: "),
            0u);
  test::JpegParts jpeg = test::grey_jpeg();
  jpeg.height = 64;  // far more rows than the data holds
  const std::string text = jpeg.bytes();
  EXPECT_NE(test::file_error_of([&] { turbo::decode(test::bytes(text), "x.jpg"); }), "");
}
#else
TEST(JpegTurbo, IsNotInstalled) { GTEST_SKIP() << "built without libjpeg"; }
#endif

}  // namespace
}  // namespace couplet::image
