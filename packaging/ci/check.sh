#!/usr/bin/env bash
# One job of GitHub Actions: checks CKPT_TARGET, annotates, writes SARIF and the outputs of the step.
# The exit code is ckpt-check's, so that the job fails when the checkpoint does.
set -uo pipefail

if ! command -v ckpt-check >/dev/null; then
  python3 -m pip install --quiet "ckpt-check${CKPT_VERSION:+==$CKPT_VERSION}" || exit 2
fi

results=${RUNNER_TEMP:-.}/ckpt-check-results.json
options=(--fail-on "${CKPT_FAIL_ON:-error}" --report "json=$results" --report github)
[ -n "${CKPT_SARIF:-}" ] && options+=(--report "sarif=$CKPT_SARIF")
# Split at spaces only: no pattern of it meets the file system.
read -r -a more <<<"${CKPT_ARGS:-}"

ckpt-check check "${more[@]}" "${options[@]}" -- "${CKPT_TARGET:-.}"
code=$?

if [ -n "${GITHUB_OUTPUT:-}" ] && [ -s "$results" ]; then
  python3 - "$results" >>"$GITHUB_OUTPUT" <<'PYTHON'
import json
import sys

# The verdict is one of four words and the count a number: neither can end the line.
results = json.load(open(sys.argv[1], encoding="utf-8"))
print(f"verdict={results['run']['verdict']}")
print(f"errors={int(results['counts']['error'])}")
print(f"results={sys.argv[1]}")
PYTHON
fi
exit "$code"
