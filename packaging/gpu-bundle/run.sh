#!/usr/bin/env bash
# run.sh [OUTPUT]: tests and measures the CUDA backend on this machine, within about ten minutes.
# Needs a driver, the CUDA 13 libraries and, for the comparison, torch and transformers in $PYTHON.
# Writes OUTPUT/gpu.json and OUTPUT/gpu.txt; a step that fails is told there and the next one runs.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
output=$(mkdir -p "${1:-.}" && cd "${1:-.}" && pwd)
exec "${PYTHON:-python3}" "$here/measure_gpu.py" --output "$output"
