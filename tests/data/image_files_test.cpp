#include "couplet/data/image_files.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::data {
namespace {

TEST(ImageFiles, ListsAFolderInByteOrder) {
  const test::TemporaryDirectory folder;
  std::filesystem::create_directories(folder.path("sub/deep"));
  std::filesystem::create_directories(folder.path("folder.png"));
  for (const char* name : {"b.png", "B.JPG", "a.txt", "sub/deep/x.jpeg", "sub.png", "sub/a.png", "a b.png", "noext"}) {
    io::write_file(folder.path(name), name);
  }
  std::filesystem::create_directory_symlink(folder.path(), folder.path("sub/loop"));
  EXPECT_EQ(list_pictures(folder.path()),
            (std::vector<std::string>{"B.JPG", "a b.png", "b.png", "sub.png", "sub/a.png", "sub/deep/x.jpeg"}));
  EXPECT_EQ(list_pictures(folder.path() + "/").size(), 6u);
  const auto files = ImageFiles::in_folder(folder.path());
  ASSERT_EQ(files->size(), 6);
  EXPECT_EQ(files->sample(4).image_bytes, "sub/a.png");
  EXPECT_EQ(files->sample(4).key, "sub/a.png");
  EXPECT_EQ(files->annotation(4).source, folder.path("sub/a.png"));
  EXPECT_TRUE(files->annotation(4).captions.empty());
}

TEST(ImageFiles, RefusesAFolderThatIsNotThere) {
  const test::TemporaryDirectory folder;
  EXPECT_NE(test::file_error_of([&] { (void)list_pictures(folder.path("missing")); }), "");
}

TEST(ImageFiles, KeepsAListAsGiven) {
  const test::TemporaryDirectory folder;
  io::write_file(folder.path("z.png"), "Z");
  const ImageFiles files({folder.path("z.png"), folder.path("missing.png")});
  ASSERT_EQ(files.size(), 2);
  EXPECT_EQ(files.sample(0).image_bytes, "Z");
  EXPECT_EQ(files.sample(0).key, folder.path("z.png"));
  EXPECT_NE(test::file_error_of([&] { (void)files.sample(1); }), "");
}

}  // namespace
}  // namespace couplet::data
