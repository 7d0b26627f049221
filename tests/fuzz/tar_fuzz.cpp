// A tar archive of any bytes is refused with a file_error, or every member can be read and lies inside the file; as a
// webdataset shard, every sample can be asked for.
//
//   clang++ -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I include tests/fuzz/tar_fuzz.cpp
//   TMPDIR=/dev/shm nice ./a.out -max_total_time=600 -max_len=16384 <corpus> <folder of .tar files>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "attempt.hpp"
#include "couplet/data/tar_reader.hpp"
#include "couplet/data/webdataset.hpp"
#include "input_file.hpp"

namespace {

using namespace couplet;

void read_members(const data::TarReader& tar, std::size_t size) {
  for (const data::TarMember& member : tar.members()) {
    if (member.offset > size || member.size > size - member.offset) std::abort();
    if (tar.read(member, size).size() != member.size) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const InputFile input(".tar");
  const std::string& path = input.holding(data, size);
  attempt([&] { read_members(data::TarReader(path), size); });
  attempt([&] {
    const data::WebDataset shard({path});
    for (Index i = 0; i < shard.size(); ++i) {
      attempt([&] { static_cast<void>(shard.sample(i)); });
      attempt([&] { static_cast<void>(shard.annotation(i)); });
    }
  });
  return 0;
}
