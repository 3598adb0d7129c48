#!/bin/sh
# Builds what is missing and measures; options are those of bench/main.ts.
set -eu
cd "$(dirname "$0")/.."
trap 'sh tools/give-back.sh' EXIT
sh tools/bootstrap.sh
sh test/packages.sh
node dist/cli/main.js engine >&2
node_modules/.bin/tsc -p bench
node bench/build/bench/main.js "$@"
