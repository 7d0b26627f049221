#!/usr/bin/env python3
"""Opens model directories written by couplet in transformers or open_clip and compares the features.

Needs torch, transformers, open_clip_torch and safetensors; run by hand:

    compare_embeddings.py --model DIR --embed build/examples/embed --images a.png b.jpg --texts captions.txt
    compare_embeddings.py --model DIR --golden golden.safetensors

With --embed, the program's features of files and texts are compared with the library's, which includes its image
processor and tokenizer. With --golden, the library runs the model on pixel_values and input_ids of that file and its
features are compared with those in it: a converted directory must give what the original gave.
Prints the largest difference relative to the largest component; exits with 1 where one is above --tolerance.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file


class Transformers:
    """A directory with config.json."""

    def __init__(self, directory):
        from transformers import AutoModel

        self.directory = directory
        self.model = AutoModel.from_pretrained(directory, dtype=torch.float32).eval()

    def pixels(self, paths):
        from PIL import Image
        from transformers import AutoImageProcessor

        processor = AutoImageProcessor.from_pretrained(self.directory, backend="pil")
        return processor(images=[Image.open(path) for path in paths], return_tensors="pt")["pixel_values"]

    def ids(self, texts):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.directory)
        length = self.model.config.text_config.max_position_embeddings
        return tokenizer(texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt").input_ids

    def image_features(self, pixels, **naflex):
        return tensor_of(self.model.get_image_features(pixel_values=pixels, **naflex))

    def text_features(self, ids):
        return tensor_of(self.model.get_text_features(input_ids=ids))


class OpenClip:
    """A directory with open_clip_config.json."""

    def __init__(self, directory):
        import open_clip

        self.name = f"local-dir:{directory}"
        self.model, _, self.preprocess = open_clip.create_model_and_transforms(self.name)
        self.model.eval()

    def pixels(self, paths):
        from PIL import Image

        return torch.stack([self.preprocess(Image.open(path)) for path in paths])

    def ids(self, texts):
        import open_clip

        return open_clip.get_tokenizer(self.name)(texts)

    def image_features(self, pixels):
        return self.model.encode_image(pixels)

    def text_features(self, ids):
        return self.model.encode_text(ids)


def tensor_of(output):
    return output if isinstance(output, torch.Tensor) else output.pooler_output


def embed(program, model, *arguments):
    """The features of couplet's program, without normalisation."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(pathlib.Path(folder) / "out.safetensors")
        command = [program, "--model", model, "--no-normalize", "--out", out, *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return next(iter(load_file(out).values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="model directory")
    parser.add_argument("--library", choices=["transformers", "open_clip"], help="where the directory fits both")
    parser.add_argument("--embed", help="couplet's program embed")
    parser.add_argument("--images", nargs="+", default=[], help="pictures")
    parser.add_argument("--texts", help="file with one text per line")
    parser.add_argument("--golden", help="file with pixel_values, input_ids, image_features and text_features")
    parser.add_argument("--tolerance", type=float, default=1e-5)
    options = parser.parse_args()
    if not options.golden and not options.embed:
        parser.error("give --golden or --embed")

    open_clip = options.library == "open_clip" or (
        not options.library and not (pathlib.Path(options.model) / "config.json").exists())
    library = OpenClip(options.model) if open_clip else Transformers(options.model)
    worst = 0.0

    def compare(what, ours, theirs):
        nonlocal worst
        error = float((ours - theirs).abs().max() / theirs.abs().max())
        worst = max(worst, error)
        print(f"{options.model}: {what} {tuple(theirs.shape)}: {error:.2e}")

    with torch.no_grad():
        if options.golden:
            golden = load_file(options.golden)
            naflex = {key: golden[key] for key in ("pixel_attention_mask", "spatial_shapes") if key in golden}
            features = library.image_features(golden["pixel_values"], **naflex)
            compare("image features, golden", golden["image_features"], features)
            compare("text features, golden", golden["text_features"], library.text_features(golden["input_ids"]))
        if options.embed and options.images:
            features = library.image_features(library.pixels(options.images))
            compare("images", embed(options.embed, options.model, "--images", *options.images), features)
        if options.embed and options.texts:
            texts = [line for line in pathlib.Path(options.texts).read_text(encoding="utf-8").splitlines() if line]
            features = library.text_features(library.ids(texts))
            compare("texts", embed(options.embed, options.model, "--texts", options.texts), features)
    sys.exit(0 if worst <= options.tolerance else 1)


if __name__ == "__main__":
    main()
