#include "couplet/tokenizers/protobuf.hpp"

#include <gtest/gtest.h>

#include <string>

#include "support/file_errors.hpp"
#include "support/sentencepiece_writer.hpp"

namespace {

using couplet::test::bytes_field;
using couplet::test::file_error_of;
using couplet::test::float_field;
using couplet::test::number_field;
using couplet::test::varint;
using couplet::tokenizers::ProtobufReader;

const std::string model_name = "x.model";

/// What reading all fields of a message says.
std::string protobuf_error(const std::string& message) {
  return file_error_of([&] {
    ProtobufReader reader(message, model_name);
    while (reader.next()) {
    }
  });
}

TEST(Protobuf, ReadsFieldsInOrder) {
  const std::string message = number_field(1, 300) + float_field(2, -1.5F) + bytes_field(3, "text") +
                              varint(4 << 3 | 1) + "12345678" + bytes_field(536870911, number_field(7, ~0ULL));
  ProtobufReader reader(message, model_name);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 1U);
  EXPECT_EQ(reader.number(), 300U);
  EXPECT_TRUE(reader.boolean());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.real(), -1.5F);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.bytes(), "text");
  ASSERT_TRUE(reader.next());  // 64 bits: nothing here needs their value
  EXPECT_EQ(reader.field(), 4U);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.field(), 536870911U);
  ProtobufReader inner = reader.message();
  ASSERT_TRUE(inner.next());
  EXPECT_EQ(inner.number(), ~0ULL);
  EXPECT_FALSE(inner.next());
  EXPECT_FALSE(reader.next());
}

TEST(Protobuf, AnEmptyMessageHasNoFields) { EXPECT_FALSE(ProtobufReader("", model_name).next()); }

TEST(Protobuf, RefusesEveryPrefixThatEndsInsideAField) {
  const std::string fields[] = {number_field(1, 300), bytes_field(3, "text"), float_field(2, 1), number_field(9999, 1)};
  for (const std::string& field : fields) {
    EXPECT_EQ(protobuf_error(field), "");
    for (std::size_t n = 1; n < field.size(); ++n) {
      EXPECT_NE(protobuf_error(field.substr(0, n)).find("x.model: byte 0: cut off"), std::string::npos) << n;
    }
  }
}

TEST(Protobuf, RefusesWhatIsNotInTheFormat) {
  EXPECT_NE(protobuf_error(varint(1 << 3 | 2) + varint(1ULL << 63)).find("9223372036854775808 bytes announced"),
            std::string::npos);
  EXPECT_NE(protobuf_error(varint(1 << 3) + std::string(10, '\x80') + '\x01').find("more than 64 bits"),
            std::string::npos);
  EXPECT_NE(protobuf_error(varint(1 << 3) + std::string(9, '\xff') + '\x02').find("more than 64 bits"),
            std::string::npos);
  EXPECT_EQ(protobuf_error(varint(1 << 3) + std::string(9, '\xff') + '\x01'), "");  // 2^64 - 1
  EXPECT_NE(protobuf_error(std::string(1, '\0') + "x").find("field number 0"), std::string::npos);
  EXPECT_NE(protobuf_error(varint(1ULL << 35)).find("field number 4294967296"), std::string::npos);
  for (const int wire : {3, 4, 6, 7}) {
    EXPECT_NE(protobuf_error(number_field(1, 1) + varint(8U + static_cast<unsigned>(wire)))
                  .find("byte 2: field 1 has the wire type"),
              std::string::npos);
  }
}

TEST(Protobuf, NamesThePlaceOfAFieldOfAnotherType) {
  const std::string message = number_field(1, 1) + bytes_field(2, number_field(3, 7) + number_field(3, 7));
  ProtobufReader reader(message, model_name);
  reader.next();
  reader.next();
  ProtobufReader inner = reader.message();
  inner.next();
  inner.next();
  EXPECT_EQ(file_error_of([&] { static_cast<void>(inner.real()); }),
            "x.model: byte 6: expected field 3 to be a float, found the wire type 0");
  EXPECT_NE(file_error_of([&] { static_cast<void>(inner.message()); }), "");
  EXPECT_NE(file_error_of([&] { static_cast<void>(reader.number()); }), "");
}

}  // namespace
