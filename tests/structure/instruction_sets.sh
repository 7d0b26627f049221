#!/bin/sh
# The code of a level has no instruction of a wider one: instruction_sets.sh <library or program> <objdump>
# Reads the disassembly function by function: outside avx512 no zmm, mask or numbered-above-15 register, outside avx2 and
# avx512 no ymm register and no VEX instruction. Exit status 77 where there is nothing to read.
set -eu

file=$1
objdump=${2-objdump}
if ! command -v "$objdump" >/dev/null 2>&1; then
  echo "no objdump here"
  exit 77
fi

"$objdump" -d -C --no-show-raw-insn "$file" | awk '
  />:$/ { name = $0; functions++; next }
  name ~ /avx512::/ { if (/%zmm/) wide++; next }
  /%zmm|%k[0-7]|%[xy]mm(1[6-9]|2[0-9]|3[01])/ { bad[name] = bad[name] "\n  " $0; found = 1; next }
  name ~ /avx2::/ { if (/%ymm/) middle++; next }
  /%ymm|\tv[a-z]/ { bad[name] = bad[name] "\n  " $0; found = 1 }
  END {
    for (name in bad) print name " has instructions of a wider level:" bad[name]
    printf "%d functions; %d instructions on ymm in avx2, %d on zmm in avx512\n", functions, middle, wide
    if (functions == 0 || middle == 0 || wide == 0) { print "the kernels are not in this file"; found = 1 }
    exit found
  }'
