#!/bin/sh
# Builds the benchmarks, runs them in about five minutes and prints one table; the JSON files stay in build/benchmarks.
#
#   benchmarks/run.sh [--filter REGEX] [--full] [-j JOBS]
#
#   --filter   only benchmarks whose name matches, for example 'attention|image_tower'
#   --full     longer runs: steadier figures, about half an hour
# COUPLET_ARCH and OMP_NUM_THREADS choose instruction set and threads. Shares are of the multiply-add peak that was measured
# beside each repetition, so they say more than rates on a machine whose clock drifts.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
filter=.
seconds=0.15
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)

while [ $# -gt 0 ]; do
  case "$1" in
    --filter)
      filter=${2?--filter needs a pattern}
      shift
      ;;
    --full) seconds=2 ;;
    -j)
      jobs=${2?-j needs a number}
      shift
      ;;
    *)
      sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2
      exit 1
      ;;
  esac
  shift
done

"$root/cmake/install_packages.sh" --for tests
"$root/cmake/build.sh" release build "$jobs" couplet_benchmarks -DCOUPLET_BENCHMARKS=ON

results=$root/build/benchmarks/results
mkdir -p "$results"
rm -f "$results"/*.json
printf '\n%-58s %12s %10s %7s %14s\n' benchmark time GFLOP/s 'of peak' items/s
for program in "$root"/build/benchmarks/*_bench; do
  name=$(basename "$program" _bench)
  "$program" --benchmark_filter="$filter" --benchmark_min_time="$seconds" --benchmark_out="$results/$name.json" \
    --benchmark_out_format=json >/dev/null 2>"$results/$name.log" || cat "$results/$name.log" >&2
  if [ ! -s "$results/$name.json" ]; then continue; fi
  # One row per benchmark, from the lines of its JSON object.
  awk -F '[:,]' '
    function value() { sub(/^[^:]*: */, ""); sub(/,$/, ""); gsub(/"/, ""); return $0 }
    /"name":/ { name = value(); time = unit = rate = share = items = ""; next }
    /"real_time":/ { time = value(); next }
    /"time_unit":/ { unit = value(); next }
    /"gflops":/ { rate = sprintf("%.1f", value()); next }
    /"peak_fraction":/ { share = sprintf("%.0f %%", 100 * value()); next }
    /"items_per_second":/ { items = sprintf("%.0f", value()); next }
    /^ *}/ { if (time != "") printf "%-58s %9.3f %s %10s %7s %14s\n", name, time, unit, rate, share, items; time = "" }
  ' "$results/$name.json"
done
printf '\nJSON: %s\n' "$results"
