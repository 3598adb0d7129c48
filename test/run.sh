#!/bin/sh
# All tests, from a clean checkout: installs and builds what is missing, then checks, native tests, all others.
set -eu
cd "$(dirname "$0")/.."
trap 'sh tools/give-back.sh' EXIT
sh tools/bootstrap.sh
sh test/packages.sh
npm run --silent prebuild
npm run --silent check
make -s -C native test
node dist/cli/main.js engine
node_modules/.bin/vitest run
