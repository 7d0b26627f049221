#pragma once
#include <string>

#include "couplet/tokenizers/sentencepiece_normalizer.hpp"

namespace couplet::test {

/// U+2581, which stands for a space in SentencePiece's pieces.
inline const std::string mark(tokenizers::space_mark);

}  // namespace couplet::test
