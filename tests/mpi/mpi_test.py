#!/usr/bin/env python3
"""The program under mpirun: with 2 and 4 processes the results are those of one, byte for byte."""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ARGS = None
SKIPPED = 77
TIMEOUT_S = 300


class Mpi(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ckpt-mpi-"))
        self.addCleanup(shutil.rmtree, self.folder)
        golden = pathlib.Path(ARGS.fixtures) / "golden"
        self.reference = golden / "models" / "A-causallm-bf16"
        self.candidate = golden / "models" / "A-causallm-w4a16-autoround"
        ids = json.loads((golden / "tokens_S" / "tokens.json").read_text())["ids"]
        (self.folder / "ids.json").write_text(json.dumps(ids))

    def run_program(self, processes, *options, program=None, environment=None):
        """One run in a folder of its own; processes 0: without mpirun."""
        command = []
        if processes:
            command = ["mpirun", "--oversubscribe", "-n", str(processes)]
        command += [program or ARGS.program, "kl", str(self.candidate),
                    "--token-ids", str(self.folder / "ids.json"), "--threads", "1",
                    "--progress", "none", *options]
        if "--reference" not in options:
            command += ["--reference", str(self.reference)]
        env = dict(os.environ, XDG_STATE_HOME=str(self.folder / "state"), TMPDIR="/tmp",
                   OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_btl_vader_single_copy_mechanism="none", **(environment or {}))
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True,
                              timeout=TIMEOUT_S, check=False)

    def test_results_are_those_of_one_process(self):
        for options in ([], ["--mode", "bf16", "--noise-floor"],
                        ["--attribute", "both", "--gate", "kl.mean<=0.0001", "--confirm"]):
            with self.subTest(options=options):
                options = [*options, "--json", "--reproducible"]
                alone = self.run_program(0, *options)
                self.assertIn(alone.returncode, (0, 1), alone.stderr)
                kl = json.loads(alone.stdout)["metrics"]["kl"]["mean"]
                self.assertGreater(kl, 0)
                for processes in (2, 4):
                    shared = self.run_program(processes, *options)
                    self.assertEqual(shared.returncode, alone.returncode, shared.stderr)
                    self.assertEqual(shared.stdout, alone.stdout)
                    self.assertIn(f"{processes} processes share", shared.stderr)
                    self.assertEqual(shared.stderr.count("processes share"),
                                     alone.stderr.count("memory:"))

    def test_only_one_process_keeps_results(self):
        self.assertEqual(self.run_program(2).returncode, 0)
        kept = list((self.folder / "state").rglob("results.json"))
        self.assertEqual(len(kept), 1)

    def test_an_error_ends_all_and_is_said_once(self):
        ran = self.run_program(2, "--reference", "./nowhere")
        self.assertEqual(ran.returncode, 2)
        self.assertEqual(ran.stdout.count("INCOMPLETE"), 1)
        ran = self.run_program(2, "--journal", "j")
        self.assertEqual(ran.returncode, 2)
        self.assertEqual(ran.stderr.count("there is no --journal"), 1)

    def test_a_program_without_the_plugin_says_so(self):
        program = self.folder / "ckpt-check"
        shutil.copy(ARGS.program, program)
        ran = self.run_program(0, program=str(program))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        ran = self.run_program(0, program=str(program),
                               environment={"OMPI_COMM_WORLD_SIZE": "2"})
        self.assertEqual(ran.returncode, 2)
        self.assertIn("made without MPI", ran.stderr)


def main():
    global ARGS
    parser = argparse.ArgumentParser()
    for name in ("program", "plugin", "fixtures"):
        parser.add_argument(f"--{name}", required=True)
    ARGS = parser.parse_args()
    ARGS.program = os.path.abspath(ARGS.program)
    if shutil.which("mpirun") is None or not os.path.exists(ARGS.plugin):
        print("skipped: no mpirun (package openmpi-bin), or the plugin was not built")
        return SKIPPED
    result = unittest.main(argv=[sys.argv[0]], exit=False, verbosity=2).result
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
