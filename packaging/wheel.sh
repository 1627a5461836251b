#!/usr/bin/env bash
# Builds the wheel into FOLDER (default: dist) and names the oldest glibc that it runs with.
set -euo pipefail
folder=$(realpath -m "${1:-dist}")
cd "$(dirname "$0")/.."

tools=build/wheel-tools
[ -x "$tools/bin/wheel" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet wheel; }
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER=ccache
"$tools/bin/pip" wheel --quiet --no-deps --wheel-dir "$folder" -Cbuild-dir=build/wheel .
wheel=$(ls "$folder"/ckpt_check-*-linux_*.whl)

# The newest symbol version that any of its files asks glibc for.
content=$(mktemp -d)
trap 'rm -rf "$content"' EXIT
python3 -m zipfile -e "$wheel" "$content"
glibc=$(find "$content" -type f \( -path '*/scripts/*' -o -name '*.so*' \) -exec objdump -T {} + |
  grep -o 'GLIBC_2\.[0-9]*' | sort -t. -k2 -n | tail -n 1)
tag=${wheel##*-linux_}
renamed=$("$tools/bin/wheel" tags --remove \
  --platform-tag "manylinux_2_${glibc#GLIBC_2.}_${tag%.whl}" "$wheel")
echo "$folder/$renamed"
