#!/usr/bin/env python3
"""What a model repository's job does, from a broken checkpoint to a card. Standard library only.

The job is the script that the GitHub action runs, with the files that a runner gives it.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

CODE = "CFG011"  # an error that `fix` repairs: float16 declared, linear attention in the model


class Example(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ckpt-ci-"))
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copytree(ARGS.rules / CODE / "bad", self.folder / "model")
        (self.folder / "model" / "README.md").write_text("# A model\n")
        (self.folder / ".git").mkdir()  # the configuration is looked for up to here
        for name in ("output", "summary"):
            (self.folder / name).touch()

    def environment(self):
        return {
            "PATH": f"{ARGS.program.parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "CKPT_TARGET": "model",
            "CKPT_SARIF": "report.sarif",
        }

    def run_in(self, *command, more=None):
        environment = self.environment() | (more or {})
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )

    def job(self, more=None):
        return self.run_in(ARGS.check, more=more)

    def outputs(self):
        lines = (self.folder / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def test_a_broken_checkpoint_fails_with_annotations(self):
        job = self.job()
        self.assertEqual(job.returncode, 1, job.stderr)
        marked = [line for line in job.stdout.splitlines() if line.startswith("::error ")]
        place = "file=model/config.json,line="
        self.assertTrue(any(f"({CODE})" in line and place in line for line in marked), marked)
        self.assertEqual(self.outputs()["verdict"], "fail")
        self.assertGreaterEqual(int(self.outputs()["errors"]), 1)
        self.assertIn(CODE, (self.folder / "summary").read_text())
        sarif = json.loads((self.folder / "report.sarif").read_text())
        self.assertIn(CODE, [r["ruleId"] for r in sarif["runs"][0]["results"]])

    def test_fix_repairs_it_and_the_next_run_passes(self):
        fixed = self.run_in(ARGS.program, "fix", "model", "--write", "--select", CODE)
        self.assertEqual(fixed.returncode, 0, fixed.stdout + fixed.stderr)
        job = self.job()
        self.assertEqual(job.returncode, 0, job.stdout)
        self.assertNotIn("::error", job.stdout)
        self.assertEqual(self.outputs()["verdict"], "pass")

    def waive(self, expires):
        (self.folder / "ckpt-check.toml").write_text(
            f'[[waiver]]\ncode = "{CODE}"\nreason = "served in float32 by our own loader"\n'
            f"expires = {expires}\n"
        )

    def test_a_waiver_lets_it_pass_until_it_expires(self):
        self.waive('"never"')
        job = self.job()
        self.assertEqual(job.returncode, 0, job.stdout)
        sarif = json.loads((self.folder / "report.sarif").read_text())
        waived = [r for r in sarif["runs"][0]["results"] if r["ruleId"] == CODE]
        self.assertEqual(waived[0]["suppressions"][0]["status"], "accepted")
        self.waive("2024-01-31")
        job = self.job()
        self.assertEqual(job.returncode, 1, job.stdout)
        self.assertIn("WVR001", job.stdout)

    def test_the_card_gets_its_block_once(self):
        self.job()
        results = str(self.folder / "ckpt-check-results.json")
        for _ in range(2):
            done = self.run_in(ARGS.program, "report", results, "--update", "model/README.md")
            self.assertEqual(done.returncode, 0, done.stderr)
        card = (self.folder / "model" / "README.md").read_text()
        self.assertTrue(card.startswith("# A model\n\n<!-- ckpt-check:begin -->\n"))
        self.assertEqual(card.count("ckpt-check:end"), 1)
        self.assertIn("| Verdict | FAIL:", card)

    def test_options_are_words_and_a_target_is_never_an_option(self):
        words = {"CKPT_ARGS": "--ignore " + CODE}
        self.assertEqual(self.job(words | {"CKPT_TARGET": "--deep"}).returncode, 2)
        done = self.job(words)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_the_webhook_takes_pushes_to_models_only(self):
        path = ARGS.check.parent / "hub_webhook.py"
        spec = importlib.util.spec_from_file_location("hub_webhook", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        push = {
            "event": {"action": "update", "scope": "repo.content"},
            "repo": {"type": "model", "name": "org/name", "headSha": "a" * 40},
        }
        self.assertEqual(module.pushed(push), ("org/name", "a" * 40, None))
        pull = push | {"updatedRefs": [{"ref": "refs/pr/7", "newSha": "b" * 40}]}
        self.assertEqual(module.pushed(pull), ("org/name", "b" * 40, 7))
        for other in (
            {},
            push | {"event": {"scope": "discussion"}},
            push | {"repo": {"type": "dataset", "name": "x", "headSha": "a" * 40}},
            push | {"repo": {"type": "model", "name": "x", "headSha": "main; rm -rf /"}},
        ):
            self.assertIsNone(module.pushed(other))


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser()
    for name in ("program", "rules", "check"):
        PARSER.add_argument("--" + name, required=True, type=Path)
    ARGS = PARSER.parse_args()
    unittest.main(argv=[__file__])
