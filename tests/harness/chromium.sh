#!/usr/bin/env bash
# Prints the path of Chromium, or with the argument `chromedriver` of the program that drives it, and nothing
# else, on standard output.
#
# The first of these that applies: $CHROMIUM or $CHROMEDRIVER; the PATH; for root, Debian's packages
# `chromium` and `chromium-driver`, which are installed, with a font, because they need many libraries
# beside them. Chrome does as well, if its version is that of the driver. Parallel calls wait for each other.
set -euo pipefail

tool=${1:-chromium}

fail() {
    echo "chromium.sh: $*" >&2
    exit 1
}

case "$tool" in
chromium) variable=CHROMIUM names=(chromium chromium-browser google-chrome) ;;
chromedriver) variable=CHROMEDRIVER names=(chromedriver) ;;
*) fail "'$tool' is neither chromium nor chromedriver" ;;
esac

if [[ -n "${!variable:-}" ]]; then
    command -v -- "${!variable}" || fail "\$$variable is '${!variable}', which is not an executable file"
    exit 0
fi

find_one() {
    local name
    for name in "${names[@]}"; do
        command -v "$name" && return
    done
    return 1
}

find_one && exit 0

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
mkdir -p "$root/target"
exec 9>"$root/target/chromium.lock"
if command -v flock >/dev/null; then
    flock 9
fi
# Another call may have finished while this one waited for the lock.
find_one && exit 0

packages=(chromium chromium-driver fonts-dejavu-core)
if [[ "$EUID" -ne 0 ]] || ! command -v apt-get >/dev/null; then
    fail "no $tool found: install it (on Debian: apt-get install ${packages[*]}), or set \$CHROMIUM and \$CHROMEDRIVER"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT

install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}" >>"$log" 2>&1
}

# A new machine has no lists of packages.
install || { apt-get update -q >>"$log" 2>&1 && install; } || {
    cat "$log" >&2
    fail "could not install Debian's packages ${packages[*]}; set \$CHROMIUM and \$CHROMEDRIVER instead"
}
find_one || fail "Debian's packages hold no $tool"
