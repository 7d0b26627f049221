#pragma once
#include "couplet/core/error.hpp"

/// A file that is refused is an answer as good as one that is read.
template <class Read>
void attempt(Read&& read) {
  try {
    read();
  } catch (const couplet::file_error&) {
  }
}
