#!/usr/bin/env python3
"""Holds the source tree to its arrows and sizes (the style guide, sections 2, 3 and 5).

  check_layers.py SOURCE_DIR EDGES_FILE

EDGES_FILE has one line per folder, `folder:dep;dep`, as ckpt_library recorded them. Prints one
`file:line: what is wrong` per breach and exits 1 when there is one. Standard library only.
"""

import os
import re
import sys
from pathlib import Path

CODE_SUFFIXES = {".cpp", ".h", ".cu", ".cuh", ".inc"}
LAYERED = ("validator", "kernels", "reports", "gui")
ROOTS = (*LAYERED, "tests", "scripts")  # fixtures are exempt: their data may be any text
LINE_LIMIT = 600
# A header of a library -> the folders whose .cpp and .cu files may include it; no header may.
LIBRARIES = {
    "simdjson.h": ("validator/base",),
    "nlohmann/": ("validator/results", "validator/cli", "reports"),
    "CLI/": ("validator/cli",),
    "re2/": ("validator/loaders", "gui/state"),
    "pcre2.h": ("validator/tokenizer",),
    "utf8proc.h": ("validator/tokenizer",),
    "png.h": ("validator/images",),
    "jpeglib.h": ("validator/images",),
    "openssl/": ("validator/results",),
    "toml++/": ("validator/policy",),
    "cblas.h": ("kernels",),
    "cuda_runtime": ("kernels",),
    "cublas": ("kernels",),
    "imgui": ("gui/views", "gui/window"),
    "GLFW/": ("gui/window",),
    "sys/socket.h": ("validator/repo",),
    "curl/": ("validator/repo",),
    "regex": (),  # std::regex: unbounded recursion on hostile text
}
# Folders that see a backend through its interface only.
# Headers that only the CUDA plugin's own files see.
PRIVATE_HEADERS = "kernels/cuda/"
INTERFACE_ONLY = {
    ("validator/forward", "kernels"): "kernels/ops.h",
    ("validator/metrics", "kernels"): "kernels/ops.h",
}
INCLUDE = re.compile(rb'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


def read_edges(path):
    """folder -> set of folders that it may include."""
    edges = {}
    for line in path.read_text().splitlines():
        folder, _, depends = line.partition(":")
        edges[folder] = {d for d in depends.split(";") if d}
    return edges


def folder_of(path, folders):
    """The library folder that holds a path relative to the root; the longest that fits."""
    parents = [str(p) for p in Path(path).parents]
    return next((p for p in parents if p in folders), None)


def source_files(root):
    for top in ROOTS:
        for directory, children, names in os.walk(root / top):
            children[:] = sorted(c for c in children if c != "__pycache__")
            for name in sorted(names):
                path = Path(directory, name)
                if path.suffix in CODE_SUFFIXES | {".py", ".cmake", ".sh"}:
                    yield path.relative_to(root)
                elif name == "CMakeLists.txt":
                    yield path.relative_to(root)


def quoted_breach(root, file, folder, included, edges):
    """Why `folder` may not include the quoted path `included`, or None."""
    if not (root / included).is_file():
        return f'"{included}" is not a path from the repository root'
    target = folder_of(included, edges)
    if target is None:
        return f'"{included}" belongs to no library folder'
    if target == folder:
        return None
    if target not in edges[folder]:
        return f'{folder} does not depend on {target}, yet includes "{included}"'
    allowed = INTERFACE_ONLY.get((folder, target))
    if allowed and included != allowed:
        return f'{folder} may include "{allowed}" of {target} only, not "{included}"'
    return None


def library_breach(file, folder, included):
    """Why an angled include of a third-party header is out of place, or None."""
    found = next((k for k in LIBRARIES if included == k or included.startswith(k)), None)
    if found is None or (found == "regex" and included != "regex"):
        return None
    allowed = LIBRARIES[found]
    if folder not in allowed:
        where = " or ".join(allowed) if allowed else "no folder"
        return f"<{included}> belongs to {where}"
    private = PRIVATE_HEADERS in file.as_posix()
    if file.suffix not in (".cpp", ".cu") and not private:
        return f"<{included}> in a header: others would see it"
    return None


def include_breaches(root, file, lines, edges):
    folder = folder_of(file, edges)
    if folder is None:
        yield 1, "lies in no folder that ckpt_library knows"
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, angled = (g.decode("ascii", "replace") if g else None for g in match.groups())
        if quoted:
            breach = quoted_breach(root, file, folder, quoted, edges)
            breach = breach or library_breach(file, folder, quoted)
        else:
            breach = library_breach(file, folder, angled)
        if breach:
            yield number, breach


def text_breaches(lines):
    if len(lines) > LINE_LIMIT:
        yield LINE_LIMIT + 1, f"{len(lines)} lines, the limit is {LINE_LIMIT}"
    for number, line in enumerate(lines, 1):
        if not line.isascii():
            yield number, "not ASCII"


def breaches(root, edges):
    for file in source_files(root):
        lines = (root / file).read_bytes().splitlines()
        found = list(text_breaches(lines))
        if file.parts[0] in LAYERED and file.suffix in CODE_SUFFIXES:
            found += include_breaches(root, file, lines, edges)
        for number, what in sorted(found):
            yield f"{file}:{number}: {what}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    root, edges = Path(sys.argv[1]), read_edges(Path(sys.argv[2]))
    if not edges:
        sys.exit("check_layers.py: no edges recorded")
    found = list(breaches(root, edges))
    print("\n".join(found) if found else f"{len(edges)} folders keep to their arrows and sizes")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
