#!/usr/bin/env python3
"""Draws what a command prints on a colour terminal as an SVG file. Standard library only.

  screenshot.py OUTPUT.svg COMMAND ARGUMENT...
"""

import html
import re
import subprocess
import sys

WIDTH, LINE, LEFT, TOP = 7.83, 18, 16, 44  # pixels: a character, a line, the margins
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#f2cc60", "36": "#79c0ff"}
STYLE = re.compile(r"\x1b\[([0-9;]*)m")


def spans(line):
    """(text, colour or None, bold) of each piece of a line."""
    colour, bold, at = None, False, 0
    for match in [*STYLE.finditer(line), None]:
        end = match.start() if match else len(line)
        if end > at:
            yield line[at:end], colour, bold
        for code in (match.group(1).split(";") if match else []):
            if code in ("", "0"):
                colour, bold = None, False
            elif code == "1":
                bold = True
            elif code in COLOURS:
                colour = COLOURS[code]
        at = match.end() if match else at


def svg(command, printed):
    lines = ["$ " + command, "", *printed.rstrip("\n").split("\n")]
    columns = max(len(STYLE.sub("", line)) for line in lines)
    width, height = round(2 * LEFT + columns * WIDTH), TOP + len(lines) * LINE + 8
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}">',
        f"<title>{html.escape(command)}</title>",
        '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
        *(f'<circle cx="{20 + 20 * i}" cy="18" r="6" fill="#484f58"/>' for i in range(3)),
        '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="13"'
        ' fill="#c9d1d9">',
    ]
    for row, line in enumerate(lines):
        pieces, column = [], 0
        for text, colour, bold in spans(line):
            style = f' fill="{colour}"' if colour else ""
            style += ' font-weight="bold"' if bold else ""
            # The place and length of each piece hold whatever font there is.
            pieces.append(
                f'<tspan x="{LEFT + column * WIDTH:.1f}" textLength="{len(text) * WIDTH:.1f}"'
                f"{style}>{html.escape(text).replace(' ', chr(160))}</tspan>"
            )
            column += len(text)
        if pieces:
            out.append(f'<text y="{TOP + row * LINE}">{"".join(pieces)}</text>')
    return "\n".join([*out, "</g>", "</svg>", ""])


def main(output, command):
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    shown = " ".join(command)
    # The file is compared with a new one: time and the number of rules must not be in it.
    printed = re.sub(r" +\d+ rules on .*, \d+\.\d+ s$", "", done.stdout, flags=re.MULTILINE)
    with open(output, "w", encoding="utf-8") as file:
        file.write(svg(shown.replace(" --color always", ""), printed))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
