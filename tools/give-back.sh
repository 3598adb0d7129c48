#!/bin/sh
# Under sudo, what was written into the user's folders belongs to the user. Run from the package's root.
set -eu
[ -n "${SUDO_UID:-}" ] && [ "$(id -u)" = 0 ] || exit 0
owner="$SUDO_UID:${SUDO_GID:-$SUDO_UID}"
for folder in node_modules dist native/build bench/build prebuilds; do
  [ ! -e "$folder" ] || chown -R --from=0 "$owner" "$folder"
done
home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
cache=$(npm config get cache)
case "$cache" in "${home:-/nonexistent}"/*) [ ! -e "$cache" ] || chown -R --from=0 "$owner" "$cache" ;; esac
