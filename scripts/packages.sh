# Sourced by ./demo and ./test: which Debian packages they need, and how they get them.
# shellcheck shell=bash

build_packages=(
  g++ cmake ninja-build pkg-config
  libsimdjson-dev nlohmann-json3-dev libcli11-dev libfmt-dev libexpected-dev libre2-dev
  libpcre2-dev libutf8proc-dev libssl-dev libcurl4-openssl-dev libtomlplusplus-dev doctest-dev
)
# Pictures for `kl --prompts`; without them the rest is built and `kl` says what was missing.
image_packages=(libpng-dev libjpeg62-turbo-dev)
# The viewer; without them the rest is built and `ckpt-check gui` says what was missing.
viewer_packages=(libimgui-dev libstb-dev libglfw3-dev libgl-dev libegl-dev)
test_packages=(python3)
optional_test_packages=(clang-format clang-tidy libopenmpi-dev openmpi-bin)
# A software renderer and a virtual display, for pictures and windows of the viewer.
viewer_test_packages=(libglfw3 libegl1 libegl-mesa0 libgl1-mesa-dri xvfb xdotool)
full_test_packages=(python3-venv chromium poppler-utils dpkg-dev mmdebstrap lintian zsh fish groff-base)

# missing PACKAGE...: those that are not installed, one per line.
missing() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      printf '%s\n' "$package"
  done
}

# need_packages PACKAGE...: installs what is missing through apt, with sudo only when not root.
# CKPT_NO_INSTALL=1: installs nothing; fails with the list when something is missing.
need_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian system; the build needs the equivalents of: $*" >&2
    return 0
  fi
  local absent
  mapfile -t absent < <(missing "$@")
  [ ${#absent[@]} -eq 0 ] && return 0
  if [ "${CKPT_NO_INSTALL:-0}" = 1 ]; then
    echo "Missing packages (CKPT_NO_INSTALL=1, nothing installed): ${absent[*]}" >&2
    return 1
  fi
  echo "Installing packages: ${absent[*]}" >&2
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "Neither root nor sudo; as root: apt-get install ${absent[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
  local install=("${apt[@]}" install -y --no-install-recommends "${absent[@]}")
  # The package lists may be absent or old: update only when a first try fails.
  "${install[@]}" >/dev/null 2>&1 || { "${apt[@]}" update && "${install[@]}" >/dev/null; }
}

# make_readers DIR: a Python environment with the readers of our reports, made anew when their list
# has changed.
make_readers() {
  local list=tests/readers/requirements.txt
  cmp -s "$list" "$1/complete" && return 0
  echo "Installing the readers of reports into $1" >&2
  rm -rf "$1"
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --requirement "$list"
  cp "$list" "$1/complete"
}

# build PRESET TARGET...: configures and builds below build/PRESET; the log is shown on failure.
build() {
  local preset=$1 launcher=()
  shift
  command -v ccache >/dev/null && launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  mkdir -p "build/$preset"
  echo "Building $* (preset $preset, $(nproc) cores; log in build/$preset/build.log)" >&2
  {
    cmake --preset "$preset" -G Ninja "${launcher[@]}" &&
      cmake --build --preset "$preset" --parallel "$(nproc)" --target "$@"
  } >"build/$preset/build.log" 2>&1 || { tail -n 60 "build/$preset/build.log" >&2; return 1; }
}
