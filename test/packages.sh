#!/bin/sh
# Debian packages that the tests use as outside witnesses and as real clients; installed where they are missing.
set -eu
missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need ip iproute2
need tunctl uml-utilities
need socat socat
need ifconfig net-tools
need ping iputils-ping
need openvpn openvpn
need qemu-system-x86_64 qemu-system-x86
need strace strace
need sudo sudo
need clang-format clang-format
need python3 python3
if [ -n "$missing" ]; then
  [ "$(id -u)" = 0 ] || { echo "these Debian packages are missing, install them:$missing" >&2; exit 1; }
  echo "installing Debian packages:$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
