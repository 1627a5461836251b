"""Runs a command and measures it as the kernel counted it: wall, CPU, peak resident memory."""

import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).resolve().parent / "results"
# At the start: a checkout may move on while a benchmark runs.
COMMIT = subprocess.run(
    ["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
).stdout.strip()
LOAD_AT_START = os.getloadavg()[0]  # above zero, others were using the processors


def run(command, stdout=None):
    """{wall_s, cpu_s, peak_mib} of one run. `stdout` names a file; without it output is dropped."""
    target = str(stdout) if stdout else os.devnull
    actions = [(os.POSIX_SPAWN_OPEN, 1, target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)]
    command = [str(word) for word in command]
    start = time.monotonic()
    child = os.posix_spawnp(command[0], command, os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"exit code {code}: {' '.join(command)}")
    # The kernel starts a child's peak at its parent's size: this program stays small.
    return {
        "wall_s": wall,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss / 1024,
    }


def alternate(commands, runs, stdout=lambda name: None):
    """Runs each of {name: command} in turn, `runs` times, so that all see the same machine.
    Returns {name: {figure: {median, least, most}}}."""
    samples = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            samples[name].append(run(command, stdout(name)))
    return {name: summary(taken) for name, taken in samples.items()}


def summary(samples):
    figures = {}
    for figure in samples[0]:
        values = [sample[figure] for sample in samples]
        figures[figure] = {
            "median": round(statistics.median(values), 3),
            "least": round(min(values), 3),
            "most": round(max(values), 3),
        }
    return figures


def ratio(slow, fast, figure):
    """How many times as much `slow` takes, by medians."""
    return round(slow[figure]["median"] / fast[figure]["median"], 2)


def table(taken):
    for name, figures in taken.items():
        cpu, wall, peak = (figures[f]["median"] for f in ("cpu_s", "wall_s", "peak_mib"))
        yield f"{name:16} cpu {cpu:8.3f} s   wall {wall:8.3f} s   peak {peak:6.0f} MiB"


def field(path, key):
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "unknown"


def machine():
    flags = field("/proc/cpuinfo", "flags").split()
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    return {
        "cpu": field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "features": [flag for flag in wanted if flag in flags],
        "memory": field("/proc/meminfo", "MemTotal"),
        "load_average_at_start": round(LOAD_AT_START, 2),
    }


def write(name, result):
    """Adds where and when, and writes results/<name>.json."""
    where = {"date": datetime.date.today().isoformat(), "machine": machine(), "commit": COMMIT or "unknown"}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(where | result, indent=1) + "\n")
    print(f"written: {path.relative_to(REPOSITORY)}")
