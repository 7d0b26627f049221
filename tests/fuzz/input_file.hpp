#pragma once
// A fuzzer's bytes as a file, for readers that open files: one file per process in the folder for temporary files
// (TMPDIR; one in memory is fastest), rewritten for each input and removed at the end.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

class InputFile {
 public:
  explicit InputFile(const char* extension)
      : path_((std::filesystem::temp_directory_path() / ("couplet_fuzz_" + std::to_string(getpid()) + extension))
                  .string()) {}
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile() { std::remove(path_.c_str()); }

  const std::string& holding(const std::uint8_t* data, std::size_t size) const {
    std::FILE* file = std::fopen(path_.c_str(), "wb");
    if (!file || std::fwrite(data, 1, size, file) != size || std::fclose(file) != 0) std::abort();
    return path_;
  }

 private:
  std::string path_;
};
