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

bin=$root/build/examples
demo=$root/build/demo
rm -rf "$demo"
mkdir -p "$demo"

echo
echo "Training a small model from scratch on generated scenes (about three minutes) ..."
"$bin/train" --data scenes:40000 --val-data scenes:960 --model-config micro-32 --batch 64 --steps 4000 \
  --lr 1e-3 --warmup 100 --seed 1 \
  --template "a {}" --out "$demo/model"

echo
echo "Classifying and searching scenes it has not seen ..."
"$bin/demo_report" --model "$demo/model" --out "$demo/report.html" --pictures "$demo/pictures"
"$bin/search" --model "$demo/model" --index "$demo/pictures.safetensors" build "$demo/pictures"
"$bin/search" --model "$demo/model" --index "$demo/pictures.safetensors" query "a red circle" --top 5

# A path as a shell reads it: in quotes if it has a space or another character that needs them.
word() {
  case "$1" in
    *[!A-Za-z0-9_./+-]*) printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")" ;;
    *) printf %s "$1" ;;
  esac
}
model=$(word "$demo/model")

cat <<TXT

Open $demo/report.html in a browser. Then try, with pictures of your own or with those in build/demo/pictures:

  $(word "$bin/zero_shot") --model $model --labels "red circle,blue square,green star" --template "a {}" $(word "$demo/pictures")
  $(word "$bin/search") --model $model --index photos.safetensors build YOUR_PICTURES
  $(word "$bin/search") --model $model --index photos.safetensors query "a yellow ring" --html found.html

This model knows coloured shapes only. For photographs give --model a CLIP or SigLIP directory in the Hugging Face layout.
TXT
