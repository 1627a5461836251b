#!/usr/bin/env python3
"""A job that a hub webhook starts: checks the pushed commit and answers on the pull request.

The job has WEBHOOK_PAYLOAD (JSON, scope repo.content), a token in HF_TOKEN and ckpt-check on its
path. Configs and headers of the commit are read, its weights stay on the hub; with
CKPT_CHECK_DEEP=1 they are downloaded and every byte of them is read. Nothing is executed.
"""

import json
import os
import re
import subprocess
import sys
import tempfile


def pushed(payload):
    """(repo id, commit, pull request or None) of a push to a model, or None for anything else."""
    event = payload.get("event", {})
    repo = payload.get("repo", {})
    if event.get("scope") != "repo.content" or repo.get("type") != "model":
        return None
    commit = str(repo.get("headSha", ""))
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        return None
    number = None
    for ref in payload.get("updatedRefs", []):
        found = re.fullmatch(r"refs/pr/([0-9]{1,9})", str(ref.get("ref", "")))
        if found and re.fullmatch(r"[0-9a-f]{40}", str(ref.get("newSha", ""))):
            number, commit = int(found.group(1)), ref["newSha"]
    return str(repo["name"]), commit, number


def check(target, *options):
    """Exit code and Markdown of a check."""
    report = os.path.join(tempfile.mkdtemp(), "report.md")
    done = subprocess.run(
        ["ckpt-check", "check", "--config", "none", "--report", f"markdown={report}", *options,
         "--", target],
        check=False,
    )
    with open(report, encoding="utf-8") as file:
        return done.returncode, file.read()


def main():
    found = pushed(json.loads(os.environ["WEBHOOK_PAYLOAD"]))
    if found is None:
        print("not a push to a model: nothing to do")
        return 0
    import huggingface_hub

    repo, commit, number = found
    if os.environ.get("CKPT_CHECK_DEEP") == "1":
        code, markdown = check(huggingface_hub.snapshot_download(repo, revision=commit), "--deep")
    else:
        code, markdown = check(f"hf://{repo}@{commit}")
    print(markdown)
    if number is not None:
        huggingface_hub.HfApi().comment_discussion(repo, number, comment=markdown)
    return code


if __name__ == "__main__":
    sys.exit(main())
