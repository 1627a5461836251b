#!/usr/bin/env python3
"""The Debian package on a system that has nothing but it and what it depends on, through apt, in a
folder of its own. `./test --full` only: asks the Debian mirror, and needs root and mmdebstrap."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
MODEL = "fixtures/golden/models/A-causallm-w4a16-autoround"
HOOKS = "/usr/share/mmdebstrap/hooks/file-mirror-automount"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def main(args):
    if not (args.environment / "complete").is_file():
        print("skipped: only `./test --full` makes a system")
        return SKIPPED
    if os.geteuid() != 0 or not all(map(shutil.which, ("mmdebstrap", "chroot", "cpack"))):
        print("skipped: needs root and mmdebstrap")
        return SKIPPED
    shutil.rmtree(args.output, ignore_errors=True)
    args.output.mkdir(parents=True)
    config = args.build / "CPackConfig.cmake"
    run("cpack", "--config", config, "-G", "DEB", "-B", args.output, cwd=args.output)
    (package,) = args.output.glob("*.deb")
    root = args.output / "root"
    run(
        "mmdebstrap", "--variant=minbase", f"--include={package}", f"--hook-dir={HOOKS}",
        codename(), root,
    )  # fmt: skip
    try:
        shutil.copytree(args.source / MODEL, root / "tmp" / "model")
        said = run("chroot", root, "ldd", "/usr/bin/ckpt-check")
        assert "not found" not in said, said
        assert run("chroot", root, "ckpt-check", "--version").startswith("ckpt-check ")
        assert "PASS" in run("chroot", root, "ckpt-check", "check", "/tmp/model")
        assert "self-test       works" in run("chroot", root, "ckpt-check", "doctor")
        left = run("chroot", root, "dpkg", "--audit")
        assert left == "", left
    finally:
        shutil.rmtree(root)
    print(f"ok: {package.name} on a fresh {codename()}")
    return 0


def codename():
    """Of this system: the package is made of and for its libraries."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["VERSION_CODENAME"]


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser()
    for name in ("source", "build", "environment", "output"):
        PARSER.add_argument("--" + name, required=True, type=lambda p: Path(p).absolute())
    sys.exit(main(PARSER.parse_args()))
