#!/usr/bin/env python3
"""Plants each kind of breach in a small tree and expects exactly its line to be named."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent / "check_layers.py"
EDGES = "validator/base:\nvalidator/arch:validator/base\nvalidator/forward:kernels\nkernels:\n"
TREE = {
    "validator/base/text.h": "#pragma once\n",
    "validator/arch/names.h": '#pragma once\n#include "validator/base/text.h"\n',
    "validator/base/json.cpp": "#include <simdjson.h>\n",
    "kernels/ops.h": "#pragma once\n",
    "kernels/cpu/cpu_ops.h": '#pragma once\n#include "kernels/ops.h"\n',
    "validator/forward/moe.cpp": '#include "kernels/ops.h"\n',
}


class CheckLayers(unittest.TestCase):
    def run_on(self, more):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in (TREE | more).items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
            (root / "edges").write_text(EDGES)
            command = [sys.executable, SCRIPT, root, root / "edges"]
            run = subprocess.run(command, capture_output=True, text=True)
            return run.returncode, run.stdout.splitlines()

    def expect(self, name, text, line, what):
        code, out = self.run_on({name: text})
        self.assertEqual(code, 1)
        self.assertEqual(len(out), 1, out)
        self.assertTrue(out[0].startswith(f"{name}:{line}: "), out)
        self.assertIn(what, out[0])

    def test_clean_tree(self):
        self.assertEqual(self.run_on({})[0], 0)

    def test_include_against_the_arrow(self):
        text = '// a\n#include "validator/arch/names.h"\n'
        self.expect("validator/base/up.cpp", text, 2, "does not depend on validator/arch")

    def test_no_transitive_edges(self):
        text = '#include "validator/base/text.h"\n'
        self.expect("validator/forward/a.cpp", text, 1, "does not depend on validator/base")

    def test_backend_behind_its_interface(self):
        text = '#include "kernels/cpu/cpu_ops.h"\n'
        self.expect("validator/forward/a.cpp", text, 1, 'may include "kernels/ops.h"')

    def test_include_not_from_the_root(self):
        self.expect("validator/base/a.cpp", '#include "text.h"\n', 1, "not a path from")

    def test_folder_without_library(self):
        self.expect("validator/new/a.cpp", "\n", 1, "no folder that ckpt_library knows")

    def test_library_in_another_folder(self):
        self.expect("validator/arch/a.cpp", "#include <simdjson.h>\n", 1, "validator/base")

    def test_library_in_a_header(self):
        self.expect("validator/base/a.h", "# include <simdjson.h>\n", 1, "in a header")

    def test_std_regex(self):
        self.expect("validator/base/a.cpp", "#include <regex>\n", 1, "no folder")

    def test_long_file(self):
        self.expect("tests/a.cpp", "\n" * 601, 601, "601 lines")

    def test_longest_file_allowed(self):
        self.assertEqual(self.run_on({"tests/a.cpp": "\n" * 600})[0], 0)

    def test_not_ascii(self):
        self.expect("tests/a.cpp", b"// a\n// \xc3\xa9\n", 2, "not ASCII")


if __name__ == "__main__":
    unittest.main()
