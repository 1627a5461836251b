#!/usr/bin/env python3
"""Pictures of the HTML report against those in tests/readers/pictures, and the contrast of its text.

With CKPT_RENEW_PICTURES=1 it writes them anew; look at them before they are kept."""

import base64
import json
import os
import re
import sys
from pathlib import Path

import common
import page_test

KEPT = Path(__file__).resolve().parent / "pictures"
LIGHT, DARK = (f"--blink-settings=preferredColorScheme={i}" for i in (1, 0))
RENEW = os.environ.get("CKPT_RENEW_PICTURES") == "1"
# A kept picture is a quarter as wide and high, in 16 greys: what is on the page, not each letter.
SMALLER = 4
# W3C, WCAG 2.1, 1.4.3: contrast of text, and of text of 24 px, or of 18.66 px and bold.
NORMAL, LARGE = 4.5, 3.0

# For every piece of text of a frame: colour, what is behind it, size and weight.
READ_TEXT = """
const over = (top, under) => {
  const a = top[3];
  return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a)).concat(1);
};
const numbers = (text) => {
  const n = text.match(/[0-9.]+/g).map(Number);
  return n.length === 4 ? n : n.concat(1);
};
const behind = (element, view) => {
  const seen = [];
  for (let e = element; e; e = e.parentElement) {
    seen.push(numbers(view.getComputedStyle(e).backgroundColor));
    if (seen.at(-1)[3] === 1) break;
  }
  return seen.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
};
document.querySelector('iframe').onload = (event) => {
  const view = event.target.contentWindow;
  const found = {};
  for (const d of view.document.querySelectorAll('details')) d.open = true;
  const walk = view.document.createTreeWalker(view.document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    const style = view.getComputedStyle(element);
    const drawn = element.closest('svg') !== null;
    if (!walk.currentNode.data.trim() || !element.getClientRects().length) continue;
    if (style.visibility !== 'visible' || element.closest('title, script, style')) continue;
    const under = behind(drawn ? element.closest('svg').parentElement : element, view);
    const ink = over(numbers(drawn ? style.fill : style.color), under);
    const opacity = Number(style.opacity);
    const key = JSON.stringify({ink, under, opacity, size: parseFloat(style.fontSize),
                                weight: Number(style.fontWeight)});
    found[key] = walk.currentNode.data.trim().slice(0, 40);
  }
  document.getElementById('found').textContent = 'texts ' + btoa(unescape(encodeURIComponent(
      JSON.stringify(found))));
};
"""


def results(program):
    """A page that is the same on every machine, but for the last digits of its numbers."""
    path = program.measured("picture.json")
    models = str(program.args.fixtures / "golden" / "models")
    document = json.loads(path.read_text().replace(models, "."))
    document["run"].update(started="2026-01-01T00:00:00Z", duration_s=2.0)
    document["environment"] = {"os": "Linux", "cpu": "a processor", "gpu": None}
    path.write_text(json.dumps(document))
    return page_test.page(program, path)


def reduced(picture):
    picture = picture.convert("L")
    picture = picture.resize((picture.width // SMALLER, picture.height // SMALLER))
    return picture.point(lambda grey: grey // 16 * 17)


def looks_as_kept(program, name, picture):
    from PIL import Image, ImageChops, ImageFilter, ImageStat

    shown = reduced(picture)
    file = KEPT / f"{name}.png"
    if RENEW:
        KEPT.mkdir(exist_ok=True)
        shown.quantize(16).save(file, optimize=True)
        return
    kept = Image.open(file).convert("L")
    assert kept.size == shown.size, (name, kept.size, shown.size)
    # Letters differ between versions of fonts; a block of text that moved or vanished is larger.
    blur = ImageFilter.GaussianBlur(3)
    apart = ImageChops.difference(kept.filter(blur), shown.filter(blur))
    mean, worst = ImageStat.Stat(apart).mean[0], apart.getextrema()[1]
    if mean > 1.5 or worst > 60:
        shown.save(program.args.output / f"{name}-shown.png")
    assert mean <= 1.5 and worst <= 60, (name, mean, worst)


def page_looks_as_kept(program):
    file = results(program)
    for name, words in (("light", LIGHT), ("dark", DARK)):
        looks_as_kept(program, name, page_test.screenshot(program, file, f"page-{name}", words))
    frame = program.args.output / "phone.html"
    frame.write_text(f"<body style='margin:0'><iframe width=390 height=2400 style='border:0' "
                     f"src='{file.name}'></iframe>")
    phone = page_test.screenshot(program, frame, "page-phone", LIGHT, size="500,2400")
    looks_as_kept(program, "phone", phone.crop((0, 0, 390, 2400)))


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
              for c in (v / 255 for v in colour[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def every_text_has_contrast(program):
    frame = program.args.output / "contrast.html"
    for path in (program.measured(), program.checked()):
        file = page_test.page(program, path)
        frame.write_text(f"<iframe width=1200 height=3000 src='{file.name}'></iframe>"
                         f"<p id=found></p><script>{READ_TEXT}</script>")
        for scheme in (LIGHT, DARK):
            dom = page_test.chromium(program, "--allow-file-access-from-files", "--dump-dom", scheme,
                                     frame.resolve().as_uri()).stdout.decode()
            found = json.loads(base64.b64decode(re.search(r"texts ([\w+/=]+)", dom).group(1)))
            assert len(found) > 5, found
            for key, text in found.items():
                style = json.loads(key)
                above, below = sorted(map(luminance, (style["ink"], style["under"])), reverse=True)
                ratio = (above + 0.05) / (below + 0.05)
                large = style["size"] >= 24 or (style["size"] >= 18.66 and style["weight"] >= 700)
                assert style["opacity"] == 1, (scheme, text, style)
                assert ratio >= (LARGE if large else NORMAL), (scheme, text, round(ratio, 2), style)


if __name__ == "__main__":
    if not page_test.browser():
        print("skipped: no chromium")
        sys.exit(common.SKIPPED)
    common.main(common.arguments(), [page_looks_as_kept, every_text_has_contrast])
