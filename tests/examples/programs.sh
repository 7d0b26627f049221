#!/bin/sh
# The programs as people run them, on a model trained for eight steps: tests/examples/programs.sh [<folder of the programs>]
# Options from a file give the bytes of the options themselves; each program works on the other's output; what is wrong is
# named in a line, with exit status 1.
set -eu
bin=$(cd "${1:-build/examples}" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
failed=0

complain() {
  echo "programs: $*" >&2
  failed=1
}

works() {  # works <program> <option>...
  program=$1
  shift
  "$bin/$program" "$@" >"$work/out" 2>"$work/err" && return
  complain "$program $* failed: $(cat "$work/err")"
}

says() {  # says <words of the output of the last command>
  grep -q -e "$1" "$work/out" || complain "expected \"$1\" in the output of $program, found: $(head -c 400 "$work/out")"
}

refuses() {  # refuses <words of the error> <program> <option>...
  words=$1 program=$2
  shift 2
  status=0
  "$bin/$program" "$@" >"$work/out" 2>"$work/err" || status=$?
  [ "$status" -eq 1 ] || complain "$program $*: expected exit status 1, found $status"
  [ "$(wc -l <"$work/err")" -le 2 ] || complain "$program $*: expected a line, found: $(cat "$work/err")"
  grep -q -e "$words" "$work/err" || complain "$program $*: expected \"$words\", found: $(cat "$work/err")"
}

for program in train zero_shot embed search evaluate convert demo_report; do
  works "$program" --help
  says "Options:\|OPTIONS:"
done

# The options of a run, written by the run, are a run of the same bytes.
works train --data scenes:64 --val-data scenes:16 --model-config micro-32 --batch 16 --steps 8 --lr 1e-3 --warmup 2 --seed 5 \
  --crop-scale 0.8 --color-jitter 0.2,0.2,0.2,0.05 --micro-batch 8 --out first
sed 's|"first"|"second"|' first/options.json >options.json
works train --config options.json
cmp first/model.safetensors second/model.safetensors || complain "--config gives another model"
cmp first/checkpoints/last.safetensors second/checkpoints/last.safetensors || complain "--config gives another state"
works train --config options.json --lr 2e-3 --out third
cmp -s first/model.safetensors third/model.safetensors && complain "the command line does not win over --config"

works demo_report --model first --out report.html --pictures pictures
picture=$(find pictures -name '*.png' | sort | head -n 1)
works zero_shot --model first --labels "red circle,blue square" --template "a {}" --json "$picture"
says '"label"'
works embed --model first --images pictures --out pictures.safetensors
works embed --model first --images pictures --out again.safetensors --threads 1
cmp pictures.safetensors again.safetensors || complain "embeddings depend on the number of threads"
works search --model first --index pictures.safetensors query "a red circle" --top 3
says "png"
works evaluate --model first --data scenes:32 --baseline scenes:64
says "baseline, text to image"
works evaluate --model first --data scenes:32 --baseline scenes:64 --json
says '"baseline":{"images":32'
works convert --model first --to open_clip --out other
works convert --model other --to hugging_face --out back
cmp first/model.safetensors back/model.safetensors || complain "there and back gives another model"
works convert --model first --wise-ft third --alpha 0 --to hugging_face --out mixed
cmp first/model.safetensors mixed/model.safetensors || complain "--alpha 0 changes the model"

echo "rubbish" >rubbish.png
head -c 1000 first/model.safetensors >cut.safetensors
mkdir damaged && cp first/*.json first/*.txt damaged && cp cut.safetensors damaged/model.safetensors
refuses "nowhere" zero_shot --model nowhere --labels a,b "$picture"
refuses "model.safetensors" zero_shot --model damaged --labels a,b "$picture"
refuses "rubbish.png" zero_shot --model first --labels a,b rubbish.png
refuses "missing.tar" train --data missing.tar --model-config micro-32 --out fourth
refuses "giant" train --data scenes:64 --model-config giant --out fourth
refuses "resume" train --data scenes:64 --model-config micro-32 --batch 16 --steps 8 --out first
refuses "missing.safetensors" search --model first --index missing.safetensors query "a red circle"
refuses "out" embed --model first --images pictures

[ "$failed" -eq 0 ] && echo "the programs work"
exit "$failed"
