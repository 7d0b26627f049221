#!/bin/sh
# The whole of couplet in a few minutes: installs what is missing, builds, trains a small model from scratch on generated
# captioned scenes, classifies and searches scenes it has not seen, and writes an HTML report.
#
#   examples/demo.sh [-j JOBS]
#
# Everything it writes is in build/ of this clone.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
case "${1-}" in
  "") ;;
  -j) jobs=${2-$jobs} ;;
  -j[0-9]*) jobs=${1#-j} ;;
  *)
    sed -n '2,/^set/s/^# \{0,1\}//p' "$root/examples/demo.sh" >&2
    exit 1
    ;;
esac

"$root/cmake/install_packages.sh" --for examples
# A folder that has the tests keeps them: CMake would delete what it no longer builds.
if [ -e "$root/build/CMakeCache.txt" ]; then set --; else set -- -DCOUPLET_TESTS=OFF -DCOUPLET_BENCHMARKS=OFF; fi
"$root/cmake/build.sh" release build "$jobs" couplet_examples -DCOUPLET_EXAMPLES=ON "$@"
