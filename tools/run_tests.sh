#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs all tests, or those of the environments named: tools/run_tests.sh [linters|docs|unit|
# database|functional|galera|lvm|smoke|cinder…]. Installs what they need; the last line is "N passed, N failed, N skipped".
# tools/run_tests.sh --long [PART…] runs what takes hours instead; see run_long.py.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/bootstrap.sh
. tools/bootstrap.sh

environments=("$@")
[ $# -gt 0 ] || environments=(linters docs unit database functional galera lvm smoke cinder)
run=(tools/run_tests.py "${environments[@]}")
if [ "${1:-}" = --long ]; then
    run=(tools/run_long.py "${@:2}")
    environments=(long)
fi

venv=$PWD/.venv/tox
make_venv "$venv"
"$venv/bin/pip" install -q 'bindep>=2.11' 'tox>=4.30' 'tox-uv>=1.37' || die "could not install tox"
# uv fills an environment in a tenth of pip's time. It does not read pip's settings, though: where
# packages can't be reached without them, pip has to do it.
"$venv/bin/uv" pip install -q --dry-run --reinstall --python "$venv/bin/python" pip ||
    export TOX_DEFAULT_RUNNER=virtualenv

# It prints the packages that are missing, and then exits with 1.
missing=$("$venv/bin/bindep" --brief "${environments[@]}" || true)
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # one word per package
    apt_install $missing
fi

exec "$venv/bin/python" "${run[@]}"
