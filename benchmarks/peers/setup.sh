#!/bin/sh
# Makes a virtual environment with the peers, outside the tree: benchmarks/peers/setup.sh FOLDER
# Then: FOLDER/bin/python benchmarks/peers/compare.py
set -eu
folder=${1?a folder for the virtual environment, outside the tree}
python3 -m venv "$folder"
"$folder/bin/pip" install --quiet torch torchvision pillow transformers open_clip_torch openvino onnxruntime onnx onnxscript
"$folder/bin/python" -c 'import torch, openvino, onnxruntime; print(torch.__version__, openvino.__version__, onnxruntime.__version__)'
