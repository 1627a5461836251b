#!/usr/bin/env python3
"""Runs clang-format over every C++ source and names the files that it would change.

  check_format.py SOURCE_DIR CLANG_FORMAT

Exits 77 (skipped) when the program is of another major version than the style was written for:
versions differ in what they produce.
"""

import re
import subprocess
import sys
from pathlib import Path

MAJOR = 14
ROOTS = ("validator", "kernels", "reports", "gui", "tests")
SUFFIXES = {".cpp", ".h", ".cu", ".cuh"}


def main():
    root, program = Path(sys.argv[1]), sys.argv[2]
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    found = re.search(r"version (\d+)", version)
    if not found or int(found[1]) != MAJOR:
        print(f"skipped: clang-format {MAJOR} wanted, this is: {version.strip()}")
        sys.exit(77)
    files = [f for top in ROOTS for f in sorted((root / top).rglob("*")) if f.suffix in SUFFIXES]
    run = subprocess.run(
        [program, "--dry-run", "--Werror", *files], capture_output=True, text=True
    )
    lines = [x for x in run.stderr.splitlines() if "[-Wclang-format-violations]" in x]
    places = [x.split(": error:")[0].removeprefix(f"{root}/") for x in lines]
    print("\n".join(places) if places else f"{len(files)} files are formatted")
    if run.returncode:
        print(f"{len(places)} places; mend with: {Path(program).name} -i FILE")
        sys.exit(1)


if __name__ == "__main__":
    main()
