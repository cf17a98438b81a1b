#!/bin/sh
# need.sh PACKAGE...: see that Debian packages are there; install those that are missing where we may.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
        missing="$missing $package"
done
[ -n "$missing" ] || exit 0
command="apt-get install -y --no-install-recommends --no-remove$missing"
if [ "$(id -u)" -eq 0 ]; then
    run=
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    run=sudo
else
    echo "These packages are missing and only root can install them. Please run:" >&2
    echo "    sudo $command" >&2
    exit 1
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then # servers are for tests, which start their own: a package starts none
    trap '$run rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $run tee "$policy" >/dev/null
    $run chmod 755 "$policy"
fi
# shellcheck disable=SC2086 # the list is words
$run $command >/dev/null 2>&1 || { $run apt-get update -qq && $run $command >/dev/null; } || {
    echo "apt-get could not install$missing. To see why, run:" >&2
    echo "    $command" >&2
    exit 1
}
