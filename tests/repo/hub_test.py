#!/usr/bin/env python3
"""`hf://` against a server on this machine that plays the hub, and another that plays its storage."""

import argparse
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRET = "hf_aSecretThatNobodyMaySee"
ID = "org/model"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # the program stops reading what it did not ask for

    def do_GET(self):
        world = self.server.world
        authorization = self.headers.get("Authorization", "")
        with world.lock:
            world.seen.append((self.server.role, self.path, authorization,
                               self.headers.get("Range", "")))
        self.server.answer(self)

    do_HEAD = do_GET

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        length = headers.pop("length", len(body))
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if length != len(body):
            self.close_connection = True


class World:
    """One repo, a hub that lists it and a storage that holds it."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.Lock()
        self.seen = []
        self.moods = []  # what the hub does to the next requests instead
        self.storage_mood = None
        self.sent = 0  # bytes of files
        self.page = 1000
        self.extra = []  # further entries of the list
        self.hub = self.serve("hub", self.answer_hub)
        self.storage = self.serve("storage", self.answer_storage)

    def serve(self, role, answer):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        server.role, server.world, server.answer = role, self, answer
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def address(self, server):
        return f"http://127.0.0.1:{server.server_address[1]}"

    def answer_hub(self, h):
        with self.lock:
            mood = self.moods.pop(0) if self.moods else None
        if mood:
            mood(h)
        elif h.path.startswith(f"/api/models/{ID}/revision/"):
            wanted = h.path.rsplit("/", 1)[1]
            if wanted not in ("main", "refs%2Fpr%2F1"):
                h.reply(404, X_Error_Code="RevisionNotFound")
            else:
                h.reply(200, json.dumps({"sha": COMMIT}).encode())
        elif h.path.startswith(f"/api/models/{ID}/tree/{COMMIT}"):
            self.answer_tree(h)
        elif h.path.startswith(f"/{ID}/resolve/{COMMIT}/"):
            name = h.path.split(COMMIT + "/", 1)[1]
            if not (self.folder / name).is_file():
                h.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
                return
            size = str((self.folder / name).stat().st_size)
            h.reply(302, Location=f"{self.address(self.storage)}/blob/{name}", X_Linked_Size=size,
                    X_Repo_Commit=COMMIT, X_Linked_Etag=f'"{name}"')
        else:
            h.reply(404, X_Error_Code="RepoNotFound")

    def answer_tree(self, h):
        entries = [{"type": "directory", "path": "assets", "oid": "x", "size": 0}] + self.extra
        entries += [{"type": "file", "path": p.name, "size": p.stat().st_size, "oid": "x"}
                    for p in sorted(self.folder.iterdir())]
        first = int(re.search(r"cursor=(\d+)", h.path).group(1)) if "cursor" in h.path else 0
        more = {}
        if first + self.page < len(entries):
            url = h.path.split("&cursor")[0] + f"&cursor={first + self.page}"
            more = {"Link": f'<{self.address(self.hub)}{url}>; rel="next"'}
        h.reply(200, json.dumps(entries[first:first + self.page]).encode(), **more)

    def answer_storage(self, h):
        file = self.folder / h.path.removeprefix("/blob/")
        size = file.stat().st_size
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", h.headers.get("Range", ""))
        first, last = (int(asked[1]), min(int(asked[2]), size - 1)) if asked else (0, size - 1)
        if self.storage_mood:
            self.storage_mood(h, file.read_bytes(), asked)
            return
        with file.open("rb") as opened:
            opened.seek(first)
            body = opened.read(last - first + 1)
        with self.lock:
            self.sent += len(body)
        if asked:
            h.reply(206, body, Content_Range=f"bytes {first}-{last}/{size}")
        else:
            h.reply(200, body)


class Test:
    def __init__(self, args):
        self.args = args
        models = args.fixtures / "golden" / "models"
        # Two containers, one with a header longer than what is asked for at first.
        folder = args.output / "model"
        shutil.copytree(models / "A-causallm-w4a16-autoround", folder)
        container = next(folder.glob("*.safetensors"))
        data = container.read_bytes()
        length = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + length])
        header["__metadata__"] = {**header.get("__metadata__", {}), "notes": "x" * 300_000}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        container.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length:])
        self.header_bytes = 8 + len(text)
        self.folder, self.container = folder, container
        self.world = World(folder)
        self.caches = 0

    def run(self, *words, code=0, fresh=True, **env):
        if fresh:
            self.caches += 1
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(self.args.output / "home"),
            "XDG_CACHE_HOME": str(self.args.output / f"cache{self.caches}"),
            "HF_ENDPOINT": self.world.address(self.world.hub), "HF_TOKEN": SECRET, **env,
        }  # fmt: skip
        self.world.seen.clear()
        done = subprocess.run([self.args.program, *map(str, words)], capture_output=True, text=True,
                              env=environment, cwd=self.args.output, timeout=60, check=False)
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        assert SECRET not in done.stdout + done.stderr
        for role, path, authorization, _ in self.world.seen:
            if role == "storage":
                assert not authorization, path
            elif env.get("HF_TOKEN") != "":
                assert authorization == f"Bearer {SECRET}", path
        return done

    def refused(self, expected, *words, code=2, **env):
        done = self.run(*words, code=code, **env)
        said = " ".join((done.stdout + done.stderr).split())  # lines are cut to the screen
        assert re.search(expected, said), (expected, said)


def same_results_as_the_folder(t):
    here = json.loads(t.run("check", t.folder, "--headers-only", "--json", "--config", "none").stdout)
    done = t.run("check", f"hf://{ID}", "--json", "--config", "none")
    there = json.loads(done.stdout)
    assert there["target"]["kind"] == "hub" and there["target"]["revision"] == COMMIT
    assert there["target"]["repo_id"] == ID
    for part in ("checkpoint", "loaders", "rules", "counts"):
        assert here[part] == there[part], (part, here[part], there[part])
    assert [f["fingerprint"] for f in here["findings"]] == [
        f["fingerprint"] for f in there["findings"]]
    assert here["target"]["files"] == there["target"]["files"]
    assert "reading 8 files" in done.stderr or re.search(r"reading \d+ files, 1 of them", done.stderr)
    assert t.world.address(t.world.hub)[7:].split(":")[0] in done.stderr
    # Of the weights the header alone has travelled.
    ranges = [r for role, path, _, r in t.world.seen
              if role == "storage" and path.endswith(t.container.name)]
    assert ranges == ["bytes=0-131071", f"bytes=131072-{t.header_bytes - 1}"], ranges


def asked_once(t):
    t.run("check", f"hf://{ID}")
    t.run("check", f"hf://{ID}", fresh=False)
    assert [path for _, path, _, _ in t.world.seen] == [f"/api/models/{ID}/revision/main"]
    t.run("check", f"hf://{ID}@{COMMIT}", fresh=False)
    assert not t.world.seen
    # What is broken in the cache is asked for again.
    kept = next((t.args.output / f"cache{t.caches}").rglob("config.json"))
    kept.write_text("{")
    t.run("check", f"hf://{ID}@{COMMIT}", fresh=False)
    assert [path for role, path, _, _ in t.world.seen if role == "storage"] == ["/blob/config.json"]


def forms_of_an_address(t):
    hub = t.world.address(t.world.hub)
    for target in (f"{hub}/{ID}", f"{hub}/{ID}/tree/main", f"hf://{ID}@main/", f"hf://{ID}@refs/pr/1",
                   f"hf://{ID}/{t.container.name}"):
        t.run("inspect", target)
    t.run("inspect", ID, "--remote")
    t.refused("not in the hub cache", "inspect", ID)
    assert not t.world.seen
    t.refused("did you mean", "inspect", f"hf://{ID}/{t.container.name[:-1]}")
    t.refused("has no revision other", "inspect", f"hf://{ID}@other")
    for target in ("hf://", "hf://org", "hf://../..", "hf://org/model/a/b", "hf://org/model@",
                   "https://example.org/org/model", "hf://org/mo del", f"{hub}/{ID}/commits/main"):
        t.refused("write hf://org/name", "inspect", target)
        assert not t.world.seen, target


def weights_are_asked_for_plainly(t):
    models = t.args.fixtures / "golden" / "models"
    t.refused("without the weights", "check", f"hf://{ID}", "--deep")
    for words in (("kl", f"hf://{ID}", "--reference", models / "A-causallm-bf16"),
                  ("kl", models / "A-causallm-bf16", "--reference", f"hf://{ID}"),
                  ("fix", f"hf://{ID}"), ("prune-verify", t.folder, "--base", f"hf://{ID}")):
        t.refused("more than configs and headers; `hf download org/model`", *words)
        assert not t.world.seen, words
    assert t.run("estimate", f"hf://{ID}").stdout
    assert t.run("diff", f"hf://{ID}", t.folder).stdout


def refusals(t):
    def says(status, **headers):
        return [lambda h: h.reply(status, **headers)]

    for mood, expected in (
        (says(401, X_Error_Code="GatedRepo"), "gated: accept its terms"),
        (says(403, X_Error_Code="GatedRepo"), "gated: accept its terms"),
        (says(401), "private and the token may not see it"),
        (says(404, X_Error_Code="RepoNotFound"), "not there"),
        (says(418), "answer 418"),
        (says(429, Retry_After="300"), "again in 300 s"),
        ([lambda h: h.reply(302, Location="file:///etc/passwd")], "no web address"),
        ([lambda h: h.reply(302, Location=h.path)] * 9, "more than 5 redirects"),
        ([lambda h: h.reply(200, b"[")], "revision"),
        ([lambda h: h.reply(200, b'{"sha": "../../x"}')], "no commit"),
    ):
        t.world.moods = list(mood)
        t.refused(expected, "check", f"hf://{ID}")
        t.world.moods = []
    t.refused("HF_TOKEN|without a token", "check", "hf://org/other", HF_TOKEN="")
    t.refused("characters that no token has", "check", f"hf://{ID}", HF_TOKEN="a\nb: c")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        t.refused("not to be used", "check", f"hf://{ID}", **{name: "yes"})
        assert not t.world.seen
    t.refused("not to be used", "check", f"hf://{ID}", "--offline")
    assert not t.world.seen


def passing_trouble_is_waited_for(t):
    t.world.moods = [lambda h: h.reply(429, Retry_After="1"), lambda h: h.reply(503),
                     lambda h: h.reply(200, b"{", length=10)]
    done = t.run("check", f"hf://{ID}")
    assert "answer 429, again in 1 s" in done.stderr and "answer 503" in done.stderr


def wrong_ranges_are_errors(t):
    def whole(h, body, asked):
        h.reply(200, body[:4096])

    def elsewhere(h, body, asked):
        first, last = map(int, asked.groups()) if asked else (0, len(body) - 1)
        h.reply(206 if asked else 200, body[first:last + 1], Content_Range="bytes 1-2/3")

    def short(h, body, asked):
        h.reply(200, body[: len(body) // 2])

    for mood, expected in ((whole, "asked for|the answer has"), (elsewhere, "asked for"),
                           (short, "the answer")):
        t.world.storage_mood = mood
        t.refused(expected, "check", f"hf://{ID}")
        t.world.storage_mood = None


def lists_may_be_long_or_hostile(t):
    t.world.page = 2
    t.run("check", f"hf://{ID}")
    assert sum("/tree/" in path for _, path, _, _ in t.world.seen) > 3
    t.world.page = 1000
    for path in ("../../../etc/passwd", "/etc/passwd", "a//b", "", "a/./b"):
        t.world.extra = [{"type": "file", "path": path, "size": 1}]
        t.refused("relative path", "check", f"hf://{ID}")
    t.world.extra = [{"type": "file", "path": "x\u001b[31m.json", "size": 1 << 60}]
    assert "\x1b" not in t.run("inspect", f"hf://{ID}").stdout
    t.world.extra = [{"type": "file", "path": f"{i}.safetensors", "size": 1 << 40}
                     for i in range(9000)]
    t.refused("headers of more than 1", "check", f"hf://{ID}")
    t.world.page = 20000
    t.world.extra = [{"type": "file", "path": f"{i}.bin", "size": 1} for i in range(100_001)]
    t.refused("more than 100000 files", "check", f"hf://{ID}")
    t.world.page, t.world.extra = 1000, []
    elsewhere = f'<{t.world.address(t.world.storage)}/x>; rel="next"'
    t.world.moods = [lambda h: h.reply(200, json.dumps({"sha": COMMIT}).encode()),
                     lambda h: h.reply(200, b"[]", Link=elsewhere)]
    t.refused("next page is elsewhere", "check", f"hf://{ID}")
    assert not [s for s in t.world.seen if s[0] == "storage"]


def main():
    parser = argparse.ArgumentParser()
    for name in ("program", "fixtures", "output"):
        parser.add_argument("--" + name, required=True, type=lambda p: Path(p).absolute())
    args = parser.parse_args()
    shutil.rmtree(args.output, ignore_errors=True)
    (args.output / "home").mkdir(parents=True)
    test = Test(args)
    failed = 0
    for case in (same_results_as_the_folder, asked_once, forms_of_an_address,
                 weights_are_asked_for_plainly, refusals, passing_trouble_is_waited_for,
                 wrong_ranges_are_errors, lists_may_be_long_or_hostile):
        try:
            case(test)
            print(f"ok      {case.__name__}")
        except Exception as error:  # noqa: BLE001 - each case is reported
            failed += 1
            print(f"FAILED  {case.__name__}: {type(error).__name__}: {error}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
