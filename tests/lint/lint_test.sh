#!/bin/bash
# Runs lint.py on the work tree that this test was built from, not on a sandbox's copy.
set -euo pipefail
root=$(dirname "$(readlink -f WORKSPACE)")
exec /usr/bin/python3 "$root/tests/lint/lint.py" "$root"
