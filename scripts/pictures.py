#!/usr/bin/env python3
"""Makes the pictures of README.md and docs/ with the real program. Standard library only.

  pictures.py --program build/release/ckpt-check --output docs/images

Pictures of the viewer need EGL with a (software) driver; the other one does not.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
MODELS = SOURCE / "fixtures" / "golden" / "models"
CANDIDATE, REFERENCE = MODELS / "A-causallm-w4a16-autoround", MODELS / "A-causallm-bf16"
MAKE = SOURCE / "fixtures" / "full_scale" / "make.py"
CHECK = "check.svg"
# Canvas of the viewer in each of its pictures, and what is selected: the worst of its kind.
VIEWER = {
    "viewer-heat_map.png": ("heat_map", "expert 5 6"),
    "viewer-experts.png": ("experts", "expert 5 6"),
    "viewer-text.png": ("text", "token 1"),
}
PICTURES = [CHECK, *VIEWER]


def make_check(program, output):
    """What `check` prints of a published checkpoint, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        repo = "Qwen3.5-REAP-262B-A17B-W4A16"
        make = [sys.executable, MAKE, "--card", "002", "--state", "errata", "--output", repo]
        subprocess.run(make, cwd=folder, check=True, capture_output=True)
        command = [
            sys.executable, SOURCE / "scripts" / "screenshot.py", output / CHECK, "ckpt-check",
            f"./{repo}", "--select", "QNT002,QNT004,CFG011", "--color", "always",
        ]  # fmt: skip
        path = f"{program.parent}:{os.environ['PATH']}"
        (Path(folder) / ".git").mkdir()  # a configuration is looked for up to here
        subprocess.run(command, cwd=folder, env={"PATH": path, "LC_ALL": "C.UTF-8"}, check=True)


def make_viewer(program, output):
    """False when this machine can show nothing: no EGL, or a build without the viewer."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.json"
        environment = os.environ | {"XDG_STATE_HOME": folder}
        measure = [program, "kl", CANDIDATE, "--reference", REFERENCE, "--json"]
        with open(results, "w", encoding="utf-8") as file:
            subprocess.run(
                measure, stdout=file, stderr=subprocess.DEVNULL, env=environment, check=True
            )
        for name, (canvas, selected) in VIEWER.items():
            command = [
                program, "gui", CANDIDATE, results, "--reference", REFERENCE,
                "--open", selected, "--view", canvas, "--no-state", "--theme", "dark",
                "--font", "builtin", "--size", "1100x620", "--screenshot", output / name,
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 2:
                print(f"left out: {name}: {done.stderr.strip()}")
                return False
            if done.returncode != 0:
                sys.exit(done.stderr)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("program", "output"):
        parser.add_argument("--" + name, required=True, type=lambda p: Path(p).absolute())
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    make_check(args.program, args.output)
    return 0 if make_viewer(args.program, args.output) else 1


if __name__ == "__main__":
    sys.exit(main())
