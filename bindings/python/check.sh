#!/usr/bin/env bash
# Builds the Python package in the dev profile, in a venv of its own, and runs its tests and mypy.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
root="$(cd ../.. && pwd)"

# The main workspace's target folder: its build of SQLCipher is used again.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}" CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"
export PIP_NO_INPUT=1 PIP_DISABLE_PIP_VERSION_CHECK=1
venv="$CARGO_TARGET_DIR/python-venv"
[[ -x "$venv/bin/python" ]] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet "maturin>=1.9,<2" pytest mypy

cargo fmt --check
cargo clippy --locked --quiet -- -D warnings
# The relay of the tests.
(cd "$root" && cargo build --locked --quiet -p selkie-cli)
VIRTUAL_ENV="$venv" PATH="$venv/bin:$PATH" "$venv/bin/maturin" develop --locked --quiet
"$venv/bin/python" -m pytest -q -p no:cacheprovider
"$venv/bin/python" -m mypy --cache-dir "$CARGO_TARGET_DIR/mypy" python/selkie examples
# The stub of the native half says what is there.
"$venv/bin/stubtest" --ignore-disjoint-bases selkie._selkie
