#!/usr/bin/env python3
"""The HTML report in a parser and in a browser, with and without scripts."""

import base64
import html
import io
import json
import re
import shutil
import struct
import subprocess
import tempfile

import common


def page(program, path):
    file = program.args.output / (path.stem + ".html")
    program.run("report", path, "-f", "html", "-o", file)
    return file


def large_results(program):
    """Results of 60 layers of 512 experts: the heat maps become pictures."""
    path = program.args.output / "large.json"
    results = json.loads(program.measured().read_text())
    metrics = results["metrics"]
    layer, expert = metrics["layers"][0], metrics["experts"][0]
    metrics["layers"] = [dict(layer, layer=i) for i in range(60)]
    metrics["experts"] = [
        dict(expert, layer=i, expert=e, tokens=e + 1, error=0.001 * (e % 100 + i))
        for i in range(60)
        for e in range(512)
    ]
    path.write_text(json.dumps(results))
    return path


def browser():
    return shutil.which("chromium") or shutil.which("chromium-browser")


def chromium(program, *words):
    with tempfile.TemporaryDirectory(dir=program.args.output) as profile:
        command = [
            browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--force-device-scale-factor=1", f"--user-data-dir={profile}", *map(str, words),
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, timeout=120, check=True)


def screenshot(program, file, name, *words, size="1200,2400"):
    from PIL import Image

    picture = program.args.output / f"{name}.png"
    picture.unlink(missing_ok=True)
    url = file.resolve().as_uri()
    chromium(program, f"--window-size={size}", f"--screenshot={picture}", *words, url)
    return Image.open(picture).convert("RGB")


def page_parses_strictly_and_names_no_host(program):
    import html5lib

    for path in (program.checked(), program.measured(), program.hostile()):
        text = page(program, path).read_text()
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        tree = parser.parse(text)
        ids = [e.get("id") for e in tree.iter() if e.get("id")]
        assert len(ids) == len(set(ids)), "an id stands twice"
        scripts = [e for e in tree.iter("script")]
        assert len(scripts) == 1 and "evil" not in scripts[0].text
        for element in tree.iter():
            if not isinstance(element.tag, str):
                continue
            for key, value in element.attrib.items():
                assert not key.startswith("on") and key != "style", (element.tag, key)
                if key == "href":
                    assert value.startswith("#") and value[1:] in ids, value
                if key == "src":
                    assert value.startswith("data:image/png;base64,"), value[:80]


def scripts_run_and_are_not_needed(program):
    file = page(program, program.hostile())
    done = chromium(program, "--enable-logging=stderr", "--dump-dom", file.resolve().as_uri())
    dom = done.stdout.decode()
    # What the script shows: its controls, hidden in the file.
    assert re.search(r'<button id="theme"[^>]*>', dom)
    assert not re.search(r'<button id="theme"[^>]* hidden', dom), "the script did not run"
    for line in done.stderr.decode().splitlines():
        assert "CONSOLE" not in line, line
    text = re.sub(r"<script>.*?</script>", "", file.read_text(), flags=re.S)
    for part in ("<table", "<svg", "<details", 'class="worst"'):
        assert part in text, part


def without_scripts(program, file):
    """A copy of the page whose own policy forbids its script."""
    text, n = re.subn(r"script-src 'sha256-[^']*'", "script-src 'none'", file.read_text())
    assert n == 1
    copy = program.args.output / f"{file.stem}-off.html"
    copy.write_text(text)
    return copy


def only_controls_need_the_script(program):
    import html5lib

    file = page(program, program.hostile())
    off = without_scripts(program, file)
    dom = chromium(program, "--dump-dom", off.resolve().as_uri()).stdout.decode()
    assert re.search(r'<button id="theme"[^>]* hidden', dom), "the script ran"
    tree = html5lib.parse(off.read_text(), namespaceHTMLElements=False)
    hidden = [e for e in tree.iter() if isinstance(e.tag, str) and "hidden" in e.attrib]
    assert len(hidden) == 2, len(hidden)  # the theme, and the choice of severity
    for element in hidden:
        assert element.get("class") == "js"
        inside = [e.tag for e in element.iter() if e is not element]
        assert {element.tag, *inside} <= {"p", "button"}, inside
    # Every section that the bar leads to has text, and nothing is drawn into an empty element.
    body = "".join(tree.find(".//main").itertext())
    for heading in tree.iter("h2"):
        assert heading.text in body
    for tag in ("dd", "figure", "p", "li"):
        empty = [e for e in tree.iter(tag) if not len(e) and not (e.text or "").strip()]
        assert not empty, (tag, len(empty))


def words_on_paper(program, file):
    """(page width, [(left, right, word)]) of the page as it is printed."""
    paper = program.args.output / f"{file.stem}.pdf"
    paper.unlink(missing_ok=True)
    chromium(program, "--no-pdf-header-footer", f"--print-to-pdf={paper}", file.resolve().as_uri())
    said = subprocess.run(["pdftotext", "-bbox", paper, "-"], capture_output=True, check=True)
    text = said.stdout.decode()
    found = re.findall(r'<word xMin="([-0-9.]+)" [^>]*xMax="([-0-9.]+)"[^>]*>(.*?)</word>', text)
    width = float(re.search(r'<page width="([0-9.]+)"', text).group(1))
    return width, [(float(a), float(b), word) for a, b, word in found]


def paper_cuts_nothing(program):
    for path in (program.measured(), program.hostile()):
        file = page(program, path)
        for shown in (file, without_scripts(program, file)):
            width, words = words_on_paper(program, shown)
            # Chromium cuts what passes its margin of 0.4 inch.
            beyond = [w for w in words if w[0] < 0 or w[1] > width - 28.8]
            assert words and not beyond, (shown.name, len(beyond), beyond[:3])
            # What stands in a closed part is on paper too, with and without the script.
            printed = html.unescape("".join(w[2] for w in words))
            closed = closed_texts(shown)
            assert closed
            for text in closed:
                assert text in printed, (shown.name, text)


def closed_texts(file):
    """Plain paragraphs of the parts that are closed on a screen, without their spaces."""
    import html5lib

    tree = html5lib.parse(file.read_text(), namespaceHTMLElements=False)
    parts = [d for d in tree.iter("details") if "open" not in d.attrib]
    plain = [p.text for d in parts for p in d.iter("p") if not len(p) and p.text]
    return {re.sub(r"\s", "", text) for text in plain}


def light_and_dark_differ_and_both_have_contrast(program):
    file = page(program, program.measured())
    light = screenshot(program, file, "light", "--blink-settings=preferredColorScheme=1")
    dark = screenshot(program, file, "dark", "--blink-settings=preferredColorScheme=0")
    assert light.getpixel((5, 600)) == (255, 255, 255)
    assert max(dark.getpixel((5, 600))) < 40
    for picture in (light, dark):
        low, high = picture.convert("L").getextrema()
        assert high - low > 180


def a_phone_needs_no_sideways_scrolling(program):
    # The window of a headless browser is at least 500 wide; a frame is as narrow as it says.
    file = page(program, program.measured())
    frame = program.args.output / "frame.html"
    frame.write_text(
        f"<iframe width=375 height=3000 src='{file.name}'></iframe><p id=w></p><script>"
        "document.querySelector('iframe').onload = (e) => { const d = e.target.contentDocument;"
        "document.getElementById('w').textContent = 'wide ' + d.documentElement.scrollWidth; }"
        "</script>"
    )
    dom = chromium(
        program, "--allow-file-access-from-files", "--dump-dom", frame.resolve().as_uri()
    ).stdout.decode()
    wide = int(re.search(r"wide (\d+)", dom).group(1))
    assert wide <= 375, wide


def heat_map_shows_the_values(program):
    file = page(program, large_results(program))
    assert file.stat().st_size < 3_000_000, file.stat().st_size
    text = file.read_text()
    from PIL import Image

    pattern = r'data-kind="(\w+)".*?data-values="([^"]*)".*?src="data:image/png;base64,([^"]*)"'
    maps = re.findall(pattern, text)
    assert [m[0] for m in maps] == ["error", "tokens", "saliency"]
    values = struct.unpack(f"<{60 * 512}e", base64.b64decode(maps[0][1]))
    picture = Image.open(io.BytesIO(base64.b64decode(maps[0][2])))
    assert picture.size == (512, 60)
    for layer, expert in ((0, 1), (3, 99), (59, 511)):
        want = 0.001 * (expert % 100 + layer)
        assert abs(values[layer * 512 + expert] - want) <= want * 2**-11
    # Darker is less: the palette's order is the values' order.
    index = picture.tobytes()
    assert index[0 * 512 + 1] < index[0 * 512 + 50] < index[0 * 512 + 99]


if __name__ == "__main__":
    tests = [page_parses_strictly_and_names_no_host, heat_map_shows_the_values]
    if browser():
        tests += [
            scripts_run_and_are_not_needed,
            only_controls_need_the_script,
            paper_cuts_nothing,
            light_and_dark_differ_and_both_have_contrast,
            a_phone_needs_no_sideways_scrolling,
        ]
    else:
        print("skipped: no chromium, so the page is not opened in a browser")
    common.main(common.arguments(), tests)
