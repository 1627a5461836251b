#!/usr/bin/env python3
"""The wheel: built from the tree, put into a fresh environment, run. `./test --full` only."""

import os
import re
import shutil
import sys
import zipfile

from running import MODEL, run, start

ALLOWED = re.compile(r"^(linux-vdso|ld-linux|lib(c|m|dl|gcc_s|stdc\+\+)\.so)")


def main(args):
    shutil.rmtree(args.output, ignore_errors=True)
    run(args.source / "packaging" / "wheel.sh", args.output / "dist")
    (wheel,) = (args.output / "dist").glob("*.whl")
    assert re.search(r"-py3-none-manylinux_2_\d+_\w+\.whl$", wheel.name), wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert not [n for n in names if n.endswith(".py")], names
    for text in ("licenses/LICENSE", "licenses/NOTICE", "share/doc/ckpt-check/copyright"):
        assert any(n.endswith(text) for n in names), (text, names)

    installed(args, "fresh", "--no-index", wheel)
    # What `pip install .` says in the README; what was compiled for the wheel serves it too.
    installed(args, "from_source", "--config-settings=build-dir=build/wheel", args.source)
    print(f"ok: {wheel.name}, {wheel.stat().st_size:,} bytes")
    return 0


def installed(args, name, *what):
    """Installs into an environment of its own, and runs the program with nothing else in reach."""
    fresh = args.output / name
    run(sys.executable, "-m", "venv", fresh)
    run(fresh / "bin" / "pip", "install", *what, cwd=args.source)
    program = fresh / "bin" / "ckpt-check"
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(args.output)}
    assert "PASS" in run(program, "check", args.source / MODEL, env=bare)
    assert "self-test       works" in run(program, "doctor", env=bare)
    for library, path in re.findall(r"^\s*(\S+) => (\S+)", run("ldd", program), re.MULTILINE):
        inside = os.path.realpath(path).startswith(os.path.realpath(fresh))
        assert inside or ALLOWED.match(library), (library, path)


if __name__ == "__main__":
    start(main, "source", "output")
