#!/usr/bin/env python3
"""The Debian package on a system that has nothing but it and what it depends on, through apt, in a
folder of its own. `./test --full` only: asks the Debian mirror, and needs root and mmdebstrap."""

import functools
import os
import shutil
from pathlib import Path

from running import MODEL, SKIPPED, run, start

# The new system's own, not the caller's.
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
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
        inside = functools.partial(run, shutil.which("chroot"), root, env=PATH)
        said = inside("ldd", "/usr/bin/ckpt-check")
        assert "not found" not in said, said
        assert inside("ckpt-check", "--version").startswith("ckpt-check ")
        assert "PASS" in inside("ckpt-check", "check", "/tmp/model")
        assert "self-test       works" in inside("ckpt-check", "doctor")
        left = inside("dpkg", "--audit")
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
