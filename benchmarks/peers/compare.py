"""couplet beside PyTorch, OpenVINO, ONNX Runtime, open_clip, Pillow and torchvision, in turns on this machine.

    benchmarks/peers/setup.sh /tmp/peers                                # once
    benchmarks/run.sh --filter nothing                                  # builds couplet's side
    /tmp/peers/bin/python benchmarks/peers/compare.py --out docs/peers  # about 15 minutes

Every row runs each peer and couplet in turns, a quarter of a second or one repetition each, after a pause in which the
threads of the one before stop spinning, and compares medians; the share of the float32 multiply-add peak is that of the same
minutes. Both sides have the same weights (a random ViT-B/32 CLIP, written
by transformers and read by couplet) and the same inputs, and their features must agree before anything is timed.
Writes OUT.json, OUT.md and OUT.svg.
"""

import argparse
import io
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", default=str(ROOT / "build" / "peers"), help="where results go, without a suffix")
parser.add_argument("--worker", default=str(ROOT / "build" / "benchmarks" / "couplet_worker"))
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--only", default="", help="rows whose name this regular expression finds")
parser.add_argument("--seconds", type=float, default=12, help="time for the repetitions of a row")
parser.add_argument("--level", choices=["avx2"], help="float32 with the instructions of this level alone, on both sides")
parser.add_argument("--captions", default="", help="a TSV list with a column title or name: texts of real length")
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)
if options.level:
    os.environ |= {"COUPLET_ARCH": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
                   "ONEDNN_MAX_CPU_ISA": "AVX2"}

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

torch.set_num_threads(options.threads)
torch.manual_seed(1)
transformers.logging.set_verbosity_error()


class Couplet:
    """The worker program: one line in, one line out."""

    def __init__(self):
        self.process = subprocess.Popen([options.worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, task, **settings):
        line = " ".join([task] + [f"{key}={value}" for key, value in settings.items()])
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer.startswith("ok "):
            raise RuntimeError(f"{line}: {answer}")
        return float(answer[3:])


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# ------------------------------------------------------------------------------------------------------ what is compared


class Inputs:
    """A random ViT-B/32 as a Hugging Face directory, pictures and texts."""

    def __init__(self, folder):
        self.folder = folder
        self.model = transformers.CLIPModel(transformers.CLIPConfig()).eval()
        self.model.save_pretrained(folder / "model")
        self.pixels = torch.randn(32, 3, 224, 224)
        self.full = torch.randint(1000, 40000, (32, 77))
        self.full[:, 0], self.full[:, -1] = 49406, 49407
        self.captions = self.real_captions()
        self.longest = int((self.captions == 49407).int().argmax(1).max()) + 1
        tensors = {"pixel_values": self.pixels, "full": self.full, "captions": self.captions}
        save_file(tensors, folder / "inputs.safetensors")

    def real_captions(self):
        """32 texts of the lengths that a list's titles have (about 1.3 tokens a word), or of image captions' lengths."""
        lengths = [min(77, 2 + round(1.3 * words)) for words in (3, 4, 5, 6, 8, 10, 12, 14)] * 4
        if options.captions:
            with open(options.captions, encoding="utf-8") as file:
                header = file.readline().rstrip("\n").split("\t")
                column = header.index("title" if "title" in header else "name")
                titles = [line.rstrip("\n").split("\t")[column] for line in file]
            lengths = [min(77, 2 + round(1.3 * len(title.split()))) for title in titles[:: max(1, len(titles) // 32)][:32]]
        ids = torch.full((32, 77), 49407)
        for row, length in zip(ids, lengths):
            row[: length - 1] = torch.randint(1000, 40000, (length - 1,))
            row[0] = 49406
        return ids

    def image(self, model, pixels):
        return model.visual_projection(model.vision_model(pixel_values=pixels)[1])

    def text(self, model, ids):
        return model.text_projection(model.text_model(input_ids=ids)[1])


class Tower(torch.nn.Module):
    def __init__(self, inputs, name, dtype):
        super().__init__()
        import copy

        self.model = copy.deepcopy(inputs.model).to(dtype)
        self.run = getattr(inputs, name)

    def forward(self, x):
        return self.run(self.model, x)


def tower_peers(inputs, name, x, dtype):
    """Callables that compute the features of x by each peer."""
    module = Tower(inputs, name, dtype)
    typed = x.to(dtype) if x.is_floating_point() else x
    peers = {}
    with torch.inference_mode():
        peers["PyTorch"] = lambda: module(typed)
        try:
            compiled = torch.compile(module)
            compiled(typed)
            peers["torch.compile"] = lambda: compiled(typed)
        except Exception as error:  # a compiler that is missing is no reason to measure nothing
            print("torch.compile:", str(error).splitlines()[0], file=sys.stderr)
    try:
        peers["OpenVINO"] = openvino_peer(inputs, name, x, dtype)
    except Exception as error:
        print("OpenVINO:", str(error).splitlines()[0], file=sys.stderr)
    if dtype == torch.float32:
        try:
            peers["ONNX Runtime"] = onnxruntime_peer(inputs, name, x)
        except Exception as error:
            print("ONNX Runtime:", str(error).splitlines()[0], file=sys.stderr)
    return peers


def openvino_peer(inputs, name, x, dtype):
    import openvino

    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": options.threads,
                              "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32"})
    model = openvino.convert_model(Tower(inputs, name, torch.float32).eval(), example_input=x)
    model.reshape(list(x.shape))
    compiled = core.compile_model(model, "CPU")
    array = x.numpy()
    return lambda: torch.from_numpy(next(iter(compiled(array).values())))


def onnxruntime_peer(inputs, name, x):
    import onnxruntime

    path = str(inputs.folder / f"{name}{tuple(x.shape)}.onnx")
    torch.onnx.export(Tower(inputs, name, torch.float32).eval(), (x,), path, input_names=["x"], dynamo=False)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = options.threads
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    return lambda: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])


class Rows:
    def __init__(self, couplet):
        self.couplet = couplet
        self.rows = []

    def wanted(self, name):
        return re.search(options.only, name) is not None

    def measure(self, name, amount, unit, ours, peers):
        """Runs everything in turns; `amount` units of work per repetition."""
        everyone = {"couplet": ours} | {peer: (lambda work=work: seconds(work)) for peer, work in peers.items()}
        turns = {}
        for who, run in everyone.items():
            run()  # compiles, allocates
            turns[who] = max(1, round(0.25 / run()))
        times = {who: [] for who in everyone}
        peaks = []
        start = time.perf_counter()
        while time.perf_counter() - start < options.seconds or len(peaks) < 3:
            for who, run in everyone.items():
                time.sleep(0.05)
                if turns[who] > 1:
                    run()  # wakes its threads
                times[who] += [run() for _ in range(turns[who])]
            time.sleep(0.05)
            peaks.append(self.couplet("peak"))
        rates = {who: amount / statistics.median(values) for who, values in times.items()}
        best = max((who for who in rates if who != "couplet"), key=rates.get)
        row = {"name": name, "unit": unit, "rates": rates, "best_peer": best, "ratio": rates["couplet"] / rates[best],
               "peak_gflops": statistics.median(peaks), "turns": len(peaks)}
        self.rows.append(row)
        write_results(self.rows)
        listed = ", ".join(f"{who} {rate:.4g}" for who, rate in rates.items())
        print(f"{name}: {row['ratio']:.2f} x {best} ({listed} {unit}; peak {row['peak_gflops']:.0f} GFLOP/s)", flush=True)


def agree(name, couplet, inputs, task, reference, tolerance, **settings):
    path = inputs.folder / "features.safetensors"
    couplet(task, write=path, **settings)
    ours = load_file(path)["features"].double()
    error = float((ours - reference.double()).norm() / reference.double().norm())
    if not error < tolerance:
        raise SystemExit(f"{name}: features differ by {error:.2e}, more than {tolerance}: nothing is timed")
    return error


def towers(rows, inputs, bf16):
    exact = inputs.model.double()
    with torch.inference_mode():
        references = {"image": inputs.image(exact, inputs.pixels.double()), "full": inputs.text(exact, inputs.full),
                      "captions": inputs.text(exact, inputs.captions)}
    inputs.model.float()
    for precision, dtype, tolerance in (("float32", torch.float32, 1e-5), ("bfloat16", torch.bfloat16, 3e-2)):
        if precision == "bfloat16" and not bf16:
            continue
        short = "f32" if precision == "float32" else "bf16"
        for batch in (32, 1):
            name = f"image tower, {short}, batch {batch}"
            if not rows.wanted(name):
                continue
            settings = dict(precision=precision, batch=batch)
            agree(name, rows.couplet, inputs, "image", references["image"][:batch], tolerance, **settings)
            with torch.inference_mode():
                rows.measure(name, batch, "img/s", lambda: rows.couplet("image", **settings),
                             tower_peers(inputs, "image", inputs.pixels[:batch], dtype))
        for ids in ("full", "captions"):
            name = f"text tower, {short}, batch 32, " + ("77 tokens" if ids == "full" else "captions")
            if not rows.wanted(name):
                continue
            settings = dict(precision=precision, batch=32, ids=ids)
            agree(name, rows.couplet, inputs, "text", references[ids], tolerance, **settings)
            with torch.inference_mode():
                peers = tower_peers(inputs, "text", getattr(inputs, ids), dtype)
                if ids == "captions":
                    cut = inputs.captions[:, : inputs.longest]
                    peers |= {f"{who}, cut to {inputs.longest}": work
                              for who, work in tower_peers(inputs, "text", cut, dtype).items() if who == "OpenVINO"}
                rows.measure(name, 32, "texts/s", lambda: rows.couplet("text", **settings), peers)


def training(rows, inputs, bf16):
    for precision in ("float32", "bfloat16"):
        if precision == "bfloat16" and not bf16:
            continue
        for ids in ("full", "captions"):
            name = f"training step, {precision}, batch 32, " + ("77 tokens" if ids == "full" else "captions")
            if not rows.wanted(name):
                continue
            import copy

            model = copy.deepcopy(inputs.model).train()
            optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
            texts = getattr(inputs, ids)

            def step(run=model):
                optimizer.zero_grad()
                with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                    image = F.normalize(inputs.image(run, inputs.pixels), dim=-1)
                    text = F.normalize(inputs.text(run, texts), dim=-1)
                    logits = model.logit_scale.exp() * image @ text.T
                    target = torch.arange(32)
                    loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()

            rows.measure(name, 32, "pairs/s", lambda: rows.couplet("train", precision=precision, batch=32, ids=ids),
                         {"PyTorch": step})


def attention(rows, bf16):
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        if precision == "bfloat16" and not bf16:
            continue
        short = "f32" if precision == "float32" else "bf16"
        for tokens, count in ((50, 384), (77, 384), (197, 384), (577, 96)):
            shape = (count // 12, 12, tokens, 64)
            q, k, v = (torch.randn(shape, dtype=dtype) for _ in range(3))
            grads = [torch.randn(shape, dtype=dtype).requires_grad_() for _ in range(3)]
            flop = 4 * tokens * tokens * 64 * count

            def forward():
                with torch.inference_mode():
                    F.scaled_dot_product_attention(q, k, v)

            def both():
                out = F.scaled_dot_product_attention(*grads)
                out.backward(out.detach())

            for backward, work, passes in ((0, forward, 1), (1, both, 3.5)):
                name = f"attention {'forward + backward' if backward else 'forward'}, {short}, T = {tokens}"
                settings = dict(tokens=tokens, heads=count, backward=backward, precision=precision)
                if rows.wanted(name):
                    rows.measure(name, passes * flop * 1e-9, "GFLOP/s", lambda: rows.couplet("attention", **settings),
                                 {"PyTorch": work})


def linear(rows, bf16):
    shapes = {"proj": (768, 768), "fc1": (768, 3072), "fc2": (3072, 768), "qkv": (768, 2304)}
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        if precision == "bfloat16" and not bf16:
            continue
        for layer, (inputs, outputs) in shapes.items():
            x, y = torch.randn(1600, inputs, dtype=dtype), torch.randn(1600, outputs, dtype=dtype)
            weight = torch.randn(outputs, inputs, dtype=dtype)
            works = {"forward": lambda: F.linear(x, weight), "input": lambda: y @ weight, "weight": lambda: y.T @ x}
            for direction, work in works.items():
                name = f"linear {layer} {direction}, {precision}"
                if not rows.wanted(name) or (precision == "bfloat16" and direction != "forward"):
                    continue
                settings = dict(rows=1600, inputs=inputs, outputs=outputs, precision=precision, direction=direction)
                with torch.inference_mode():
                    rows.measure(name, 2e-9 * 1600 * inputs * outputs, "GFLOP/s",
                                 lambda: rows.couplet("linear", **settings), {"PyTorch": work})


def losses(rows, bf16):
    import open_clip

    loss = open_clip.ClipLoss()
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        if precision == "bfloat16" and not bf16:
            continue
        for pairs in (8192, 16384):
            name = f"InfoNCE forward + backward, {'f32' if precision == 'float32' else 'bf16'}, N = {pairs}"
            if not rows.wanted(name):
                continue
            image, text = (F.normalize(torch.randn(pairs, 512), dim=-1).to(dtype).requires_grad_() for _ in range(2))
            scale = torch.tensor(2.6593).exp().to(dtype).requires_grad_()
            settings = dict(pairs=pairs, width=512, precision=precision)
            rows.measure(name, 1, "losses/s", lambda: rows.couplet("clip_loss", **settings),
                         {"open_clip": lambda: loss(image, text, scale).backward()})


def photograph(seed):
    """A JPEG of 500 x 375 that looks like a photograph to a decoder: smooth noise on three scales, and the sensor's."""
    random = np.random.default_rng(seed)
    pixels = 128 + random.normal(0, 3, (375, 500, 1))
    for height, width, deviation in ((6, 8, 60), (24, 32, 25), (94, 125, 10)):
        coarse = random.normal(0, deviation, (3, height, width)).astype(np.float32)
        fine = [np.asarray(Image.fromarray(plane).resize((500, 375), Image.BICUBIC)) for plane in coarse]
        pixels = pixels + np.stack(fine, -1)
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def pictures(rows, couplet, inputs):
    """From JPEG files in memory to normalised tensors of 224 x 224, on one thread."""
    name = "JPEG 500 x 375 to CLIP's 224 x 224, one thread"
    if not rows.wanted(name):
        return
    files = [photograph(seed) for seed in range(64)]
    shard = inputs.folder / "pictures.tar"
    with tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT) as tar:
        for i, content in enumerate(files):
            member = tarfile.TarInfo(f"{i:03}.jpg")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    mean, std = (np.array(x, np.float32) for x in (transformers.image_utils.OPENAI_CLIP_MEAN,
                                                   transformers.image_utils.OPENAI_CLIP_STD))
    out = np.empty((len(files), 3, 224, 224), np.float32)

    def pillow():
        for i, content in enumerate(files):
            picture = Image.open(io.BytesIO(content)).convert("RGB").resize((298, 224), Image.BICUBIC)
            pixels = np.asarray(picture.crop((37, 0, 261, 224)), np.float32)
            out[i] = ((pixels / 255 - mean) / std).transpose(2, 0, 1)

    peers = {"Pillow and NumPy": pillow}
    try:
        import torchvision
        from torchvision.transforms import v2

        transform = v2.Compose([v2.Resize(224, v2.InterpolationMode.BICUBIC, antialias=True), v2.CenterCrop(224),
                                v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean.tolist(), std.tolist())])
        encoded = [torch.frombuffer(bytearray(content), dtype=torch.uint8) for content in files]
        rgb = torchvision.io.ImageReadMode.RGB
        peers["torchvision"] = lambda: [transform(torchvision.io.decode_jpeg(file, rgb)) for file in encoded]
        pil = v2.Compose([v2.ToImage(), transform])
        peers["torchvision from Pillow"] = lambda: [pil(Image.open(io.BytesIO(content)).convert("RGB"))
                                                    for content in files]
    except ImportError as error:
        print("torchvision:", error, file=sys.stderr)
    pillow()
    agree(name, couplet, inputs, "pictures", torch.from_numpy(out).flatten(1), 1e-6, shard=shard)
    torch.set_num_threads(1)
    rows.measure(name, len(files), "img/s", lambda: couplet("pictures", shard=shard), peers)
    torch.set_num_threads(options.threads)


# ---------------------------------------------------------------------------------------------------------------- output


def write_table(rows, path):
    lines = ["| work | couplet | best peer | ratio | others |", "|---|---|---|---|---|"]
    for row in rows:
        rates, best = row["rates"], row["best_peer"]
        others = ", ".join(f"{who} {rate:.4g}" for who, rate in rates.items() if who not in ("couplet", best))
        lines.append(f"| {row['name']} | {rates['couplet']:.4g} {row['unit']} | {best} {rates[best]:.4g} | "
                     f"**{row['ratio']:.2f}** | {others} |")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_chart(rows, path):
    """Horizontal bars: couplet's rate divided by the best peer's."""
    height, left, width = 26, 330, 860
    longest = max(2.0, max(row["ratio"] for row in rows))
    scale = (width - left - 170) / longest
    total = height * len(rows) + 60
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{total}" font-family="sans-serif" '
             'font-size="13">', f'<rect width="{width}" height="{total}" fill="#ffffff"/>',
             '<text x="12" y="22" font-size="15" font-weight="bold">couplet against the best peer, '
             'same minutes (1.0 = as fast)</text>']
    for i, row in enumerate(rows):
        y = 40 + i * height
        colour = "#2a7f62" if row["ratio"] >= 1 else "#b5532d"
        label = row["name"].replace("&", "&amp;").replace("<", "&lt;")
        parts.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{label}</text>')
        parts.append(f'<rect x="{left}" y="{y + 3}" width="{max(1.0, row["ratio"] * scale):.1f}" height="16" rx="2" '
                     f'fill="{colour}"/>')
        parts.append(f'<text x="{left + row["ratio"] * scale + 6:.1f}" y="{y + 15}">{row["ratio"]:.2f} x '
                     f'<tspan fill="#777777">{row["best_peer"]}</tspan></text>')
    x = left + scale
    parts.append(f'<line x1="{x:.1f}" y1="34" x2="{x:.1f}" y2="{total - 14}" stroke="#333333" stroke-dasharray="4 3"/>')
    path.write_text("\n".join(parts + ["</svg>"]) + "\n", encoding="utf-8")


def write_results(rows):
    """After every row, so that a run that is stopped leaves what it has measured."""
    out = pathlib.Path(options.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__}
    report = {"versions": versions, "threads": options.threads, "rows": rows}
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    write_table(rows, out.with_suffix(".md"))
    write_chart(rows, out.with_suffix(".svg"))


def main():
    couplet = Couplet()
    rows = Rows(couplet)
    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(pathlib.Path(folder))
        couplet("load", model=inputs.folder / "model", inputs=inputs.folder / "inputs.safetensors")
        try:
            couplet("image", precision="bfloat16", batch=1)
            bf16 = True
        except RuntimeError as error:
            print("without bfloat16:", error)
            bf16 = False
        attention(rows, bf16)
        linear(rows, bf16)
        losses(rows, bf16)
        pictures(rows, couplet, inputs)
        towers(rows, inputs, bf16)
        training(rows, inputs, bf16)


if __name__ == "__main__":
    main()
