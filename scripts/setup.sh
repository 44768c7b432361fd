#!/usr/bin/env bash
# Make .venv ready: `scripts/setup.sh run` for serving, `scripts/setup.sh dev` for working on Headgate.
# Needs Python 3.11 or newer, nothing else; installs only what the locks name, by hash.
# A stamp in .venv names the locks it was made from, so a second call does nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

kind="${1:-dev}"
case "$kind" in
  run) lock=requirements-run.lock ;;
  dev) lock=requirements.lock ;;
  *) echo "scripts/setup.sh: '$kind' is neither run nor dev" >&2; exit 2 ;;
esac

state=$(cat pyproject.toml requirements.lock requirements-run.lock scripts/setup.lock | sha256sum | cut -c1-16)
for stamp in ".venv/.ready-$kind-$state" ".venv/.ready-dev-$state"; do
  [ -e "$stamp" ] && exit 0
done

find_python() {
  local name
  for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
      echo "$name"
      return
    fi
  done
  echo "Headgate needs Python 3.11 or newer, and none was found on the PATH." >&2
  echo "Debian and Ubuntu: apt-get install python3 python3-venv. Or name one: make setup PYTHON=/path/to/python3" >&2
  return 1
}

make_venv() {
  local python
  python=$(find_python)
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      echo "setup: $python cannot make virtual environments yet, installing python3-venv"
      apt-get update -qq </dev/null
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv </dev/null >/dev/null
    else
      echo "$python cannot make virtual environments: its 'venv' and 'ensurepip' are packaged apart." >&2
      echo "Run this once, then again what you did:  sudo apt-get install python3-venv" >&2
      return 1
    fi
  fi
  "$python" -m venv .venv
}

# A venv whose Python is gone (moved folder, upgraded system) looks present and is not.
.venv/bin/python -c pass 2>/dev/null || { rm -rf .venv; make_venv; }

echo "setup: installing what $lock names into .venv"
.venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip --upgrade >/dev/null
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r scripts/setup.lock
export VIRTUAL_ENV="$PWD/.venv"
.venv/bin/uv pip install --quiet --require-hashes -r "$lock"
# The build backend came with scripts/setup.lock: nothing is fetched that no lock names.
.venv/bin/uv pip install --quiet --no-deps --no-build-isolation -e .

rm -f .venv/.ready-*
touch ".venv/.ready-$kind-$state"
echo "setup: ready"
