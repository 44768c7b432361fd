#!/usr/bin/env bash
# Install what the tests need from Node into tests/node/node_modules, exactly as its lock says.
# Without Node nothing is installed: the tests that need it are left out and say so.
set -euo pipefail
cd "$(dirname "$0")/../tests/node"

state=$(cat package.json package-lock.json | sha256sum | cut -c1-16)
[ -e "node_modules/.ready-$state" ] && exit 0

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  echo "setup-node: no node or npm here, so the tests that need them will not run (apt-get install nodejs npm)"
  exit 0
fi
echo "setup-node: installing the SDKs and the mock vendor for tests"
npm ci --no-audit --no-fund --ignore-scripts --loglevel=error </dev/null
touch "node_modules/.ready-$state"
