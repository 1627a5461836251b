#!/usr/bin/env python3
"""Times the viewer: from the choice of a large tensor until its picture is there, and from the start
of the program until its first frame.

  viewer_speed.py --binary build/release/ckpt-check --bench build/release/tests/bench_viewer

The tensors have the extent of an output head, 248,320 x 4,096: BF16 by rows of 4,096 and by rows of
248,320, and 4 bits as GPTQ packs them, whose words run down the columns. Cold: the system has been
told to forget the files (posix_fadvise). Targets: 100 ms for a picture, 500 ms for a first frame.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure

GOLDEN = measure.REPOSITORY / "fixtures" / "golden" / "models" / "A-causallm-w4a16-autoround"
BASE = GOLDEN.parent / "A-causallm-bf16"
MAKE = measure.REPOSITORY / "fixtures" / "full_scale" / "make.py"
ROWS, COLUMNS, GROUP = 248_320, 4_096, 128
CHUNK = 16 << 20
TARGET_PICTURE_MS, TARGET_FRAME_MS = 100, 500


def bf16_chunk():
    """Values around 0.01 of both signs, as weights have them."""
    rng = random.Random(7)
    low = rng.randbytes(CHUNK // 2)
    high = rng.randbytes(CHUNK // 2).translate(bytes((0x3C, 0xBC, 0x3B, 0xBB) * 64))
    both = bytearray(CHUNK)
    both[0::2], both[1::2] = low, high
    return bytes(both)


def write_tensors(path, tensors):
    """[(name, dtype, shape, bytes, chunk)]; each chunk is repeated as often as it takes."""
    header, at = {}, 0
    for name, dtype, shape, size, _ in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, _, _, size, chunk in tensors:
            for begin in range(0, size, len(chunk)):
                file.write(chunk[: min(len(chunk), size - begin)])
        file.flush()
        os.fsync(file.fileno())  # only what is written out can be forgotten


def write_repo(folder, source, tensors):
    folder.mkdir()
    config = json.loads((source / "config.json").read_text())
    config |= {"hidden_size": COLUMNS, "vocab_size": ROWS}
    quantization = config.get("quantization_config")
    if quantization:
        quantization["extra_config"] |= {"lm_head": {"bits": 4, "group_size": GROUP, "sym": True}}
        quantization["lm_head"] = True
    (folder / "config.json").write_text(json.dumps(config))
    write_tensors(folder / "model.safetensors", tensors)


def make_repos(parent):
    """{what: (repo, tensor)}"""
    plain = bf16_chunk()
    words = random.Random(8).randbytes(CHUNK)
    scale = bytes((0x00, 0x1C)) * 4096  # float16 0.0039
    write_repo(
        parent / "bf16", BASE,
        [
            ("lm_head.weight", "BF16", [ROWS, COLUMNS], 2 * ROWS * COLUMNS, plain),
            ("wide.weight", "BF16", [COLUMNS, ROWS], 2 * ROWS * COLUMNS, plain),
        ],
    )  # fmt: skip
    groups = COLUMNS // GROUP
    write_repo(
        parent / "int4", GOLDEN,
        [
            ("lm_head.qweight", "I32", [COLUMNS // 8, ROWS], ROWS * COLUMNS // 2, words),
            ("lm_head.qzeros", "I32", [groups, ROWS // 8], groups * ROWS // 2, b"\x77" * 4096),
            ("lm_head.scales", "F16", [groups, ROWS], 2 * groups * ROWS, scale),
        ],
    )  # fmt: skip
    return {
        "bf16_248320_x_4096": (parent / "bf16", "lm_head.weight"),
        "bf16_4096_x_248320": (parent / "bf16", "wide.weight"),
        "int4_248320_x_4096": (parent / "int4", "lm_head.qweight"),
    }


def first_frame(binary, repo, runs, script):
    """From just before the program is started to its first frame, and to the end of a run that opens
    the repo, checks it and draws all there is; files in memory."""
    samples = []
    for _ in range(runs + 1):
        start = time.monotonic()
        command = [binary, "gui", repo, "--script", script, "--verbose", "--no-state"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
            told = next((line for line in child.stderr if "first frame" in line), None)
            frame = time.monotonic()
            child.stderr.read()
        if told is None or child.returncode != 0:
            sys.exit(f"no frame of {repo}")
        samples.append(
            {"frame_ms": 1000 * (frame - start), "run_ms": 1000 * (time.monotonic() - start)}
        )
    return measure.summary(samples[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--bench", required=True, type=Path)
    parser.add_argument("--runs", default=5, type=int)
    args = parser.parse_args()
    pictures, frames = {}, {}
    with tempfile.TemporaryDirectory() as parent:
        for what, (repo, tensor) in make_repos(Path(parent)).items():
            for state in ("cold", "warm"):
                command = [args.bench, repo, tensor, state, str(args.runs)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                pictures[f"{what}_{state}"] = json.loads(done.stdout)
                print(what, state, done.stdout.strip(), flush=True)
        published = Path(parent) / "002"
        make = [sys.executable, MAKE, "--card", "002", "--state", "clean", "--output", published]
        subprocess.run(make, check=True)
        script = Path(parent) / "script"
        script.write_text("")
        for what, repo in (("golden", GOLDEN), ("card_002", published)):
            frames[what] = first_frame(args.binary, repo, args.runs, script)
            print(what, frames[what], flush=True)
    ratios = {
        what: {which: round(ms["median"] / TARGET_PICTURE_MS, 2) for which, ms in taken.items()}
        for what, taken in pictures.items()
    }
    for what, taken in frames.items():
        ratios[what] = round(taken["frame_ms"]["median"] / TARGET_FRAME_MS, 2)
    print("share of the target:", json.dumps(ratios, indent=1))
    measure.write(
        "viewer_speed",
        {
            "runs": args.runs,
            "targets_ms": {"picture": TARGET_PICTURE_MS, "first_frame": TARGET_FRAME_MS},
            "pictures": pictures,
            "first_frame": frames,
            "share_of_target": ratios,
        },
    )


if __name__ == "__main__":
    main()
