#include "couplet/data/image_text_list.hpp"

#include <gtest/gtest.h>

#include <string>

#include "couplet/io/file.hpp"
#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace couplet::data {
namespace {

class ImageTextListTest : public testing::Test {
 protected:
  ImageTextList open(const std::string& text, const ListOptions& options = {}) {
    io::write_file(path_, text);
    return ImageTextList(path_, options);
  }
  std::string refusal(const std::string& text) {
    const std::string message = test::file_error_of([&] { open(text); });
    return message.substr(std::min(message.size(), path_.size() + 2));
  }
  test::TemporaryDirectory folder_;
  std::string path_ = folder_.path("list.csv");
};

TEST_F(ImageTextListTest, ReadsOpenClipsColumns) {
  io::write_file(folder_.path("a.png"), "A");
  const ImageTextList list = open("url\tfilepath\ttitle\nx\ta.png\ta cat, sitting\ny\t/abs/b.png\t\n");
  ASSERT_EQ(list.size(), 2);
  const Sample a = list.sample(0), b = list.annotation(1);
  EXPECT_EQ(a.key, "a.png");
  EXPECT_EQ(a.source, folder_.path("a.png"));
  EXPECT_EQ(a.image_bytes, "A");
  EXPECT_EQ(a.captions, std::vector<std::string>{"a cat, sitting"});
  EXPECT_FALSE(a.label);
  EXPECT_EQ(b.source, "/abs/b.png");
  EXPECT_EQ(b.captions, std::vector<std::string>{""});
}

TEST_F(ImageTextListTest, ReadsCommasQuotesAndLabels) {
  const ImageTextList list = open("filepath,label,title\n\"a,1.png\",3,\"a \"\"cat\"\"\"\nb.png,,dog\n");
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list.annotation(0).key, "a,1.png");
  EXPECT_EQ(list.annotation(0).captions[0], "a \"cat\"");
  EXPECT_EQ(list.annotation(0).label, 3);
  EXPECT_FALSE(list.annotation(1).label);
  EXPECT_TRUE(open("filepath,label\na.png,0\n").annotation(0).captions.empty());
}

TEST_F(ImageTextListTest, TakesRowsOfOnePathForCaptionsOfOnePicture) {
  const ImageTextList list = open("filepath,title,label\na.png,a cat,3\nb.png,a dog,\na.png,a cat on a mat,\n");
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list.annotation(0).captions, (std::vector<std::string>{"a cat", "a cat on a mat"}));
  EXPECT_EQ(list.annotation(0).label, 3);
  EXPECT_EQ(list.annotation(1).captions, std::vector<std::string>{"a dog"});
  EXPECT_EQ(refusal("filepath,label\na.png,1\na.png,2\n"), "line 3: 'a.png' has the labels 1 and 2");
}

TEST_F(ImageTextListTest, TakesOtherNamesAndSeparators) {
  const ImageTextList list =
      open("img;cap\na.png;b,c\n", {.image_column = "img", .caption_column = "cap", .separator = ';'});
  EXPECT_EQ(list.annotation(0).captions[0], "b,c");
}

TEST_F(ImageTextListTest, NamesLineAndReasonOfARefusal) {
  EXPECT_EQ(refusal(""), "line 1: expected a header line with the column 'filepath'");
  EXPECT_EQ(refusal("path,title\n"), "line 1: expected a column 'filepath' (separated by tabs or commas)");
  EXPECT_EQ(refusal("filepath,x\n"), "line 1: expected a column 'title' or 'label'");
  EXPECT_EQ(refusal("filepath,title,title\n"), "line 1: two columns are called 'title'");
  EXPECT_EQ(refusal("filepath,title\na.png,b\nc.png\n"), "line 3: expected 2 fields, found 1");
  EXPECT_EQ(refusal("filepath,title\na.png,b,c\n"), "line 2: expected 2 fields, found 3");
  EXPECT_EQ(refusal("filepath,title\n,b\n"), "line 2: 'filepath' is empty");
  EXPECT_EQ(refusal("filepath,label\na,x\n"), "line 2: expected the index of a class, found 'x'");
  EXPECT_EQ(refusal("filepath,label\na,-2\n"), "line 2: expected the index of a class, found '-2'");
}

TEST_F(ImageTextListTest, ReportsAPictureThatIsMissingWhenItIsRead) {
  const ImageTextList list = open("filepath,title\nmissing.png,b\n");
  EXPECT_NE(test::file_error_of([&] { (void)list.sample(0); }).find("missing.png"), std::string::npos);
  EXPECT_THROW((void)list.sample(1), std::invalid_argument);
}

}  // namespace
}  // namespace couplet::data
