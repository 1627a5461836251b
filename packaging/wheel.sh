#!/usr/bin/env bash
# Builds the wheel into FOLDER (default: dist) and names the oldest systems that it runs on.
set -euo pipefail
folder=$(realpath -m "${1:-dist}")
cd "$(dirname "$0")/.."

tools=build/wheel-tools
[ -x "$tools/bin/auditwheel" ] ||
  { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet auditwheel wheel; }
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache
"$tools/bin/pip" wheel --quiet --no-deps --wheel-dir "$folder" --config-settings=build-dir=build/wheel .
wheel=$(ls "$folder"/ckpt_check-*-linux_*.whl)

# The symbol versions that its files ask glibc and libstdc++ for decide which systems that are.
tag=$("$tools/bin/auditwheel" show "$wheel" | grep -o 'manylinux_2_[0-9]*_[a-z0-9_]*' | tail -n 1)
renamed=$("$tools/bin/wheel" tags --remove --platform-tag "$tag" "$wheel")
echo "$folder/$renamed"
