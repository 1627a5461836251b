"""What the tests of the readers share: the environment, the program, and results to report on."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

SKIPPED = 77
# Every sink's own syntax at once; controls are not in it, the program escapes them on reading.
HOSTILE = (
    "=1+1,\"'::error file=a::b%0A</script><script>alert('x')</script>]]>&amp;|`|``|"
    "[a](javascript:b)![i](http://evil.test/p) @everyone www.evil.test "
    "<!-- ckpt-check:end --> --- # head {0} {{1}} $(id) \\"
)
# Fields whose value is one of a list, not text of a checkpoint.
WORDS = {
    "schema_version", "command", "depth", "fail_on", "started", "verdict", "kind", "state", "code",
    "codes", "severity", "status", "fingerprint", "expires", "op", "direction", "unit", "version",
    "text_sha256", "name", "stream", "loader", "what",
}  # fmt: skip


def absolute(path):
    """The program runs in the output folder; links stay, an environment's python is one."""
    return Path(path).absolute()


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("program", "environment", "fixtures", "rules", "output"):
        parser.add_argument("--" + name, required=True, type=absolute)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    return args


def enter(args):
    """Goes on inside the environment; without one the test is skipped."""
    python = args.environment / "bin" / "python"
    if not (args.environment / "complete").is_file():
        print(f"skipped: no readers in {args.environment}; `./test --full` installs them")
        sys.exit(SKIPPED)
    if Path(sys.prefix).resolve() != args.environment.resolve():
        os.execv(python, [str(python), *sys.argv])


class Program:
    def __init__(self, args):
        self.args = args

    def run(self, *words, codes=(0,)):
        """Standard output; the exit code must be one of `codes`."""
        environment = dict(os.environ, XDG_STATE_HOME=str(self.args.output / "state"))
        done = subprocess.run(
            [self.args.program, *map(str, words)],
            capture_output=True,
            env=environment,
            cwd=self.args.output,
            check=False,
        )
        if done.returncode not in codes:
            raise AssertionError(f"{words}: exit code {done.returncode}\n{done.stderr.decode()}")
        return done.stdout.decode()

    def checked(self, name="broken.json"):
        """Results of `check` on repos that are broken in many ways."""
        path = self.args.output / name
        targets = sorted(str(p) for p in self.args.rules.glob("[QCMT]*/bad"))
        self.run("check", *targets, "--report", f"json={path}", "-qq", codes=(1,))
        return path

    def measured(self, name="kl.json"):
        """Results of `kl` on the golden pair, with a gate that holds and one that does not."""
        path = self.args.output / name
        models = self.args.fixtures / "golden" / "models"
        self.run(
            "kl", models / "A-causallm-w4a16-autoround",
            "--reference", models / "A-causallm-bf16", "--tokens", 1024,
            "--gate", "kl.mean<=0.1", "--gate", "experts.max_error<=0.01",
            "--report", f"json={path}", "-qq", codes=(1,),
        )  # fmt: skip
        return path

    def hostile(self, name="hostile.json"):
        """The results above with every text of a checkpoint replaced."""
        path = self.args.output / name
        measured = json.loads(self.measured().read_text())
        broken = json.loads(self.checked().read_text())
        measured["findings"] = [f for r in broken[:20] for f in r["findings"]]
        measured["loaders"] = broken[0]["loaders"]
        path.write_text(json.dumps(replaced(measured)))
        return path


def replaced(value, key=""):
    if isinstance(value, dict):
        return {k: replaced(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(v, key) for v in value]
    is_text = isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity")
    return HOSTILE + key if is_text and key not in WORDS else value


def main(args, tests):
    """Runs functions that take a Program; prints what failed."""
    enter(args)
    program = Program(args)
    failed = 0
    for test in tests:
        try:
            test(program)
            print(f"ok      {test.__name__}")
        except Exception as error:  # noqa: BLE001 - each test is reported
            failed += 1
            print(f"FAILED  {test.__name__}: {type(error).__name__}: {error}")
    sys.exit(1 if failed else 0)
