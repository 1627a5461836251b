#!/usr/bin/env python3
"""The CI pieces against the schemas of those who read them."""

import subprocess
import sys
from pathlib import Path

import common

ROOT = Path(__file__).resolve().parents[2]


def check(program, schema, file):
    tool = Path(sys.prefix) / "bin" / "check-jsonschema"
    subprocess.run([tool, "--builtin-schema", schema, ROOT / file], check=True)


def action_is_valid(program):
    check(program, "vendor.github-actions", "action.yml")


def workflow_is_valid(program):
    check(program, "vendor.github-workflows", "packaging/ci/workflow.yml")


def gitlab_template_is_valid(program):
    check(program, "vendor.gitlab-ci", "packaging/ci/gitlab.yml")


def hook_is_valid(program):
    manifest = ROOT / "packaging" / "pre-commit" / ".pre-commit-hooks.yaml"
    tool = Path(sys.prefix) / "bin" / "pre-commit"
    subprocess.run([tool, "validate-manifest", manifest], check=True)


def inputs_never_stand_in_a_script(program):
    """`${{ }}` inside `run` would let an input run commands."""
    import ruamel.yaml

    action = ruamel.yaml.YAML(typ="safe").load((ROOT / "action.yml").read_text())
    for step in action["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


if __name__ == "__main__":
    common.main(
        common.arguments(),
        [
            action_is_valid,
            workflow_is_valid,
            gitlab_template_is_valid,
            hook_is_valid,
            inputs_never_stand_in_a_script,
        ],
    )
