#include "couplet/train/options_file.hpp"

#include <gtest/gtest.h>

#include "support/temporary_directory.hpp"

namespace {

using namespace couplet;
using train::OptionValue;
using Kind = OptionValue::Kind;
using Arguments = std::vector<std::string>;

TEST(OptionsFile, ReadsBackWhatItWrote) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("options.json");
  const std::vector<OptionValue> options{{"data", Kind::text, {"train \"one\".tar"}},
                                         {"out", Kind::text, {"007"}},
                                         {"lr", Kind::number, {"1e-3"}},
                                         {"seed", Kind::number, {"9007199254740993"}},
                                         {"flip", Kind::flag, {"true"}},
                                         {"lock-text", Kind::flag, {"false"}},
                                         {"val-data", Kind::text, {}},
                                         {"template", Kind::list, {"a {}", "the {}"}}};
  io::write_file(path, train::options_json(options));
  EXPECT_EQ(train::with_config_file({"train", "--config", path}),
            (Arguments{"train", "--data", "train \"one\".tar", "--out", "007", "--lr", "0.001", "--seed",
                       "9007199254740993", "--flip", "--template", "a {}", "--template", "the {}"}));
}

TEST(OptionsFile, TheCommandLineWins) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("options.json");
  io::write_file(path, R"({"batch_size": 64, "lr": 0.5, "template": ["a {}"]})");
  EXPECT_EQ(train::with_config_file({"train", "--lr=0.1", "--config=" + path, "--template", "b {}", "--out", "x"}),
            (Arguments{"train", "--batch-size", "64", "--lr=0.1", "--template", "b {}", "--out", "x"}));
  EXPECT_EQ(train::with_config_file({"train", "--out", "x"}), (Arguments{"train", "--out", "x"}));
}

std::string error_of(const Arguments& arguments) {
  try {
    (void)train::with_config_file(arguments);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(OptionsFile, ConfigWithoutAPathIsAClearError) {
  EXPECT_EQ(error_of({"train", "--out", "x", "--config"}), "--config needs the path of a JSON file");
  EXPECT_EQ(error_of({"train", "--config="}), "--config needs the path of a JSON file");
  EXPECT_EQ(error_of({"train", "--config", "--out", "x"}), "--config needs the path of a JSON file, found --out");
  EXPECT_EQ(error_of({"train", "--config", "/dev/null/a", "--config=b"}), "--config is given twice");
}

TEST(OptionsFile, FilesThatAreNoOptionsAreRefused) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path("options.json");
  for (const char* text : {"[]", "{", R"({"lr": {"a": 1}})", R"({"template": [1]})"}) {
    io::write_file(path, text);
    EXPECT_NE(error_of({"train", "--config", path}).find(path), std::string::npos) << text;
  }
  EXPECT_NE(error_of({"train", "--config", folder.path("missing.json")}).find("missing.json"), std::string::npos);
}

}  // namespace
