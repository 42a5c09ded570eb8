#!/usr/bin/env bash
# Prints the path of a program that a release needs, and nothing else, on standard output: `wasm-opt`,
# `skopeo` or `docker-registry`.
#
# The first of these that applies: $WASM_OPT, $SKOPEO or $DOCKER_REGISTRY; the PATH; Debian's package. For
# root it is installed, because skopeo needs libraries beside it. The registry is only unpacked, under
# target/docker-registry: to install it would start a server where systemd runs.
#
# Another wasm-opt writes other bytes. Whoever makes a release anew must get the same ones, so only the
# version below is taken from the PATH or from Debian; $WASM_OPT is taken as it is.
#
#     release/tool.sh skopeo    prints /usr/bin/skopeo
set -euo pipefail

wasm_opt_version=108

fail() {
    echo "tool.sh: $*" >&2
    exit 1
}

tool=${1:-}
case "$tool" in
wasm-opt) variable=WASM_OPT package=binaryen ;;
skopeo) variable=SKOPEO package=skopeo ;;
docker-registry) variable=DOCKER_REGISTRY package=docker-registry ;;
*) fail "'$tool' is none of wasm-opt, skopeo and docker-registry" ;;
esac

if [[ -n "${!variable:-}" ]]; then
    command -v -- "${!variable}" || fail "\$$variable is '${!variable}', which is not an executable file"
    exit 0
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unpacked="$root/target/docker-registry"

# Prints the tool's path if it is there and is the one that is wanted.
find_tool() {
    local found
    if [[ "$tool" == docker-registry && -x "$unpacked/usr/bin/$tool" ]]; then
        echo "$unpacked/usr/bin/$tool"
        return
    fi
    found=$(command -v "$tool") || return 1
    if [[ "$tool" == wasm-opt ]]; then
        [[ "$("$found" --version)" == "wasm-opt version $wasm_opt_version"* ]] || return 1
    fi
    echo "$found"
}

find_tool && exit 0

mkdir -p "$root/target"
exec 9>"$root/target/release-tools.lock"
if command -v flock >/dev/null; then
    flock 9
fi
# Another call may have finished while this one waited for the lock.
find_tool && exit 0

wanted=$tool
[[ "$tool" == wasm-opt ]] && wanted="wasm-opt of version $wasm_opt_version"
if ! command -v apt-get >/dev/null || [[ "$EUID" -ne 0 && "$tool" != docker-registry ]]; then
    fail "no $wanted found: install it (on Debian 12: apt-get install $package), or set \$$variable"
fi

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
log="$fresh/log"

provide() {
    if [[ "$tool" == docker-registry ]]; then
        (cd "$fresh" && apt-get download -q "$package" && dpkg-deb -x "$package"_*.deb unpacked) >>"$log" 2>&1 &&
            rm -rf "$unpacked" && mv "$fresh/unpacked" "$unpacked"
    else
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package" >>"$log" 2>&1
    fi
}

# A new machine has no lists of packages, and only root can fetch them.
provide || { [[ "$EUID" -eq 0 ]] && apt-get update -q >>"$log" 2>&1 && provide; } || {
    cat "$log" >&2
    fail "could not get Debian's package $package; set \$$variable instead"
}
find_tool || fail "Debian's package $package holds no $wanted; set \$$variable"
