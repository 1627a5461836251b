#!/usr/bin/env python3
"""Runs the bundle's tests, sanitizers, goldens and benchmarks; writes gpu.json and gpu.txt."""

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BIN = HERE / "bin"
MODELS = HERE / "fixtures" / "golden" / "models"
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
# Real layer shapes: four layers of the 35B model, one group of the 397B model's.
PAIRS = {
    "35B-like": dict(hidden=2048, layers=4, experts=256, top_k=8, width=512, vocab=248320),
    "397B-like": dict(hidden=4096, layers=4, experts=64, top_k=10, width=1024, vocab=248320),
}


class Record:
    """What was run, with its output; one JSON document and one text."""

    def __init__(self, output):
        self.output = output
        self.steps = []

    def run(self, name, command, limit, env=None):
        """Runs a step; keeps and returns its output, or None when it failed or was skipped."""
        begin = time.monotonic()
        try:
            done = subprocess.run(
                [str(c) for c in command], capture_output=True, text=True, timeout=limit,
                env={**os.environ, "CKPT_TEST_PLUGIN": str(BIN / "libckpt_cuda.so"),
                     "CKPT_TEST_FIXTURES": str(HERE / "fixtures"), **(env or {})})
            code, text = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            code, text = "timeout", f"stopped after {limit} s"
        except OSError as error:
            code, text = "missing", str(error)
        self.steps.append({"name": name, "code": code, "wall_s": time.monotonic() - begin,
                           "output": text[-20000:]})
        print(f"{name}: {'ok' if code == 0 else code}, {self.steps[-1]['wall_s']:.1f} s", flush=True)
        self.save()
        return text if code == 0 else None

    def note(self, name, **facts):
        self.steps.append({"name": name, "code": 0, **facts})
        self.save()

    def save(self):
        document = {"date": datetime.date.today().isoformat(), "steps": self.steps}
        (self.output / "gpu.json").write_text(json.dumps(document, indent=1) + "\n")
        lines = []
        for step in self.steps:
            lines.append(f"== {step['name']}: {step['code']}")
            lines.append(step.get("output") or json.dumps(
                {k: v for k, v in step.items() if k not in ("name", "code")}))
        (self.output / "gpu.txt").write_text("\n".join(lines) + "\n")


def machine(record):
    record.run("device", ["nvidia-smi", "--format=csv", "--query-gpu=name,driver_version,"
                          "memory.total,clocks.max.sm,clocks.max.mem,pcie.link.gen.max,"
                          "pcie.link.width.max"], 30)
    record.run("doctor", [BIN / "ckpt-check", "doctor"], 30)


def tests(record):
    for name in ("test_kernels_gpu", "test_e2e_gpu"):
        record.run(name, [BIN / name], 120)
    checker = shutil.which("compute-sanitizer") or shutil.which(
        "compute-sanitizer", path="/usr/local/cuda/bin")
    if checker is None:
        record.note("sanitizers", skipped="compute-sanitizer is not installed")
        return
    for tool in SANITIZERS:
        record.run(f"{tool} of the op tests",
                   [checker, "--tool", tool, "--error-exitcode", "1", BIN / "test_kernels_gpu"], 90)


def kl(record, name, reference, candidate, tokens, *options, limit=150):
    command = [BIN / "ckpt-check", "kl", candidate, "--reference", reference, "--token-ids", tokens,
               "--json", "--progress", "none", *options]
    text = record.run(name, command, limit)
    return json.loads(text[: text.rindex("}") + 1])["metrics"]["kl"]["mean"] if text else None


def goldens(record):
    for pair, tokens in (("A-causallm", "tokens_A"), ("M-vl-mtp", "tokens_S")):
        golden = json.loads((HERE / "fixtures" / "golden" / tokens / "tokens.json").read_text())
        ids = record.output / f"{tokens}.json"
        ids.write_text(json.dumps(golden["ids"]))
        for mode in ("fp32", "bf16"):
            means = {
                backend: kl(record, f"kl {pair} {mode} {backend}", MODELS / f"{pair}-bf16",
                            MODELS / f"{pair}-w4a16-autoround",
                            ids,
                            "--mode", mode, "--backend", backend)
                for backend in ("cpu", "cuda")}
            if None not in means.values():
                apart = abs(means["cuda"] - means["cpu"])
                record.note(f"golden {pair} {mode}", **means, apart=apart,
                            holds=apart <= max(1e-5, 0.01 * means["cpu"]))


def whole_runs(record, folder):
    for name, sizes in PAIRS.items():
        pair = folder / name
        options = [x for k, v in sizes.items() for x in (f"--{k.replace('_', '-')}", v)]
        make = HERE / "fixtures" / "kl_pair" / "make.py"
        if record.run(f"make {name}", [sys.executable, make, "--output", pair, *options], 240) is None:
            continue
        size = sum(f.stat().st_size for f in pair.rglob("*.safetensors"))
        seconds = {}
        for label, options in (("warm up", []), ("from memory", []), ("kl only", ["--skip-local"])):
            begin = time.monotonic()
            mean = kl(record, f"kl {name} cuda bf16, {label}", pair / "reference",
                      pair / "candidate", pair / "tokens.npy", "--mode", "bf16", "--backend", "cuda",
                      *options)
            if mean is not None:
                seconds[label] = time.monotonic() - begin
        plain = record.run(
            f"plain transformers {name}",
            [sys.executable, HERE / "tests" / "bench" / "plain_transformers.py", "--reference",
             pair / "reference", "--candidate", pair / "candidate", "--token-ids",
             pair / "tokens.npy", "--dtype", "bfloat16", "--device", "cuda"], 150)
        facts = {"bytes": size, "seconds": seconds}
        if plain:
            line = json.loads(plain.strip().splitlines()[-1])
            facts["plain_seconds"] = line["load_s"] + line["compute_s"]
            if "kl only" in seconds:
                facts["times_faster"] = facts["plain_seconds"] / seconds["kl only"]
        record.note(f"whole run {name}", **facts)
        shutil.rmtree(pair, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", required=True, type=Path)
    record = Record(parser.parse_args().output)
    machine(record)
    tests(record)
    goldens(record)
    record.run("benchmarks", [BIN / "bench_gpu"], 120)
    with tempfile.TemporaryDirectory(prefix="ckpt-gpu-") as folder:
        whole_runs(record, Path(folder))
    failed = [s["name"] for s in record.steps if s["code"] != 0]
    print("failed: " + ", ".join(failed) if failed else "all steps passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
