#!/usr/bin/env python3
"""The Debian package on a system that has nothing but it and what it depends on, through apt, in a
folder of its own. `./test --full` only: asks the Debian mirror, and needs root and mmdebstrap."""

import os
import shutil
from pathlib import Path

from running import MODEL, SKIPPED, run, start

HOOKS = "/usr/share/mmdebstrap/hooks/file-mirror-automount"


def main(args):
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
    start(main, "source", "build", "output")
