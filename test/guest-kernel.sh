#!/bin/sh
# Prints a folder with the kernel that guests of the tests boot, and the modules that they need: those of Debian's package
# for virtual machines, only unpacked, and kept in the user's cache. The release's own signed index says which version.
set -eu
modules="drivers/virtio/virtio_ring drivers/virtio/virtio drivers/virtio/virtio_pci_legacy_dev
  drivers/virtio/virtio_pci_modern_dev drivers/virtio/virtio_pci net/core/failover drivers/net/net_failover
  drivers/net/virtio_net"

package=$(apt-cache depends --important linux-image-cloud-amd64:amd64 2>/dev/null |
  sed -n 's/^ *Depends: \(linux-image-[0-9].*-cloud-amd64\)\(:amd64\)\{0,1\}$/\1/p' | head -n 1)
[ -n "$package" ] || { echo "no package linux-image-cloud-amd64 is known; run apt-get update" >&2; exit 1; }
version=$(apt-cache show "$package" | sed -n 's/^Version: //p' | head -n 1)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-tuntap/guest-kernel/${package}_$version"

if [ ! -e "$folder/complete" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download -qq "$package=$version" >&2 2>/dev/null && dpkg-deb -x ./*.deb unpacked)
  rm -rf "$folder"
  mkdir -p "$folder"
  release=${package#linux-image-}
  cp "$work/unpacked/boot/vmlinuz-$release" "$folder/vmlinuz"
  for module in $modules; do
    cp "$work/unpacked/lib/modules/$release/kernel/$module.ko" "$folder/"
    # In the order in which they need one another.
    echo "${module##*/}" >>"$folder/modules"
  done
  touch "$folder/complete"
fi
echo "$folder"
