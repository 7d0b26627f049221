#pragma once
/// What a call says when it refuses a file.
#include <stdexcept>
#include <string>
#include <utility>

#include "couplet/core/error.hpp"

namespace couplet::test {

/// The message of the file_error that `call` throws; "" when it throws nothing. Other exceptions pass.
template <class Call>
std::string file_error_of(Call&& call) {
  try {
    std::forward<Call>(call)();
  } catch (const file_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace couplet::test
