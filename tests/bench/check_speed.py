#!/usr/bin/env python3
"""Compares `ckpt-check check`, all rules on headers and configs, with Python listing the tensors.

  check_speed.py --binary build/release/ckpt-check --python PYTHON_WITH_SAFETENSORS

The repo is card 002 at full size (122,061 tensors, 139.7 GB as holes), written to a temporary
folder. The two alternate; medians are compared and kept in results/check_speed.json.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

HERE = Path(__file__).resolve().parent
MAKE = measure.REPOSITORY / "fixtures" / "full_scale" / "make.py"
IMPORTS = "import json, sys, pathlib, safetensors; from safetensors import safe_open"


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--python", default=sys.executable, help="a Python that has safetensors")
    parser.add_argument("--card", default="002", choices=("000", "002", "004"))
    parser.add_argument("--runs", default=5, type=int)
    return parser.parse_args()


def measured(args, folder):
    make = [sys.executable, MAKE, "--card", args.card, "--state", "clean", "--output", folder]
    subprocess.run(make, check=True)
    commands = {
        "ckpt_check": [args.binary, "check", folder, "--fail-on", "never", "--progress", "none"],
        "python_list": [args.python, HERE / "list_tensors.py", folder],
        "python_imports": [args.python, "-c", IMPORTS],
    }
    for command in commands.values():  # files into the page cache
        measure.run(command)
    return measure.alternate(commands, args.runs)


def main():
    args = options()
    with tempfile.TemporaryDirectory() as parent:
        taken = measured(args, Path(parent) / "repo")
    ours, python = taken["ckpt_check"], taken["python_list"]
    start = taken["python_imports"]["cpu_s"]["median"]
    net = python["cpu_s"]["median"] - start
    ratios = {
        "cpu": measure.ratio(python, ours, "cpu_s"),
        "cpu_without_python_start": round(net / ours["cpu_s"]["median"], 2),
        "wall": measure.ratio(python, ours, "wall_s"),
        "peak_memory": measure.ratio(python, ours, "peak_mib"),
    }
    print("\n".join(measure.table(taken)))
    print("python / ckpt-check:", ", ".join(f"{k} {v}" for k, v in ratios.items()))
    result = {"card": args.card, "runs": args.runs, "measured": taken}
    measure.write("check_speed", result | {"python_over_ckpt_check": ratios})


if __name__ == "__main__":
    main()
