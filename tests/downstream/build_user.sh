#!/bin/sh
# Builds and runs the user's program of this folder in one of the ways users build programs:
#   build_user.sh <way> <clone of couplet> <empty work folder> <compiler> <file with the flags of the packages>
# Fails if a command fails, a compiler called by hand warns, or the program computes something wrong or does not print its
# version.
set -eu

way=$1 source=$2 work=$3 compiler=$4 package_flags=$5
here=$source/tests/downstream

rm -rf "$work"
mkdir -p "$work"
cd "$work"

say() { echo "+ $*"; }
run() {
  say "$@"
  "$@"
}
# compile <flag>...: a program without CMake, as somebody would type it, where no warning is welcome
compile() { run "$compiler" -std=c++20 -Wall -Wextra -Werror -I "$source/include" "@$package_flags" "$@"; }
expect_version() {
  output=$(run "$1")
  echo "$output"
  case "$output" in *"couplet "[0-9]*) ;; *)
    echo "expected the program to print its version" >&2
    exit 1
    ;;
  esac
}
configure() { run cmake -DCMAKE_CXX_COMPILER="$compiler" "$@"; }
install_couplet() {
  configure -S "$source" -B couplet -DCOUPLET_TESTS=OFF -DCOUPLET_BENCHMARKS=OFF -DCOUPLET_EXAMPLES=OFF
  run cmake --install couplet --prefix "$work/installed"
}
build_project() {  # build_project <option of cmake>...
  configure -S "$here/project" -B user "$@"
  run cmake --build user
  expect_version user/user
}
expect_sentence() {  # expect_sentence <text>: the output of the failed command, whose lines CMake breaks
  tr -s ' \n' '  ' <log >one_line
  grep -qF "$1" one_line && return 0
  cat log
  echo "expected this sentence: $1" >&2
  exit 1
}
expect_failure() {
  say "$@"
  if "$@" >log 2>&1; then
    cat log
    echo "expected the command to fail" >&2
    exit 1
  fi
}

case "$way" in
  find_package)
    install_couplet
    build_project -DCOUPLET_WAY=find_package -DCMAKE_PREFIX_PATH="$work/installed"
    ;;
  add_subdirectory) build_project -DCOUPLET_WAY=add_subdirectory -DCOUPLET_SOURCE="$source" ;;
  fetch_content) configure -S "$here/project" -B user -DCOUPLET_WAY=fetch_content -DCOUPLET_SOURCE="$source" ;;
  plain)  # -O0, no OpenMP
    compile "$here/main.cpp" -o user
    expect_version ./user
    ;;
  optimised)
    compile -O2 -fopenmp "$here/main.cpp" -o user
    expect_version ./user
    ;;
  native)
    compile -O2 -march=native "$here/main.cpp" -o user
    expect_version ./user
    ;;
  fast_math)
    compile -O2 -ffast-math "$here/main.cpp" -o user
    expect_version ./user
    ;;
  two_units)  # one without -fopenmp; whichever comes first, each keeps its own code
    compile -fopenmp -DCOUPLET_TWO_UNITS -c "$here/main.cpp" -o main.o
    compile -c "$here/other_unit.cpp" -o other_unit.o
    for order in "main.o other_unit.o" "other_unit.o main.o"; do
      # shellcheck disable=SC2086  # two words
      run "$compiler" -fopenmp $order -o user
      expect_version ./user
    done
    ;;
  missing_package)
    sentence="couplet needs Eigen3 (Debian package libeigen3-dev), Stb (Debian package libstb-dev): install what is \
missing or configure with -DCOUPLET_FETCH=ON to download it."
    without="-DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON -DCMAKE_DISABLE_FIND_PACKAGE_Stb=ON"
    # shellcheck disable=SC2086  # two words
    expect_failure configure -S "$source" -B couplet $without
    expect_sentence "$sentence"
    rm -rf couplet
    install_couplet
    # shellcheck disable=SC2086  # two words
    expect_failure configure -S "$here/project" -B user -DCOUPLET_WAY=find_package \
      -DCMAKE_PREFIX_PATH="$work/installed" $without
    expect_sentence "$sentence"
    expect_failure configure -S "$source" -B tests -DCOUPLET_EXAMPLES=OFF -DCOUPLET_BENCHMARKS=OFF \
      -DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON
    expect_sentence "couplet needs GTest (Debian package libgtest-dev): install what is missing"
    ;;
  missing_optional)  # serial, stb for JPEG, no gzip; and still a program
    build_project -DCOUPLET_WAY=add_subdirectory -DCOUPLET_SOURCE="$source" -DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON \
      -DCMAKE_DISABLE_FIND_PACKAGE_JPEG=ON -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON
    ;;
  fetched_packages)  # folders stand for the downloads: nothing here needs a network
    mkdir -p json/include stb eigen
    for folder in /usr/include /usr/local/include; do
      if [ -d "$folder/nlohmann" ]; then ln -s "$folder/nlohmann" json/include/nlohmann; fi
      if [ -d "$folder/stb" ]; then ln -s "$folder/stb" stb/stb; fi
      for name in Eigen unsupported; do
        if [ -d "$folder/eigen3/$name" ]; then ln -s "$folder/eigen3/$name" "eigen/$name"; fi
      done
    done
    build_project -DCOUPLET_WAY=add_subdirectory -DCOUPLET_SOURCE="$source" -DCOUPLET_FETCH=ON \
      -DFETCHCONTENT_FULLY_DISCONNECTED=ON -DFETCHCONTENT_SOURCE_DIR_EIGEN3="$work/eigen" \
      -DFETCHCONTENT_SOURCE_DIR_NLOHMANN_JSON="$work/json" -DFETCHCONTENT_SOURCE_DIR_STB="$work/stb" \
      -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON \
      -DCMAKE_DISABLE_FIND_PACKAGE_Stb=ON
    ;;
  *)
    echo "unknown way: $way" >&2
    exit 1
    ;;
esac
