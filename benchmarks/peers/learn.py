"""couplet and open_clip learn the same: one model, the same initial weights, batches and schedule, step by step.

    benchmarks/peers/setup.sh /tmp/peers                                       # once
    cmake --build build --target couplet_worker
    /tmp/peers/bin/python benchmarks/peers/learn.py --out docs/learning-curve  # some minutes

A small ViT CLIP of open_clip, saved as open_clip saves it and read by couplet, learns 200 steps of painted discs,
squares and crosses with captions of colour, shape and place, in float32. open_clip does the same in float64: how far its
own float32 run strays from that is what rounding alone does. Writes OUT.json and OUT.svg; ends with an error when one of
the first 50 losses differs by more than 1e-4 of it.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", default=str(ROOT / "build" / "learning-curve"), help="where results go, without a suffix")
parser.add_argument("--worker", default=str(ROOT / "build" / "benchmarks" / "couplet_worker"))
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--warmup", type=int, default=20)
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import numpy as np  # noqa: E402
import open_clip  # noqa: E402
import torch  # noqa: E402
from safetensors.numpy import load_file  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

torch.set_num_threads(options.threads)

SIZE, TOKENS, END = 64, 8, 63
COLOURS = ((0.9, 0.1, 0.1), (0.1, 0.7, 0.2), (0.1, 0.2, 0.9), (0.9, 0.8, 0.1), (0.6, 0.1, 0.7), (0.1, 0.8, 0.8))
CONFIG = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": SIZE, "layers": 4, "width": 128, "head_width": 64, "patch_size": 8},
    "text_cfg": {"context_length": TOKENS, "vocab_size": END + 1, "width": 128, "heads": 2, "layers": 4},
}


def paint(generator, colour, shape, row, column):
    """A picture of 3 x 64 x 64 with mean near 0: noise, and one thing in one of nine places."""
    picture = generator.normal(0, 0.2, (3, SIZE, SIZE))
    y, x = np.mgrid[:SIZE, :SIZE]
    y, x = y - (12 + 20 * row + generator.integers(-3, 4)), x - (12 + 20 * column + generator.integers(-3, 4))
    inside = (y * y + x * x < 64, (abs(y) < 7) & (abs(x) < 7), (abs(y) < 3) & (abs(x) < 9) | (abs(x) < 3) & (abs(y) < 9))
    picture[:, inside[shape]] += 2 * np.array(COLOURS[colour])[:, None] - 0.5
    return picture.astype(np.float32)


def make_data(samples=2048):
    generator = np.random.default_rng(1)
    pixels, ids = [], np.zeros((samples, TOKENS), np.int64)
    for row in ids:
        colour, shape, y, x = (int(generator.integers(n)) for n in (len(COLOURS), 3, 3, 3))
        pixels.append(paint(generator, colour, shape, y, x))
        row[:6] = END - 1, 1 + colour, 10 + shape, 20 + y, 30 + x, END
    order = np.stack([generator.permutation(samples)[: options.batch] for _ in range(options.steps)])
    return {"pixel_values": torch.from_numpy(np.stack(pixels)), "input_ids": torch.from_numpy(ids),
            "order": torch.from_numpy(order)}


def learning_rate(step):
    """open_clip_train.scheduler.cosine_lr."""
    if step < options.warmup:
        return options.lr * (step + 1) / options.warmup
    done = (step - options.warmup) / (options.steps - options.warmup)
    return 0.5 * (1 + math.cos(math.pi * done)) * options.lr


def open_clip_losses(state, data, dtype):
    """open_clip's model and loss; AdamW with decay for matrices, as open_clip 3 groups the parameters."""
    model = open_clip.CLIP(**CONFIG)
    model.load_state_dict(state)
    model.to(dtype).train()
    still = {name for name, p in model.named_parameters() if p.ndim <= 1 or "positional_embedding" in name}
    groups = [{"params": [p for name, p in model.named_parameters() if (name in still) == (decay == 0)],
               "weight_decay": decay} for decay in (0, 0.2)]
    optimizer = torch.optim.AdamW(groups, lr=options.lr, betas=(0.9, 0.98), eps=1e-6)
    criterion = open_clip.ClipLoss()
    losses = []
    for step, batch in enumerate(data["order"]):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        optimizer.zero_grad()
        image, text, scale = model(data["pixel_values"][batch].to(dtype), data["input_ids"][batch])[:3]
        loss = criterion(image, text, scale)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        losses.append(loss.item())
    return np.array(losses)


def couplet_losses(folder):
    line = (f"learn model={folder / 'model'} data={folder / 'data.safetensors'} precision=float32 lr={options.lr} "
            f"warmup={options.warmup} write={folder / 'losses.safetensors'}\n")
    answer = subprocess.run([options.worker], input=line, capture_output=True, text=True, check=True).stdout.strip()
    if not answer.startswith("ok "):
        raise SystemExit(f"couplet: {answer}")
    return load_file(folder / "losses.safetensors")["losses"].astype(np.float64)


def panel(parts, top, height, legend, curves, low, high, ticks, label):
    """One plot, 640 wide: curves of one value per step between low and high, their names from `legend` down."""
    left, width = 70, 640
    y = lambda value: top + height * (1 - (min(max(value, low), high) - low) / (high - low))  # noqa: E731
    for value, text in ticks:
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{text}</text>')
    for name, values, style in curves:
        points = " ".join(f"{left + width * i / (len(values) - 1):.1f},{y(v):.1f}" for i, v in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" {style}><title>{name}</title></polyline>')
    for i, (name, _, style) in enumerate(curves):
        at = legend + 18 * i
        parts.append(f'<line x1="{left + 420}" x2="{left + 450}" y1="{at - 4}" y2="{at - 4}" {style}/>'
                     f'<text x="{left + 458}" y="{at}">{name}</text>')
    parts.append(f'<text x="{left}" y="{top - 8}" font-weight="bold">{label}</text>')


def write_chart(path, ours, theirs, exact):
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" width="740" height="500" font-family="sans-serif" font-size="12">',
             '<rect width="740" height="500" fill="#ffffff"/>']
    green, red = 'stroke="#2a7f62" stroke-width="2"', 'stroke="#b5532d" stroke-width="5" stroke-opacity="0.35"'
    top = math.ceil(max(ours.max(), theirs.max()))
    panel(parts, 30, 210, 46, [("open_clip", theirs, red), ("couplet", ours, green)], 0, top,
          [(v, str(v)) for v in range(top + 1)], "InfoNCE loss by step, float32")
    distance = lambda a, b: np.log10(np.maximum(abs(a - b) / b, 1e-9))  # noqa: E731
    panel(parts, 280, 180, 430, [("couplet to open_clip", distance(ours, theirs), 'stroke="#2a7f62" stroke-width="1.5"'),
                                 ("open_clip to its float64 run", distance(theirs, exact),
                                  'stroke="#b5532d" stroke-width="1.5"')],
          -8, -1, [(v, f"1e{v}") for v in range(-8, 0)], "relative difference by step")
    parts.append(f'<text x="70" y="484">0</text><text x="710" y="484" text-anchor="end">step {len(ours)}</text></svg>')
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")


def main():
    torch.manual_seed(1)
    model = open_clip.CLIP(**CONFIG)
    data = make_data()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "model").mkdir()
        (folder / "model" / "open_clip_config.json").write_text(json.dumps({"model_cfg": CONFIG}))
        save_file(state, folder / "model" / "open_clip_model.safetensors")
        save_file(data, folder / "data.safetensors")
        ours = couplet_losses(folder)
    theirs = open_clip_losses(state, data, torch.float32)
    exact = open_clip_losses(state, data, torch.float64)
    difference, rounding = abs(ours - theirs) / theirs, abs(theirs - exact) / exact
    out = pathlib.Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_text(json.dumps({"couplet": list(ours), "open_clip": list(theirs),
                                                    "open_clip float64": list(exact)}) + "\n", encoding="utf-8")
    write_chart(out.with_suffix(".svg"), ours, theirs, exact)
    for steps in (50, options.steps):
        print(f"steps 1 to {steps}: largest relative difference {difference[:steps].max():.1e}; "
              f"open_clip's float32 to its float64 {rounding[:steps].max():.1e}; loss {theirs[0]:.3f} -> {theirs[steps - 1]:.3f}")
    if difference[:50].max() > 1e-4:
        raise SystemExit("the first 50 losses differ by more than 1e-4")


if __name__ == "__main__":
    main()
