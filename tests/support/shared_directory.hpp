#pragma once
/// Where the golden and real data lie that are too large for the repository: the environment variable COUPLET_SHARED,
/// or the directory `shared` beside the source tree.
///
///   const std::string shared = test::shared_directory();
///   if (shared.empty()) GTEST_SKIP() << test::no_shared_directory;
#include <cstdlib>
#include <filesystem>
#include <string>

namespace couplet::test {

inline constexpr const char* no_shared_directory = "set COUPLET_SHARED to the directory of the golden data";

/// The directory, or "" when there is none.
inline std::string shared_directory() {
  std::string path;
  if (const char* variable = std::getenv("COUPLET_SHARED")) {
    path = variable;
  } else {
#ifdef COUPLET_SHARED_DIR
    path = COUPLET_SHARED_DIR;
#endif
  }
  return !path.empty() && std::filesystem::is_directory(path) ? path : "";
}

}  // namespace couplet::test
