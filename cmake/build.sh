#!/bin/sh
# Configures and builds this clone with a preset: cmake/build.sh <preset> <folder> <jobs> <target> [<option of cmake>...]
# The folder is inside the clone. Ninja where it is installed, otherwise make.
set -eu

cd "$(dirname "$0")/.."
source=$(pwd)
preset=$1
folder=$source/$2
jobs=$3
target=$4
shift 4

cache=$folder/CMakeCache.txt
# A folder that was built elsewhere and moved here cannot be used again.
if [ -e "$cache" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$source" "$cache"; then
  rm -rf "$cache" "$folder/CMakeFiles"
fi
if [ ! -e "$cache" ]; then
  if command -v ninja >/dev/null 2>&1; then set -- -G Ninja "$@"; else set -- -G "Unix Makefiles" "$@"; fi
fi

echo "couplet: configuring $folder"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! cmake --preset "$preset" -B "$folder" "$@" >"$log" 2>&1; then
  cat "$log" >&2
  exit 1
fi
grep '^-- couplet' "$log" || true
echo "couplet: building with $jobs jobs"
cmake --build "$folder" --parallel "$jobs" --target "$target"
