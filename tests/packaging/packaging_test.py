#!/usr/bin/env python3
"""An installation below a scratch prefix, the Debian package, and NOTICE. Standard library only."""

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

# Of every Linux system, or of the compiler; their licences let programs be built with them.
SYSTEM = re.compile(r"^(libc6|libstdc\+\+|libgcc|linux-libc|gcc-|g\+\+-|libcrypt-|libtirpc|libnsl)")
MODEL = "fixtures/golden/models/A-causallm-w4a16-autoround"


def run(*command, codes=(0,), **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode not in codes:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def package_of(path):
    """The Debian package that owns a file; diversions and unmerged folders are other spellings."""
    for spelling in (path, path.removeprefix("/usr"), os.path.realpath(path)):
        found = subprocess.run(["dpkg", "-S", spelling], capture_output=True, text=True, check=False)
        if found.returncode == 0:
            return found.stdout.splitlines()[0].split(":")[0]
    return None


class Packaging(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="ckpt-packaging-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def check_tree(self, prefix, zsh):
        program = prefix / "bin" / "ckpt-check"
        self.assertTrue(run(program, "--version").startswith(f"ckpt-check {ARGS.version} ("))
        self.assertIn("PASS", run(program, "check", ARGS.source / MODEL))
        share = prefix / "share"
        for made, command in (
            ("bash-completion/completions/ckpt-check", ("completions", "bash")),
            (f"zsh/{zsh}/_ckpt-check", ("completions", "zsh")),
            ("fish/vendor_completions.d/ckpt-check.fish", ("completions", "fish")),
        ):
            self.assertEqual((share / made).read_text(), run(program, *command))
        page = share / "man" / "man1" / "ckpt-check.1.gz"
        self.assertEqual(run("gzip", "-dc", page), run(program, "man"))
        licences = (share / "doc" / "ckpt-check" / "copyright").read_text()
        for package in noticed():
            self.assertIn(f"\n--- {package} ---\n", licences)
        self.assertIn("Permission is hereby granted", licences)
        others = [p for p in prefix.rglob("*") if p.is_file() and p.suffix == ".so"]
        self.assertEqual(others, [])

    def test_an_installation_is_complete(self):
        run("cmake", "--install", ARGS.build, "--prefix", self.folder, "--component", "program")
        self.check_tree(self.folder, "site-functions")

    def test_the_debian_package_is_complete_and_names_what_it_needs(self):
        for tool in ("cpack", "dpkg-deb", "dpkg-shlibdeps"):
            if not shutil.which(tool):
                self.skipTest(f"no {tool}")
        config = ARGS.build / "CPackConfig.cmake"
        run("cpack", "--config", config, "-G", "DEB", "-B", self.folder, cwd=self.folder)
        (package,) = self.folder.glob("*.deb")
        root = self.folder / "root"
        run("dpkg-deb", "-x", package, root)
        self.check_tree(root / "usr", "vendor-completions")
        depends = run("dpkg-deb", "-f", package, "Depends")
        needed = {name.split()[0] for name in depends.split(", ")}
        for library in libraries():
            self.assertIn(package_of(library), needed)
        self.assertIn("libc6", needed)
        if shutil.which("lintian"):
            said = run("lintian", "--allow-root", "--fail-on", "none", package)
            self.assertEqual([x for x in said.splitlines() if x.startswith(("E:", "W:"))], [])

    def test_the_cuda_plugin_is_installed_where_the_program_looks_for_it(self):
        run("cmake", "--install", ARGS.build, "--prefix", self.folder, "--component", "cuda")
        plugin = self.folder / "lib" / "ckpt-check" / "libckpt_cuda.so"
        self.assertEqual(plugin.exists(), (ARGS.build / "libckpt_cuda.so").exists())

    def test_notice_lists_what_the_program_is_made_of(self):
        if not shutil.which("dpkg"):
            self.skipTest("no dpkg")
        if not (ARGS.build / "build.ninja").exists() or not shutil.which("ninja"):
            self.skipTest("only ninja's log says which headers were compiled in")
        found = {package_of(h) for h in headers()} - {None}
        found = {p for p in found if not SYSTEM.match(p)}
        self.assertEqual(found, noticed())

    def test_the_changelog_has_the_version(self):
        changelog = (ARGS.source / "packaging" / "debian" / "changelog").read_text()
        self.assertTrue(changelog.startswith(f"ckpt-check ({ARGS.version}) "))


def noticed():
    """Packages of NOTICE."""
    text = (ARGS.source / "NOTICE").read_text()
    return set(re.findall(r"^  ([a-z0-9.+-]+-dev) ", text, re.MULTILINE))


def libraries():
    """Shared libraries that the program itself names, without those of every Linux system. What
    they need in turn is for their own packages to say."""
    direct = set(re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", ARGS.program)))
    found = re.findall(r"(\S+) => (/\S+)", run("ldd", ARGS.program))
    paths = [path for name, path in found if name in direct]
    return [p for p in paths if not SYSTEM.match(package_of(p) or "libc6")]


def headers():
    """Headers outside the project that some object of the program was compiled with."""
    out, of_program = set(), False
    for line in run("ninja", "-C", ARGS.build, "-t", "deps").splitlines():
        if line and not line.startswith(" "):
            of_program = line.startswith(("validator/", "kernels/", "reports/"))
        elif of_program and line.strip().startswith("/usr/include/"):
            out.add(line.strip())
    # Asking dpkg costs more than reading: one file of each folder names its package.
    return {min(group) for group in by_folder(out).values()}


def by_folder(paths):
    groups = {}
    for path in paths:
        folder = os.path.dirname(path)
        # Files that lie directly in a folder shared by all packages stand for themselves.
        shared = folder == "/usr/include" or folder.endswith("-linux-gnu")
        groups.setdefault(path if shared else folder, []).append(path)
    return groups


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser()
    for name in ("program", "source", "build"):
        PARSER.add_argument("--" + name, required=True, type=Path)
    PARSER.add_argument("--version", required=True)
    ARGS = PARSER.parse_args()
    unittest.main(argv=[__file__])
