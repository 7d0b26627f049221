#include "couplet/data/separated_values.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/file_errors.hpp"

namespace couplet::data {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows rows(std::string_view text, char separator = ',') {
  const std::string source = "list.csv";
  SeparatedValues table(text, source, separator);
  Rows all;
  std::vector<std::string> fields;
  while (table.next(fields)) all.push_back(fields);
  return all;
}

TEST(SeparatedValues, SplitsLinesAndFields) {
  EXPECT_EQ(rows("a,b\nc,d\n"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(rows("a,b\r\nc,d"), (Rows{{"a", "b"}, {"c", "d"}}));
  EXPECT_EQ(rows("a\tb,c\n", '\t'), (Rows{{"a", "b,c"}}));
  EXPECT_EQ(rows(",\n"), (Rows{{"", ""}}));
  EXPECT_EQ(rows("a,"), (Rows{{"a", ""}}));
  EXPECT_EQ(rows("\n\r\n\na\n\n"), (Rows{{"a"}}));
  EXPECT_EQ(rows(""), Rows{});
}

TEST(SeparatedValues, UnderstandsQuotes) {
  EXPECT_EQ(rows("\"a, b\",\"say \"\"hi\"\"\",\"\"\n"), (Rows{{"a, b", "say \"hi\"", ""}}));
  EXPECT_EQ(rows("\"two\nlines\",x\ny,z"), (Rows{{"two\nlines", "x"}, {"y", "z"}}));
  EXPECT_EQ(rows("5\" ring,b"), (Rows{{"5\" ring", "b"}}));
  EXPECT_EQ(rows("\"a\"\r\n\"b\""), (Rows{{"a"}, {"b"}}));
}

TEST(SeparatedValues, DropsAByteOrderMark) {
  EXPECT_EQ(rows("\xef\xbb\xbf"
                 "a\n"),
            (Rows{{"a"}}));
}

TEST(SeparatedValues, KeepsNulAndLoneCarriageReturns) {
  EXPECT_EQ(rows(std::string_view("a\0b,c\rd", 7)), (Rows{{std::string("a\0b", 3), "c\rd"}}));
}

TEST(SeparatedValues, NamesTheLineOfAnError) {
  EXPECT_EQ(test::file_error_of([] { rows("a\n\"b\nc"); }), "list.csv: line 2: a quoted field is not closed");
  EXPECT_EQ(test::file_error_of([] { rows("\"x\ny\"\n\"a\"b\n"); }),
            "list.csv: line 3: expected the end of the field behind its closing quote");
}

}  // namespace
}  // namespace couplet::data
