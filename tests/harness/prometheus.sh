#!/usr/bin/env bash
# Prints the path of a Prometheus binary, or with the argument `promtool` of the tool that comes with it,
# and nothing else, on standard output.
#
# The first of these that applies: $PROMETHEUS, and what is beside it; the PATH; Debian's package, unpacked
# once under target/prometheus. It is not installed: that would start a server where systemd runs, and
# needs root. Parallel calls wait for each other, and the folder is complete as soon as it is there.
set -euo pipefail

tool=${1:-prometheus}

fail() {
    echo "prometheus.sh: $*" >&2
    exit 1
}

if [[ -n "${PROMETHEUS:-}" ]]; then
    found=$(command -v -- "$PROMETHEUS") || fail "\$PROMETHEUS is '$PROMETHEUS', which is not an executable file"
    beside="$(dirname "$found")/$tool"
    [[ "$tool" == prometheus ]] && beside=$found
    command -v -- "$beside" || fail "there is no $tool beside \$PROMETHEUS, which is '$PROMETHEUS'"
    exit 0
fi
if command -v "$tool"; then
    exit 0
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
home="$root/target/prometheus"
binary="$home/usr/bin/$tool"

if [[ -x "$binary" ]]; then
    echo "$binary"
    exit 0
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    fail "no Prometheus found: set \$PROMETHEUS, or put prometheus and promtool on the PATH (https://prometheus.io/download)"
fi
mkdir -p "$root/target"
exec 9>"$home.lock"
if command -v flock >/dev/null; then
    flock 9
fi
# Another call may have finished while this one waited for the lock.
if [[ -x "$binary" ]]; then
    echo "$binary"
    exit 0
fi

fresh=$(mktemp -d "$home.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
log="$fresh/log"

download() {
    (cd "$fresh" && apt-get download -q prometheus) >>"$log" 2>&1
}

# A new machine has no lists of packages, and only root can fetch them.
download || { [[ "$EUID" -eq 0 ]] && apt-get update -q >>"$log" 2>&1 && download; } || {
    cat "$log" >&2
    fail "could not download Debian's package prometheus; set \$PROMETHEUS instead"
}
dpkg-deb -x "$fresh"/prometheus_*.deb "$fresh/unpacked" || fail "the package cannot be unpacked"
[[ -x "$fresh/unpacked/usr/bin/$tool" ]] || fail "the package holds no usr/bin/$tool"
rm -rf "$home"
mv "$fresh/unpacked" "$home"
echo "$binary"
