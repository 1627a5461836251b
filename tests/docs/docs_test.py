#!/usr/bin/env python3
"""Runs every command of the documents. Standard library only.

A block of `console` holds lines `$ command`, each with what it prints: `...` stands for any lines,
measured times for any time. A command without output must succeed. Blocks of
`sh` are not run (they install things or need weights), but their options must exist; those of
`toml` are configurations that the program takes. Commands run in a folder of their own for each document, which `prepare` fills.

  docs_test.py ... --fill FILE    runs FILE's commands and writes what they print into it
"""

import argparse
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import pictures as make_pictures  # noqa: E402

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run, or with every rule that is added.
VARYING = re.compile(r"\b\d+\.\d+ s\b|\b\d+ min \d+ s\b|\b\d+ rules on\b")


def prepare(folder, source):
    """The checkpoints that the documents speak of."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / ".git").mkdir()  # a configuration is looked for up to here
    models = source / "fixtures" / "golden" / "models"
    shutil.copytree(models / "A-causallm-w4a16-autoround", folder / "MyModel-W4A16")
    shutil.copytree(models / "A-causallm-bf16", folder / "MyModel")
    coarse(folder / "MyModel", folder / "MyModel-E8M2")
    make = source / "fixtures" / "full_scale" / "make.py"
    published = folder / "Qwen3.5-REAP-262B-A17B-W4A16"
    command = [sys.executable, make, "--card", "002", "--state", "errata", "--output", published]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "fixtures").symlink_to(source / "fixtures")


def coarse(source, target):
    """A copy whose BF16 values keep two bits of their mantissas."""
    shutil.copytree(source, target)
    keep_high = bytes(b & 0xE0 for b in range(256))
    for path in target.glob("*.safetensors"):
        content = bytearray(path.read_bytes())
        begin = 8 + int.from_bytes(content[:8], "little")
        for entry in json.loads(content[8:begin]).values():
            if entry.get("dtype") == "BF16":
                first, last = (begin + at for at in entry["data_offsets"])
                content[first:last:2] = content[first:last:2].translate(keep_high)
        path.chmod(0o644)
        path.write_bytes(content)


class Document:
    def __init__(self, path, args):
        self.path = path
        self.args = args
        self.text = path.read_text()
        self.folder = args.output / path.stem
        self.failures = []

    def commands(self):
        """(command, lines expected) of each command that is run."""
        for kind, body in BLOCK.findall(self.text):
            if kind != "console":
                continue
            for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                command, _, output = part.partition("\n")
                while command.endswith("\\"):
                    more, _, output = output.partition("\n")
                    command = command[:-1] + more.strip()
                yield command, output.strip("\n")

    def run(self, command):
        environment = {
            "PATH": f"{self.args.program.parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": "1795219200",
        }
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.strip("\n"), done.stderr

    def check(self):
        prepare(self.folder, self.args.source)
        for command, expected in self.commands():
            code, printed, said = self.run(command)
            if not expected and code != 0:
                self.failures.append(f"$ {command}\nexit code {code}\n{printed}{said}")
            elif expected and not re.fullmatch(pattern(expected), VARYING.sub("#", printed)):
                self.failures.append(f"$ {command}\nprints\n{printed}\n{said}instead of\n{expected}")
        self.failures += self.refused_settings()
        self.failures += self.unknown_options()
        self.failures += self.dead_links()

    def fill(self):
        """Writes what the commands print into the document."""
        prepare(self.folder, self.args.source)

        def filled(match):
            if match.group(1) != "console":
                return match.group(0)
            out = ""
            for line in match.group(2).splitlines():
                if line.startswith("$ "):
                    printed = self.run(line[2:])[1]
                    out += f"{line}\n{printed}\n" if printed else f"{line}\n"
            return f"```console\n{out}```"

        self.path.write_text(BLOCK.sub(filled, self.text))

    def refused_settings(self):
        for kind, body in BLOCK.findall(self.text):
            if kind == "toml":
                (self.folder / "shown.toml").write_text(body)
                code, _, said = self.run("ckpt-check doctor --config shown.toml")
                if code != 0:
                    yield f"configuration refused: {said}{body}"

    def unknown_options(self):
        for kind, body in BLOCK.findall(self.text):
            if kind not in ("sh", "yaml", "console"):
                continue
            for line in body.replace("\\\n", " ").splitlines():
                for words in re.findall(r"\bckpt-check ([a-z-]+ [^|;&`]*)", line):
                    yield from self.unknown_in(words)

    def unknown_in(self, words):
        command = words.split()[0]
        known = KNOWN.setdefault(command, self.run(f"ckpt-check {command} --help"))
        general = KNOWN.setdefault("", self.run("ckpt-check --help"))
        for option in re.findall(r"(?<=\s)(--[a-z-]+)", words):
            if not re.search(re.escape(option) + r"\b", known[1] + general[1]):
                yield f"no option {option} in: ckpt-check {words}"

    def dead_links(self):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", self.text):
            if not (self.path.parent / link).exists():
                yield f"no file: {link}"


def pixels(path):
    """(width, height, RGBA rows) of a PNG of 8 bits a channel."""
    content, at, packed = path.read_bytes(), 8, b""
    width = height = 0
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        body = content[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
            assert (depth, colour) == (8, 6), path
        packed += body if kind == b"IDAT" else b""
        at += length + 12
    data, stride, rows = zlib.decompress(packed), 4 * width, [bytes(4 * width)]
    for y in range(height):
        line = data[y * (stride + 1) : (y + 1) * (stride + 1)]
        rows.append(unfiltered(line[0], bytearray(line[1:]), rows[-1]))
    return width, height, rows[1:]


def unfiltered(kind, row, above):
    for i in range(len(row)):
        left, up = row[i - 4] if i >= 4 else 0, above[i]
        corner = above[i - 4] if i >= 4 else 0
        if kind == 4:
            guess = left + up - corner
            distances = [abs(guess - v) for v in (left, up, corner)]
            add = (left, up, corner)[distances.index(min(distances))]
        else:
            add = (0, left, up, (left + up) // 2)[kind]
        row[i] = (row[i] + add) & 255
    return bytes(row)


def share_of_other_pixels(one, other):
    """Of pixels of which a channel differs by more than two renderers do; 1 for other sizes."""
    (width, height, a), (other_width, other_height, b) = pixels(one), pixels(other)
    if (width, height) != (other_width, other_height):
        return 1
    differ = 0
    for x, y in zip(a, b):
        if x != y:
            differ += sum(
                max(abs(p - q) for p, q in zip(x[i : i + 4], y[i : i + 4])) > 24
                for i in range(0, len(x), 4)
            )
    return differ / (width * height)


def pictures(args):
    """docs/images holds what scripts/pictures.py makes now, and nothing else is shown."""
    kept, drawn = args.source / "docs" / "images", args.output / "images"
    drawn.mkdir(parents=True, exist_ok=True)
    named = set()
    for path in [args.source / "README.md", *(args.source / "docs").glob("*.md")]:
        named |= set(re.findall(r"images/([^)\s\"]+)", path.read_text()))
    made = set(make_pictures.PICTURES)
    for name in sorted(named - made):
        yield f"scripts/pictures.py does not make docs/images/{name}"
    for name in sorted(made - named):
        yield f"no document shows docs/images/{name}"
    for name in sorted(path.name for path in kept.iterdir() if path.name not in made):
        yield f"scripts/pictures.py does not make docs/images/{name}"
    for name in sorted(name for name in made if not (kept / name).exists()):
        yield f"docs/images/{name} is missing"
    make_pictures.make_check(args.program, drawn)
    if (drawn / make_pictures.CHECK).read_text() != (kept / make_pictures.CHECK).read_text():
        yield f"docs/images/{make_pictures.CHECK} is not {drawn / make_pictures.CHECK}"
    if not make_pictures.make_viewer(args.program, drawn):
        return
    for name in make_pictures.VIEWER:
        # A line of text that moves by a pixel is 1 % of such a picture.
        if (kept / name).exists() and share_of_other_pixels(kept / name, drawn / name) > 0.005:
            yield f"docs/images/{name} is not {drawn / name}"


KNOWN = {}


def pattern(expected):
    """`...` on a line of its own is any number of lines."""
    parts = re.split(r"(?:^|\n)\.\.\.(?=\n|$)", VARYING.sub("#", expected))
    return r"(?:.*\n)*?.*".join(re.escape(p) for p in parts)


def main(args):
    if args.fill:
        Document(args.fill.absolute(), args).fill()
        return 0
    paths = [args.source / "README.md", *sorted((args.source / "docs").glob("*.md"))]
    failed, ran = [], 0
    for path in paths:
        if path.name == "rules.md":  # made from the catalogue, which has a test of its own
            continue
        document = Document(path, args)
        document.check()
        failed += [f"{path.name}: {f}" for f in document.failures]
        ran += len(list(document.commands()))
    failed += pictures(args)
    print("\n\n".join(failed) if failed else f"{ran} commands")
    return 1 if failed or ran < 20 else 0


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser()
    for name in ("program", "source", "output"):
        PARSER.add_argument("--" + name, required=True, type=lambda p: Path(p).absolute())
    PARSER.add_argument("--fill", type=Path)
    sys.exit(main(PARSER.parse_args()))
