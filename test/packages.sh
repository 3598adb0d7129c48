#!/bin/sh
# Debian packages that the tests use as outside witnesses and as real clients; installed where they are missing.
set -eu
missing=""
need() { command -v "$1" >/dev/null || missing="$missing $2"; }
need ip iproute2
need tunctl uml-utilities
need socat socat
need nft nftables
need modprobe kmod
need ifconfig net-tools
need ping iputils-ping
need openvpn openvpn
need qemu-system-x86_64 qemu-system-x86
# The schema of domains, and what checks against it.
need virt-xml-validate libvirt-clients
need xmllint libxml2-utils
need dnsmasq dnsmasq-base
need busybox busybox-static
need cpio cpio
need strace strace
need sudo sudo
need clang-format clang-format
need python3 python3
need readelf binutils
# What tools/prebuild installs its compiler with; Debian's python3 comes without.
python3 -c "import ensurepip, venv" 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
  [ "$(id -u)" = 0 ] || { echo "these Debian packages are missing, install them:$missing" >&2; exit 1; }
  echo "installing Debian packages:$missing" >&2
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  # shellcheck disable=SC2086
  apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

# To run what is built for arm64: tests that need it are skipped by name where it cannot be installed.
if [ "$(uname -m)" = x86_64 ] && [ "$(id -u)" = 0 ]; then
  wanted="qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross"
  # shellcheck disable=SC2086
  if ! dpkg-query -W $wanted >/dev/null 2>&1; then
    echo "installing Debian packages, where they are to be had: $wanted" >&2
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted; } >/dev/null 2>&1 ||
      echo "they are not" >&2
  fi
fi
