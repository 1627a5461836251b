#!/usr/bin/env python3
"""The wheel: built from the tree, put into a fresh environment, run. `./test --full` only."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

SKIPPED = 77
MODEL = "fixtures/golden/models/A-causallm-w4a16-autoround"
ALLOWED = re.compile(r"^(linux-vdso|ld-linux|lib(c|m|dl|gcc_s|stdc\+\+)\.so)")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(args):
    if not (args.environment / "complete").is_file():
        print(f"skipped: no packages of PyPI in {args.environment}; `./test --full` installs them")
        return SKIPPED
    shutil.rmtree(args.output, ignore_errors=True)
    run(args.source / "packaging" / "wheel.sh", args.output / "dist")
    (wheel,) = (args.output / "dist").glob("*.whl")
    assert re.search(r"-py3-none-manylinux_2_\d+_\w+\.whl$", wheel.name), wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert not [n for n in names if n.endswith(".py")], names
    for text in ("licenses/LICENSE", "licenses/NOTICE", "share/doc/ckpt-check/copyright"):
        assert any(n.endswith(text) for n in names), (text, names)

    fresh = args.output / "fresh"
    run(sys.executable, "-m", "venv", fresh)
    run(fresh / "bin" / "pip", "install", "--no-index", wheel)
    program = fresh / "bin" / "ckpt-check"
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(args.output)}
    assert "PASS" in run(program, "check", args.source / MODEL, env=bare)
    assert "self-test       works" in run(program, "doctor", env=bare)
    for library, path in re.findall(r"^\s*(\S+) => (\S+)", run("ldd", program), re.MULTILINE):
        inside = os.path.realpath(path).startswith(os.path.realpath(fresh))
        assert inside or ALLOWED.match(library), (library, path)
    print(f"ok: {wheel.name}, {wheel.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser()
    for name in ("source", "environment", "output"):
        PARSER.add_argument("--" + name, required=True, type=lambda p: Path(p).absolute())
    sys.exit(main(PARSER.parse_args()))
