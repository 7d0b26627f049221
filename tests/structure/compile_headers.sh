#!/bin/sh
# Compiles every header alone, included twice, without warnings, and prints what that costs.
#   compile_headers.sh <include folder> <jobs> <compiler> [<flag>...]
# Fails if a header does not compile. Times are processor seconds of -fsyntax-only on a busy or idle machine alike;
# the budget of the slow ones is printed, never enforced.
set -eu

include=$1
jobs=$2
compiler=$3
shift 3

# OpenMP where this compiler has it: the library is compiled as its users compile it.
if echo '#include <omp.h>' | "$compiler" -fopenmp -fsyntax-only -x c++ - 2>/dev/null; then set -- -fopenmp "$@"; fi
# The one header for MPI only where its library is.
without='^$'
if ! echo '#include <mpi.h>' | "$compiler" "$@" -fsyntax-only -x c++ - 2>/dev/null; then without='/mpi_[a-z_]*[.]hpp$'; fi
set -- -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -I "$include" "$@"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/one.sh" <<'ONE'
# one.sh <work folder> <header> <compiler> <flag>...
work=$1 header=$2
shift 2
name=$(echo "$header" | tr / _)
printf '#include "%s"\n#include "%s"\n' "$header" "$header" >"$work/$name.cpp"
if ! "$@" "$work/$name.cpp" 2>"$work/$name.err"; then
  echo "$header does not compile alone:"
  cat "$work/$name.err"
  : >"$work/$name.failed"
fi
# The last line of `times` is the processor time of the children: minutes and seconds of user and system. It must not
# run in a pipe, which has no children.
times >"$work/$name.times"
tail -n 1 "$work/$name.times" | sed 's/[ms]/ /g' |
  awk -v header="$header" '{ printf "%.2f %s\n", $1 * 60 + $2 + $3 * 60 + $4, header }' >"$work/$name.time"
ONE

(cd "$include" && find couplet -name '*.hpp' | grep -v "$without" | LC_ALL=C sort) >"$work/headers"
xargs -P "$jobs" -I '{}' sh "$work/one.sh" "$work" '{}' "$compiler" "$@" <"$work/headers"

"$compiler" --version | head -n 1
cat "$work"/*.time | LC_ALL=C sort -k1,1nr | awk '
  { total += $1; if (NR <= 5) slowest[NR] = sprintf("  %5.2f s  %s", $1, $2) }
  $2 == "couplet/core/tensor.hpp" { budget("core/tensor.hpp", $1, 0.4, $2) }
  $2 ~ /^couplet\/ops\// && !ops++ { budget("slowest operation", $1, 1.5, $2) }
  $2 == "couplet/couplet.hpp" { budget("umbrella", $1, 6, $2) }
  function budget(what, seconds, limit, header) {
    printf "budget: %s %.2f s of %.1f s (%s)%s\n", what, seconds, limit, header, (seconds > limit) ? "  OVER BUDGET" : ""
  }
  END { printf "%d headers, %.1f s of processor time; the slowest:\n", NR, total
        for (i = 1; i <= 5 && i <= NR; i++) print slowest[i] }'

if [ -n "$(find "$work" -name '*.failed')" ]; then exit 1; fi
