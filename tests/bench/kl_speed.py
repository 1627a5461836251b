#!/usr/bin/env python3
"""Compares `ckpt-check kl` with a plain transformers script: same pair, same tokens, same mean KL.

  kl_speed.py --binary build/release/ckpt-check --python PYTHON_WITH_TRANSFORMERS [--threads 1]

The script computes the KL and nothing else; `kl_only` does the same, the others also the local
error of every layer and expert, which is a third evaluation. The pair comes from
fixtures/kl_pair/make.py, in a temporary folder unless --pair names one. The programs alternate;
medians are compared and kept in results/kl_speed.json. With --threads 1 the figures hold on a busy
machine too; with more, idle threads that spin count as CPU time.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

HERE = Path(__file__).resolve().parent
MAKE = measure.REPOSITORY / "fixtures" / "kl_pair" / "make.py"
# Relative difference of two means that is rounding, not a mistake: F32 sums in another order; in
# BF16 the two programs round at slightly different places, and each routes some tokens differently.
AGREE = {"fp32": 1e-4, "bf16": 0.05}


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--python", default=sys.executable, help="has torch and transformers")
    parser.add_argument("--pair", type=Path, help="what kl_pair/make.py wrote")
    parser.add_argument("--runs", default=3, type=int)
    parser.add_argument("--threads", default=os.cpu_count(), type=int)
    parser.add_argument("--name", default="kl_speed", help="of the file in results/")
    return parser.parse_args()


def commands_of(args, pair):
    common = ["--token-ids", pair / "tokens.npy"]
    ours = [args.binary, "kl", pair / "candidate", "--reference", pair / "reference", *common]
    ours += ["--json", "--progress", "none", "--threads", args.threads]
    plain = [args.python, HERE / "plain_transformers.py", "--candidate", pair / "candidate"]
    plain += ["--reference", pair / "reference", *common]
    return {
        "ckpt_check_bf16": [*ours, "--mode", "bf16"],
        "ckpt_check_kl_only_bf16": [*ours, "--mode", "bf16", "--skip-local"],
        "ckpt_check_fp32": [*ours, "--mode", "fp32"],
        "plain_bf16": [*plain, "--dtype", "bfloat16"],
        "plain_fp32": [*plain, "--dtype", "float32"],
    }


def said(path, name):
    """The mean, and how long the last run says it took apart from starting the program."""
    if name.startswith("plain"):
        line = json.loads(path.read_text().splitlines()[-1])
        return {key: line[key] for key in ("mean_kl", "load_s", "compute_s")}
    results = json.loads(path.read_text())
    duration = round(results["run"]["duration_s"], 2)
    return {"mean_kl": results["metrics"]["kl"]["mean"], "load_and_compute_s": duration}


def agreement(words):
    """Both programs must have computed the same number before their speed means anything."""
    for mode, tolerance in AGREE.items():
        ours, plain = (words[f"{who}_{mode}"]["mean_kl"] for who in ("ckpt_check", "plain"))
        if not abs(ours - plain) <= tolerance * plain:
            sys.exit(f"{mode}: mean KL {ours} here, {plain} by transformers")


def measured(args, folder):
    pair = args.pair
    if pair is None:
        pair = folder / "pair"
        subprocess.run([args.python, MAKE, "--output", pair], check=True)
    commands = commands_of(args, pair)
    taken = measure.alternate(commands, args.runs, lambda name: folder / f"{name}.json")
    return taken, {name: said(folder / f"{name}.json", name) for name in commands}


def main():
    args = options()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    os.environ["HF_HUB_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder  # where kl keeps its results
        taken, words = measured(args, Path(folder))
    print("\n".join(measure.table(taken)))
    print("\n".join(f"{name:16} {word}" for name, word in words.items()))
    agreement(words)
    pairs = (("bf16", "bf16"), ("bf16", "kl_only_bf16"), ("fp32", "fp32"))
    ratios = {
        f"plain_{p}_over_ckpt_check_{c}": {
            figure: measure.ratio(taken[f"plain_{p}"], taken[f"ckpt_check_{c}"], figure)
            for figure in ("wall_s", "cpu_s", "peak_mib")
        }
        for p, c in pairs
    }
    print(json.dumps(ratios, indent=1))
    result = {"threads": args.threads, "runs": args.runs, "measured": taken, "said": words}
    measure.write(args.name, result | {"ratios": ratios})


if __name__ == "__main__":
    main()
