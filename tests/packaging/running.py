"""What the tests of packages that only `./test --full` runs have in common."""

import argparse
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
MODEL = "fixtures/golden/models/A-causallm-w4a16-autoround"


def run(*command, **options):
    """What a command printed; ends the test when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def start(main, *names):
    """Runs `main` with the folders that `names` name; skips unless `./test --full` prepared."""
    parser = argparse.ArgumentParser()
    for name in (*names, "environment"):
        parser.add_argument("--" + name, required=True, type=lambda p: Path(p).absolute())
    args = parser.parse_args()
    if not (args.environment / "complete").is_file():
        print("skipped: only `./test --full` prepares this")
        sys.exit(SKIPPED)
    sys.exit(main(args))
