#!/bin/sh
# Installs what is missing, builds Release in build/ and passes every test.
#
#   tests/run.sh [--asan | --clang | --serial] [--levels] [--second-compiler] [--headers] [--fast] [-j JOBS] [-- <option of ctest>...]
#
#   --asan     in build-asan, with AddressSanitizer and UndefinedBehaviorSanitizer; unit tests
#   --clang    in build-clang, with clang++; unit tests, and the examples and benchmarks are built
#   --serial   in build-serial, without OpenMP; unit tests
#   --second-compiler   only what clang++ compiles: the programs of users
#   --headers  only every header alone, with both compilers (some minutes; left out otherwise)
#   --levels   only the runs that force an instruction-set level
#   --fast     without the tests that learn for minutes (label slow)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
preset=release
packages=tests
select=
programs=OFF
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$root/tests/run.sh" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case "$1" in
    --asan | --clang | --serial)
      preset=${1#--}
      select="-L unit"
      if [ "$preset" = clang ]; then
        packages=ci
        programs=ON
      fi
      ;;
    --levels) select="-L level" ;;
    --second-compiler) select="-R downstream.*[.]clang" ;;
    --headers) select="-R headers_alone" ;;
    --fast) select="$select -LE slow" ;;
    -j)
      [ $# -ge 2 ] || usage
      jobs=$2
      shift
      ;;
    -j[0-9]*) jobs=${1#-j} ;;
    --)
      shift
      break
      ;;
    *) usage ;;
  esac
  shift
done
if [ "$preset" = release ] && [ -z "$select" ]; then select="-E [.]clang|headers_alone"; fi
case "$preset" in release) folder=build ;; *) folder=build-$preset ;; esac

"$root/cmake/install_packages.sh" --for "$packages"

seconds() { date +%s; }
start=$(seconds)
"$root/cmake/build.sh" "$preset" "$folder" "$jobs" all \
  -DCOUPLET_TESTS=ON "-DCOUPLET_EXAMPLES=$programs" "-DCOUPLET_BENCHMARKS=$programs"
built=$(seconds)

cd "$root/$folder"
status=0
# shellcheck disable=SC2086  # $select is options, or none
ctest --output-on-failure --parallel "$jobs" $select "$@" || status=$?
ended=$(seconds)

# The log holds what the programs printed: GoogleTest's counts, and why a case was skipped.
log=Testing/Temporary/LastTest.log
counts=$(awk '
  /^\[==========\] [0-9]+ tests? from .* ran\./ { cases += $2 }
  /^\[  SKIPPED \] .* ms\)$/ { skipped++ }
  END { printf "%d cases, %d of them skipped", cases, skipped }' "$log")
awk 'reason { print "couplet: skipped: " $0; reason = 0 } /: Skipped$/ { reason = 1 }' "$log" | sort | uniq -c |
  sed 's/^ *\([0-9]*\) \(.*\)/\2 (\1)/'
if [ "$status" -eq 0 ]; then verdict=PASSED; else verdict=FAILED; fi
echo "couplet: tests $verdict ($preset): $counts; build $((built - start)) s, tests $((ended - built)) s"
exit "$status"
