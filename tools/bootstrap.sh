#!/bin/sh
# Installs what package-lock.json pins and builds the addon and the TypeScript, each only where it is out of date.
# Run from the package's root by `npm run up`, `npm run down` and `npm test`.
set -eu

fail() {
  echo "bootstrap: $1" >&2
  exit 1
}

command -v g++ >/dev/null && command -v make >/dev/null ||
  fail "g++ and make are needed to build the addon; on Debian-like hosts: apt-get install g++ make"
node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 12) ? 0 : 1)' ||
  fail "Node.js $(node --version) is too old; 20.12 or newer is needed"

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "installing npm packages …" >&2
  npm ci --no-audit --no-fund --loglevel=error >&2
  touch node_modules/.package-lock.json
fi

make -s -C native >&2

stamp=dist/.built
if [ ! -e "$stamp" ] || [ -n "$(find provider sdk cli package.json tsconfig.json -newer "$stamp" -print -quit)" ]; then
  echo "building TypeScript …" >&2
  rm -rf dist
  node_modules/.bin/tsc -p . >&2
  chmod +x dist/cli/main.js
  touch "$stamp"
fi

sh tools/give-back.sh
