#!/usr/bin/env python3
"""Rate at which packed weights are used, against the torch code of the libraries that write them.

  decode_speed.py --bench build/release/tests/bench_decode

One linear [2048, 4096] per format, one thread each. Ours decodes and multiplies with one row
(tests/bench/decode_bench.cpp); theirs decodes to a float32 matrix: compressed-tensors by its
decompressors, AutoRound's layouts by its torch module on one row, which decodes whole first.
Needs torch, compressed-tensors, auto-round, safetensors.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "fixtures" / "codecs"))
sys.path.insert(0, str(Path(__file__).parent))

import make  # noqa: E402
import torch  # noqa: E402
from measure import write  # noqa: E402

N, K = 2048, 4096
RUNS = 5


def median_seconds(call):
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def library_cases():
    """name, packed tensors, a call that decodes them with the library."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    for name, fmt, args in (
        ("compressed-tensors w4 g32", "pack-quantized",
         dict(num_bits=4, strategy="group", group_size=32, symmetric=True)),
        ("compressed-tensors w8 channel", "pack-quantized",
         dict(num_bits=8, strategy="channel", symmetric=True)),
        ("compressed-tensors fp8 channel", "float-quantized",
         dict(num_bits=8, type="float", strategy="channel", symmetric=True)),
    ):
        a = QuantizationArgs(**args)
        w = make.weight(1)
        size = args.get("group_size") or K
        high = w.reshape(N, K // size, size).abs().amax(-1)
        top = 448.0 if args.get("type") == "float" else 2 ** (args["num_bits"] - 1) - 1
        scheme = QuantizationScheme(targets=["Linear"], weights=a)
        compressor = BaseCompressor.get_value_from_registry(fmt)
        packed = compressor.compress({"weight": w, "weight_scale": high / top}, scheme)
        yield name, packed, lambda c=compressor, p=packed, s=scheme: c.decompress(dict(p), s)
    from auto_round_extension.torch import qlinear_torch_zp

    w = make.weight(2)
    scale = (w.reshape(N, K // 128, 128).abs().amax(-1) / 8).half().float()
    linear = torch.nn.Linear(K, N, bias=False)
    linear.weight.data = w
    q = qlinear_torch_zp.QuantLinear(4, 128, K, N, False)
    q.device = torch.device("cpu")
    q.pack(linear, scale, torch.full_like(scale, 8), None)
    packed = {"qweight": q.qweight, "qzeros": q.qzeros, "scales": q.scales.clone()}
    q.scales = q.scales.float()
    row = torch.ones(1, K)
    yield "auto-round w4 g128", packed, lambda: q.forward(row)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    make.N, make.K = N, K
    cases = list(library_cases())
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        repo = Path(folder) / "repo"
        written = [(n, {k: v for k, v in p.items() if v is not None}, torch.zeros(N, K))
                   for n, p, _ in cases]
        make.write(repo, written, {"quant_method": "gptq", "bits": 4, "sym": True})
        theirs = {name: median_seconds(call) for name, _, call in cases}
        lines = subprocess.run([args.bench, str(repo)], capture_output=True, text=True, check=True)
    rows = []
    for line in lines.stdout.splitlines():
        expert, weights, seconds = line.split()
        name = cases[int(expert)][0]
        ours, lib = int(weights) / float(seconds), N * K / theirs[name]
        rows.append({"format": name, "ours_weights_per_s": round(ours),
                     "library_weights_per_s": round(lib), "ratio": round(ours / lib, 1)})
        print(f"{name:32} ours {ours / 1e9:6.2f} G/s   library {lib / 1e9:6.3f} G/s   "
              f"{ours / lib:6.1f} times")
    write("decode_speed", {"rows": rows})


if __name__ == "__main__":
    main()
