#!/usr/bin/env python3
"""What `check hf://...` reads of a repo and how long it takes, against `check` of its folder.

  hub_speed.py --binary build/release/ckpt-check [--python PYTHON_WITH_HUGGINGFACE_HUB]

The repo is card 002 at full size (122,061 tensors, 139.7 GB as holes); a server on this machine
plays the hub, so the times hold no network. With --python, huggingface_hub reads its tensors, too.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import measure

sys.path.insert(0, str(measure.REPOSITORY / "tests" / "repo"))

import hub_test  # noqa: E402

MAKE = measure.REPOSITORY / "fixtures" / "full_scale" / "make.py"
LIST = ("import huggingface_hub, os; m = huggingface_hub.HfApi(endpoint=os.environ['HF_ENDPOINT'])"
        f".get_safetensors_metadata('{hub_test.ID}', revision='{hub_test.COMMIT}'); "
        "print(len(m.weight_map))")


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--python", help="a Python that has huggingface_hub")
    parser.add_argument("--runs", default=5, type=int)
    return parser.parse_args()


def main():
    args = options()
    quiet = ["--fail-on", "never", "--progress", "none"]
    target = f"hf://{hub_test.ID}"
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "repo"
        subprocess.run([sys.executable, MAKE, "--card", "002", "--state", "clean", "--output", folder],
                       check=True)
        whole = sum(f.stat().st_size for f in folder.iterdir())
        world = hub_test.World(folder)
        os.environ.update(HF_ENDPOINT=world.address(world.hub), XDG_CACHE_HOME=f"{parent}/cache",
                          HF_TOKEN=hub_test.SECRET)
        binary = args.binary.absolute()
        clean = f"{binary} doctor --clean-cache > {parent}/doctor && exec {binary} check {target}"
        commands = {
            "folder": [binary, "check", folder, "--headers-only", *quiet],
            "hub_kept": [binary, "check", target, *quiet],
            "hub_first": ["bash", "-c", " ".join([clean, *quiet])],
        }
        subprocess.run(commands["hub_first"], check=True, capture_output=True)
        read = world.sent
        if args.python:
            commands["huggingface_hub"] = [args.python, "-c", LIST]
        taken = measure.alternate(commands, args.runs)
    print("\n".join(measure.table(taken)))
    print(f"read {read:,} of {whole:,} bytes: 1 of {whole / read:,.0f}")
    measure.write("hub_speed", {"runs": args.runs, "bytes": whole, "bytes_read": read,
                                "bytes_over_read": round(whole / read), "measured": taken})


if __name__ == "__main__":
    main()
