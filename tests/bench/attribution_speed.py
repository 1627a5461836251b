#!/usr/bin/env python3
"""Compares `kl --attribute layer`, one pass over the weights, with a run of `kl` for each layer.

  attribution_speed.py --binary build/release/ckpt-check --python PYTHON_WITH_NUMPY

Without attribution, what a layer costs is found out by a run per layer, each of a checkpoint in
which that layer alone is quantized, and what restoring it gains by another one, in which it alone is
not; a plain run of `kl` takes as long as any of them. The one pass measures both. Both sides leave
out local errors. Kept in results/attribution_speed.json.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

MAKE = measure.REPOSITORY / "fixtures" / "kl_pair" / "make.py"
# More layers than the other benchmarks' pair has, and narrower ones.
SHAPE = "--layers 12 --hidden 1024 --width 256 --experts 32 --sequences 2 --length 256".split()


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--python", default=sys.executable, help="has numpy, for the pair")
    parser.add_argument("--pair", type=Path, help="what kl_pair/make.py wrote")
    parser.add_argument("--runs", default=3, type=int)
    return parser.parse_args()


def measured(args, folder):
    pair = args.pair
    if pair is None:
        pair = folder / "pair"
        subprocess.run([args.python, MAKE, *SHAPE, "--output", pair], check=True)
    common = [args.binary, "kl", pair / "candidate", "--reference", pair / "reference"]
    common += ["--token-ids", pair / "tokens.npy", "--json", "--progress", "none", "--threads", 1]
    common += ["--skip-local"]
    commands = {"plain": common, "attribute_layer": [*common, "--attribute", "layer"]}
    taken = measure.alternate(commands, args.runs, lambda name: folder / f"{name}.json")
    plain, attributed = (json.loads((folder / f"{name}.json").read_text()) for name in commands)
    means = {r["metrics"]["kl"]["mean"] for r in (plain, attributed)}
    if len(means) != 1:
        sys.exit(f"the two runs do not have the same mean KL: {means}")
    layers = sum(cost["kind"] == "layer" for cost in attributed["metrics"]["attribution"]["costs"])
    if layers != len(attributed["metrics"]["layers"]):
        sys.exit(f"{layers} layers were measured of {len(attributed['metrics']['layers'])}")
    return layers, taken


def main():
    args = options()
    with tempfile.TemporaryDirectory() as folder:
        layers, taken = measured(args, Path(folder))
    single = measure.ratio(taken["attribute_layer"], taken["plain"], "cpu_s")
    costs, both = (round(runs / single, 2) for runs in (layers, 2 * layers))
    print(*measure.table(taken), sep="\n")
    print(f"cost and gain of {layers} layers in one run take {single} times the CPU of a plain run: "
          f"{costs} times less than {layers} runs for the costs, {both} times less than "
          f"{2 * layers} for both")
    result = {"runs": args.runs, "layers": layers, "measured": taken}
    result |= {"times_a_plain_run": single, "times_less_cpu_than_runs_for_costs": costs}
    result |= {"times_less_cpu_than_runs_for_costs_and_gains": both}
    measure.write("attribution_speed", result)


if __name__ == "__main__":
    main()
