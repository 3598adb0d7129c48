#!/bin/sh
# Puts the addon of this machine where the package carries it, so that it works without a compiler.
set -eu
folder="prebuilds/linux-$(node -p process.arch)"
mkdir -p "$folder"
strip --strip-unneeded -o "$folder/tuntap.node" native/build/tuntap.node
