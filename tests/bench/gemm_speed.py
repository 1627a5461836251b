#!/usr/bin/env python3
"""Compares our products with OpenBLAS on weights that are decoded already, one thread each.

  gemm_speed.py --bench build/release/tests/bench_gemm

`bench_gemm` measures both in the same run; a ratio above 1 says that ours is the faster one. Codes
of 4 bits and BF16 are decoded within our product, OpenBLAS reads f32 that somebody has decoded.
Kept in results/gemm_speed.json.
"""

import argparse
import json
import subprocess
from pathlib import Path

import measure


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bench", required=True, type=Path)
    args = parser.parse_args()
    said = subprocess.run([args.bench, "--json"], check=True, capture_output=True, text=True).stdout
    lines = [json.loads(line) for line in said.splitlines()]
    for line in lines[1:]:
        print(line)
    measure.write("gemm_speed", {"backend": lines[0]["backend"], "sizes": lines[1:]})


if __name__ == "__main__":
    main()
