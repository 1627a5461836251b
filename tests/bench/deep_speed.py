#!/usr/bin/env python3
"""Compares `ckpt-check check --deep`, which reads every weight byte, with reading the files alone.

  deep_speed.py --binary build/release/ckpt-check --repo REPO

Before each run the files are dropped from the page cache, so both read from storage; then the same
again from memory, which shows how fast the checks themselves are. Medians go into
results/deep_speed.json.
"""

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

import measure

CHUNK = 8 << 20


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--repo", required=True, type=Path)
    parser.add_argument("--runs", default=5, type=int)
    return parser.parse_args()


def drop(files):
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def read_all(files):
    """Seconds to read every byte, in order, into one buffer."""
    buffer = bytearray(CHUNK)
    start = time.monotonic()
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        while os.readv(descriptor, [buffer]):
            pass
        os.close(descriptor)
    return time.monotonic() - start


def check(binary, repo):
    command = [binary, "check", repo, "--deep", "--fail-on", "never", "--progress", "none"]
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def main():
    args = options()
    files = sorted(args.repo.glob("*.safetensors"))
    size = sum(f.stat().st_size for f in files)
    rates = {}
    for where in ("storage", "memory"):
        for who, work in (
            ("read", lambda: read_all(files)),
            ("check_deep", lambda: check(args.binary, args.repo)),
        ):
            seconds = []
            for _ in range(args.runs):
                if where == "storage":
                    drop(files)
                seconds.append(work())
            rates[f"{who}_{where}"] = round(size / statistics.median(seconds) / 1e6)
    result = {
        "bytes": size,
        "runs": args.runs,
        "mb_per_s": rates,
        "check_over_read": {
            w: round(rates[f"check_deep_{w}"] / rates[f"read_{w}"], 3) for w in ("storage", "memory")
        },
    }
    print(result)
    measure.write("deep_speed", result)


if __name__ == "__main__":
    main()
