#!/bin/sh
# A process that fails ends the job, with its message once and a status that is not 0: failing_process.sh <mpirun> <program>
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
timeout 60 "$1" -n 3 "$2" --failing-process >"$log" 2>&1
status=$?
cat "$log"
if [ "$status" -eq 0 ] || [ "$status" -eq 124 ]; then
  echo "expected the job to fail at once, found status $status" >&2
  exit 1
fi
[ "$(grep -c 'failed on purpose' "$log")" -eq 1 ]
