#!/bin/sh
# Prints a folder with the kernel that guests of the tests boot (vmlinuz) and its modules (lib/modules): Debian's package
# for virtual machines, only unpacked, and kept in the user's cache. The release's own signed index says which version.
set -eu

package=$(apt-cache depends --important linux-image-cloud-amd64:amd64 2>/dev/null |
  sed -n 's/^ *Depends: \(linux-image-[0-9].*-cloud-amd64\)\(:amd64\)\{0,1\}$/\1/p' | head -n 1)
[ -n "$package" ] || { echo "no package linux-image-cloud-amd64 is known; run apt-get update" >&2; exit 1; }
version=$(apt-cache show "$package" | sed -n 's/^Version: //p' | head -n 1)
folder="${XDG_CACHE_HOME:-$HOME/.cache}/pulumi-tuntap/guest-kernel/${package}_$version"
release=${package#linux-image-}

# Who needs whom is written last.
if [ ! -e "$folder/lib/modules/$release/modules.dep" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get download -qq "$package=$version" >&2 2>/dev/null && dpkg-deb -x ./*.deb unpacked)
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$work/unpacked/boot/vmlinuz-$release" "$folder/vmlinuz"
  cp -r "$work/unpacked/lib" "$folder/"
  depmod -b "$folder" "$release"
fi
echo "$folder"
