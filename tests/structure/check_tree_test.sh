#!/bin/sh
# Proves that check_tree.sh can fail: builds a small good tree, spoils it in one way at a time, and expects the offence.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0

new_tree() {
  rm -rf "$work/tree"
  mkdir -p "$work/tree"
  cd "$work/tree"
  mkdir -p include/couplet/core include/couplet/ops include/couplet/nn include/couplet/checkpoint include/couplet/eval \
    include/couplet/models include/couplet/pretrained include/couplet/simd/kernels include/couplet/simd/arch tests/core \
    tests/ops tests/nn tests/checkpoint tests/eval tests/models tests/pretrained
  header include/couplet/config.hpp
  header include/couplet/couplet.hpp core/shape.hpp nn/linear.hpp eval/zero_shot.hpp
  header include/couplet/core/shape.hpp config.hpp
  header include/couplet/ops/linear.hpp core/shape.hpp config.hpp
  header include/couplet/nn/linear.hpp ops/linear.hpp
  header include/couplet/nn/parameter.hpp core/shape.hpp
  header include/couplet/models/clip.hpp nn/linear.hpp
  header include/couplet/checkpoint/safetensors.hpp nn/parameter.hpp
  header include/couplet/pretrained/load.hpp models/clip.hpp checkpoint/safetensors.hpp
  header include/couplet/eval/zero_shot.hpp pretrained/load.hpp models/clip.hpp
  header include/couplet/eval/retrieval.hpp core/shape.hpp
  header include/couplet/simd/arch/avx2.hpp
  echo '// no includes' >include/couplet/simd/kernels/gemm.inl
  for test in core/shape ops/linear nn/linear nn/parameter models/clip checkpoint/safetensors pretrained/load \
    eval/zero_shot eval/retrieval; do
    echo "#include \"couplet/$test.hpp\"" >"tests/${test}_test.cpp"
  done
  rules=$here/rules.txt
}

header() {  # header <file> <included header>...
  header_file=$1
  shift
  echo '#pragma once' >"$header_file"
  for target in "$@"; do echo "#include \"couplet/$target\"" >>"$header_file"; done
}

check() { sh "$here/check_tree.sh" "$work/tree" "$rules" >"$work/output" 2>&1; }

report() {
  echo "FAILED: $1"
  sed 's/^/    /' "$work/output"
  failures=$((failures + 1))
}

expect_good() {  # expect_good <what>
  if check; then echo "ok: $1"; else report "$1: offences in a good tree"; fi
}

expect_offence() {  # expect_offence <what> <text that the output must hold>; then starts again with a good tree
  if check; then
    report "$1: not noticed"
  elif grep -qF -- "$2" "$work/output" && grep -qx '1 offences .*' "$work/output"; then
    echo "ok: $1"
  else
    report "$1: expected this offence alone: $2"
  fi
  new_tree
}

new_tree
expect_good "a tree that keeps the rules"

header include/couplet/core/shape.hpp ops/linear.hpp
expect_offence "core includes ops" "include/couplet/core/shape.hpp:2: a door that opens the wrong way: core may not include couplet/ops/linear.hpp"

header include/couplet/checkpoint/safetensors.hpp nn/linear.hpp
expect_offence "checkpoint includes more of nn than Parameter" "checkpoint may not include couplet/nn/linear.hpp"

header include/couplet/eval/retrieval.hpp pretrained/load.hpp
expect_offence "a permission of one header used by another" "eval may not include couplet/pretrained/load.hpp"

header include/couplet/core/shape.hpp couplet.hpp
expect_offence "a room includes the umbrella" "core may not include couplet/couplet.hpp"

printf '#pragma once\n#include <couplet/config.hpp>\n' >include/couplet/core/shape.hpp
expect_offence "angle brackets" 'write #include "couplet/config.hpp" with quotes'

header include/couplet/core/shape.hpp core/missing.hpp
expect_offence "a header that does not exist" "no such header: couplet/core/missing.hpp"

printf '#pragma once\n#include "shape.hpp"\n' >include/couplet/ops/linear.hpp
expect_offence "a relative include" 'write the whole path, "couplet/room/file.hpp": shape.hpp'

mkdir include/couplet/cellar
header include/couplet/cellar/wine.hpp
mkdir tests/cellar
: >tests/cellar/wine_test.cpp
expect_offence "a room that the rules do not know" "cellar is not in the rules"

rm tests/ops/linear_test.cpp
expect_offence "a header without a test" "include/couplet/ops/linear.hpp: no test: expected tests/ops/linear_test.cpp"

: >tests/core/config_test.cpp
sed 's/^untested config.hpp/untested core\/shape.hpp/' "$here/rules.txt" >"$work/rules.txt"
echo 'untested config.hpp macros alone, no code' >>"$work/rules.txt"
rules=$work/rules.txt
expect_offence "an exception that is no longer needed" "include/couplet/core/shape.hpp: has a test, so drop it from the exceptions"

sed 's/^\(untested config.hpp\) .*/\1 because/' "$here/rules.txt" >"$work/rules.txt"
rules=$work/rules.txt
expect_offence "an exception without a reason" "give a reason: untested config.hpp because"

awk 'BEGIN { print "#pragma once"; for (i = 0; i < 500; i++) print "// line" }' >include/couplet/core/shape.hpp
expect_offence "a file of 501 lines" "include/couplet/core/shape.hpp: 501 lines, more than 500"

awk 'BEGIN { for (i = 0; i < 501; i++) print "// line" }' >tests/core/shape_test.cpp
expect_offence "a test of 501 lines" "tests/core/shape_test.cpp: 501 lines, more than 500"

printf '#pragma once\n#include <functional>\n' >include/couplet/ops/linear.hpp
expect_offence "a heavy standard header in a light room" "include/couplet/ops/linear.hpp:2: <functional> is too heavy for ops"

printf '#pragma once\n#  include <iostream>  // for debugging\n' >include/couplet/checkpoint/safetensors.hpp
expect_offence "<iostream> in any room" "<iostream> is too heavy for checkpoint"

printf '#pragma once\n#include <cassert>\n' >include/couplet/core/shape.hpp
expect_offence "<cassert>" "checks are ifs that throw"

echo '#include <immintrin.h>' >include/couplet/simd/kernels/gemm.inl
expect_offence "an include in an .inl" "include/couplet/simd/kernels/gemm.inl:1: an .inl file includes nothing: immintrin.h"

echo '#pragma omp parallel for' >include/couplet/simd/kernels/gemm.inl
expect_offence "OpenMP in simd" "include/couplet/simd/kernels/gemm.inl:1: no #pragma omp in simd"

echo '// no guard' >include/couplet/core/shape.hpp
expect_offence "a header without #pragma once" "include/couplet/core/shape.hpp: no #pragma once"

printf '#pragma once\ninline void f() { printf("x"); }\n' >include/couplet/core/shape.hpp
expect_offence "a library that prints" "the library never prints, aborts or exits"

printf '#pragma once\ninline void f() { std::abort(); }\n' >include/couplet/core/shape.hpp
expect_offence "a library that aborts" "the library never prints, aborts or exits"

printf '#pragma once\nstatic_assert(sizeof(int) == 4);  // printf("x") in a comment\n' >include/couplet/core/shape.hpp
expect_good "static_assert and words in comments"
new_tree

printf '#pragma once\nusing namespace std;\n' >include/couplet/core/shape.hpp
expect_offence "using namespace std" "using namespace std in a header"

echo "guard core" >>"$work/tree/rules.txt"
cat "$here/rules.txt" "$work/tree/rules.txt" >"$work/rules.txt"
rules=$work/rules.txt
expect_offence "a rule that is misspelt" "unknown rule: guard core"

rm -rf include tests
expect_offence "an empty tree" "no source files found"

if [ "$failures" -ne 0 ]; then
  echo "$failures failed"
  exit 1
fi
echo "check_tree.sh notices every offence"
