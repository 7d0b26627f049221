#include "couplet/tokenizers/bpe_files.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/file_errors.hpp"
#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using namespace couplet::tokenizers;
using test::file_error_of;
using Merges = std::vector<ByteLevelBpe::Merge>;

std::vector<std::string> tokens(const std::string& json) {
  return tokens_by_id(io::JsonField(io::Json::parse(json, "vocab.json"), "vocab.json"));
}

TEST(Vocabulary, IdsComeInAnyOrder) {
  EXPECT_EQ(tokens(R"({"b": 1, "c": 2, "a": 0})"), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Vocabulary, RefusesIdsThatAreNotAllThere) {
  const auto error = [](const std::string& json) { return file_error_of([&] { tokens(json); }); };
  EXPECT_EQ(error("[]"), "vocab.json: expected an object of token: id, found an array");
  for (const char* const id :
       {"-1", "2", "2147483648", "1.0", "1e0", "\"1\"", "null", "true", "{}", "18446744073709551617"}) {
    EXPECT_NE(error(R"({"a": 0, "b": )" + std::string(id) + "}").find("token \"b\": expected an id in [0, 2)"),
              std::string::npos)
        << id;
  }
  EXPECT_NE(error(R"({"a": 0, "b": 0})").find("have the same id 0"), std::string::npos);
  EXPECT_NE(error(R"({"": 0})").find("without text"), std::string::npos);
}

TEST(Merges, ReadsHeadersLineEndsAndHashes) {
  const Merges expected = {{"a", "b"}, {"#", "#</w>"}};
  for (const char* const text :
       {"#version: 0.2\na b\n# #</w>\n", "a b\n# #</w>", "#version: 0.2\r\na b\r\n# #</w>\r\n"}) {
    EXPECT_EQ(parse_merges(text, "m.txt"), expected) << text;
  }
  EXPECT_EQ(parse_merges("# #</w>\na b\n", "m.txt"), (Merges{expected[1], expected[0]}));  // no comment
  EXPECT_EQ(parse_merges("", "m.txt"), Merges{});
  EXPECT_EQ(parse_merges("#version: 0.2\na b\nx y z\n", "m.txt", 1), (Merges{{"a", "b"}}));
}

TEST(Merges, NamesTheLineThatIsNotTwoTokens) {
  for (const std::string bad : {"ab", "a b c", "a  b", " a", "a ", "a\tb", "", "\xff a"}) {
    const std::string error = file_error_of([&] { parse_merges("#version: 0.2\na b\n" + bad + "\nc d\n", "m.txt"); });
    EXPECT_NE(error.find("m.txt: line 3: expected two tokens"), std::string::npos) << bad;
  }
  EXPECT_NE(file_error_of([] { parse_merges(std::string("a\0 b\n", 5), "m.txt"); }), "");
}

TEST(OpenAiMerges, FillTheLayoutInOrder) {
  const test::TemporaryDirectory folder;
  io::write_file(folder.path("merges.txt"), "\"bpe_simple_vocab_16e6.txt#version: 0.2\na b\nab c</w>\nx y\n");
  const auto all = read_openai_merges(folder.path("merges.txt"));
  EXPECT_EQ(all->size(), 517);
  EXPECT_EQ(all->find("abc</w>"), 513);
  EXPECT_EQ(all->find("<|startoftext|>"), 515);
  EXPECT_EQ(all->unknown(), 516);
  const auto two = read_openai_merges(folder.path("merges.txt"), 516);
  EXPECT_EQ(two->find("xy"), -1);
  EXPECT_EQ(two->find("<|endoftext|>"), 515);
  EXPECT_THROW(read_openai_merges(folder.path("merges.txt"), 513), std::invalid_argument);
}

TEST(VocabularyFiles, ComeBackAsTheyWereWritten) {
  const test::TemporaryDirectory folder;
  const Merges merges = {{"a", "b"}, {"ab", "\u0120</w>"}, {"\"", "\\"}};
  const ByteLevelBpe bpe(clip_layout(merges), merges, -1);
  write_vocab_json(bpe, folder.path("vocab.json"));
  write_merges(bpe, folder.path("merges.txt"));
  EXPECT_EQ(tokens(io::read_file(folder.path("vocab.json"), 1 << 20)), clip_layout(merges));
  EXPECT_EQ(parse_merges(io::read_file(folder.path("merges.txt"), 1 << 20), "m"), merges);
}

}  // namespace
