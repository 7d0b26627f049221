#!/bin/sh
# The program `train` with several processes: train.sh <mpirun> <train> <work folder>
# The losses of one process, whatever their number, from the beginning and resumed with another; one message for one mistake.
set -eu
mpirun=$1 train=$2 work=$3
rm -rf "$work"
mkdir -p "$work"
cd "$work"

steps() {  # steps <folder> <option of train>...
  folder=$1
  shift
  "$@" --data scenes:64 --model-config micro-32 --batch 13 --steps 8 --lr 1e-3 --warmup 2 --crop-scale 0.8 --seed 3 \
    --out "$folder" || { echo "failed: $*" >&2; exit 1; }
}
losses() { sed -n 's/^{"step":\([0-9]*\),.*"loss":\([0-9.]*\),"lr.*/\1 \2/p' "$1/log.jsonl"; }
expect_losses() {  # expect_losses <folder>: those of one process, to 1e-5
  losses one >one.txt
  losses "$1" >other.txt
  paste -d ' ' one.txt other.txt | awk '
    NF != 4 || $1 != $3 || $2 - $4 > 1e-5 * $2 || $4 - $2 > 1e-5 * $2 { print "differs: " $0; bad = 1 }
    END { if (NR != 8) { print NR " steps in place of 8"; bad = 1 } exit bad }'
}

steps one "$train"
for processes in 2 4; do
  steps "of$processes" "$mpirun" -n "$processes" "$train"
  expect_losses "of$processes"
done
steps again "$mpirun" -n 2 "$train"
cmp of2/model.safetensors again/model.safetensors

steps stopped "$mpirun" -n 2 "$train" --stop-after 3
steps stopped "$mpirun" -n 4 "$train" --resume --stop-after 6
steps stopped "$train" --resume
expect_losses stopped

if timeout 60 "$mpirun" -n 2 "$train" --data nothing.tar --out nothing >log 2>&1; then
  echo "expected training on nothing to fail" >&2
  exit 1
fi
cat log
[ "$(grep -c 'nothing.tar: cannot open' log)" -eq 1 ]
