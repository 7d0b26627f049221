#!/bin/sh
# Installs what couplet's build needs and this machine lacks. Prints nothing to do when nothing is missing.
#
#   cmake/install_packages.sh [--for build|examples|tests|ci]
#
#   build      compiler, CMake, Ninja and the packages of the headers
#   examples   build + CLI11
#   tests      examples + GoogleTest + Google Benchmark (default)
#   ci         tests + clang, its OpenMP, clang-format and Open MPI
#
# On Debian and its relatives it uses apt-get, as root or through sudo. Elsewhere, or without the rights, it says which
# packages are missing and exits with 1.
set -eu

level=tests
case "${1-}" in
  "") ;;
  --for) level=${2-} ;;
  --for=*) level=${1#--for=} ;;
  *) level= ;;
esac

missing=  # Debian packages
described=  # the same for people on other systems

add() {  # add <package> <description>
  missing="$missing $1"
  described="$described
  $2 (Debian package $1)"
}

# need_command <package> <command>...: one of the commands is enough
need_command() {
  package=$1
  shift
  for candidate in "$@"; do
    if command -v "$candidate" >/dev/null 2>&1; then return 0; fi
  done
  add "$package" "$1"
}

# need_header <package> <path below an include folder>...: one of the headers is enough. CMAKE_PREFIX_PATH counts.
need_header() {
  package=$1
  shift
  old_ifs=$IFS
  IFS=':;'
  for prefix in /usr /usr/local /opt/homebrew ${CMAKE_PREFIX_PATH-}; do
    for folder in "$prefix/include" "$prefix"/include/*-linux-gnu; do
      for header in "$@"; do
        if [ -e "$folder/$header" ]; then
          IFS=$old_ifs
          return 0
        fi
      done
    done
  done
  IFS=$old_ifs
  add "$package" "$1"
}

need_compiler() {
  if [ -n "${CXX-}" ] || command -v c++ >/dev/null 2>&1 || command -v g++ >/dev/null 2>&1; then return 0; fi
  add g++ "a C++20 compiler (g++ 12 or clang++ 14)"
}

need_for_build() {
  need_compiler
  need_command cmake cmake
  need_command ninja-build ninja make
  need_header libeigen3-dev eigen3/Eigen/Core Eigen/Core
  need_header nlohmann-json3-dev nlohmann/json.hpp
  need_header libstb-dev stb/stb_image.h stb_image.h
  need_header libjpeg62-turbo-dev jpeglib.h
  need_header zlib1g-dev zlib.h
}
need_for_examples() {
  need_for_build
  need_header libcli11-dev CLI/CLI.hpp
}
need_for_tests() {
  need_for_examples
  need_header libgtest-dev gtest/gtest.h
  need_header libbenchmark-dev benchmark/benchmark.h
}
need_for_ci() {
  need_for_tests
  need_command clang clang++
  if [ -z "$(find /usr/lib/llvm-*/lib /usr/lib /usr/lib64 -maxdepth 3 -name 'libomp.so*' 2>/dev/null | head -n 1)" ]; then
    add libomp-dev "OpenMP for clang"
  fi
  need_command clang-format-14 clang-format-14 clang-format
  need_command openmpi-bin mpirun mpiexec
  need_header libopenmpi-dev mpi/mpi.h mpi.h
}

case "$level" in
  build | examples | tests | ci) "need_for_$level" ;;
  *)
    echo "usage: cmake/install_packages.sh [--for build|examples|tests|ci]" >&2
    exit 1
    ;;
esac

[ -n "$missing" ] || exit 0

explain() {  # explain <why nothing was installed>
  echo "couplet: $1. Missing:$described" >&2
  if command -v apt-get >/dev/null 2>&1; then echo "Install with: apt-get install$missing" >&2; fi
  exit 1
}

command -v apt-get >/dev/null 2>&1 || explain "this system has no apt-get, please install what is missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || explain "installing packages needs root or sudo"
  as_root=sudo
fi

log=$(mktemp)
trap 'rm -f "$log" "$log.status"' EXIT
apt() {  # apt <what to say> <arguments of apt-get>...
  echo "couplet: $1"
  shift
  # shellcheck disable=SC2086  # $as_root is one word or none
  { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" 2>&1 </dev/null; echo $? >"$log.status"; } |
    tee "$log" | awk '/^Get:/ && ++fetched % 20 == 0 { print "couplet:   " fetched " packages fetched"; fflush() }
                      /^Setting up/ && ++ready % 20 == 0 { print "couplet:   " ready " packages set up"; fflush() }'
  [ "$(cat "$log.status")" -eq 0 ] && return 0
  tail -n 20 "$log" >&2
  return 1
}
apt "reading the lists of packages" update || explain "apt-get update failed"
# shellcheck disable=SC2086  # one word per package
apt "installing$missing" install --no-install-recommends $missing || explain "apt-get install failed"
echo "couplet: packages installed"
