#!/bin/sh
# Puts addon and helper of this machine where the package carries them, so that they work without a compiler.
set -eu
folder="prebuilds/linux-$(node -p process.arch)"
mkdir -p "$folder"
strip --strip-unneeded -o "$folder/tuntap.node" native/build/tuntap.node
strip -o "$folder/tuntap-helper" native/build/tuntap-helper
