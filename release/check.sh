#!/usr/bin/env bash
# Whether what is released is what it is said to be:
#
# 1. A copy of the tree, in a folder of another name and depth and with another home of Cargo, is built from nothing.
#    All files of its release and of the one of the tree itself are the same.
# 2. The image goes to a registry and comes back by its digest, unchanged. What Istio and Envoy Gateway would take
#    out of it is the module, byte for byte. Without TLS_VERIFY=false, nothing is pushed over plain HTTP.
# 3. The module that came back passes the tests of what it imports, and steers requests in a real Envoy.
#
# A script, because all but the last is about programs and files; that last is done by the tests that exist.
# `make image-check` runs it: about a minute on two processors, half of it the build of the copy.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
scratch=$(mktemp -d)
registry=

leave() {
    if [[ -n "$registry" ]]; then
        kill "$registry" 2>/dev/null || true
        wait "$registry" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap leave EXIT

fail() {
    echo "check.sh: $*" >&2
    exit 1
}

# Of make that called this: its variables are not for the copies.
unset MAKEFLAGS MAKEOVERRIDES MFLAGS

make --no-print-directory dist >"$scratch/log" || fail "the release cannot be built"
digest=$(grep -x 'sha256:[0-9a-f]\{64\}' "$scratch/log") || fail "the image has no digest"

# Another home with the same downloads, which are named by where they are in it.
home=$scratch/another/home
mkdir -p "$home"
ln -s "${CARGO_HOME:-$HOME/.cargo}"/* "$home/"
copy=$scratch/in/a/deeper/folder
mkdir -p "$copy"
# -m: not even the files are as old.
tar -cf - --exclude=./target --exclude=./.git . | tar -xmf - -C "$copy"
CARGO_HOME=$home make --no-print-directory -C "$copy" dist >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    fail "a clean copy of the tree cannot be built"
}
diff target/dist/SHA256SUMS "$copy/target/dist/SHA256SUMS" || fail "a clean copy elsewhere gives other bytes than this tree"
rm -rf "$copy"
echo "two builds, the same bytes: $digest"

program=$(release/tool.sh docker-registry)
cat >"$scratch/registry.yml" <<CONFIG
version: 0.1
storage: {filesystem: {rootdirectory: $scratch/registry}}
http: {addr: "127.0.0.1:0"}
CONFIG
"$program" serve "$scratch/registry.yml" >"$scratch/registry.log" 2>&1 &
registry=$!
address=
for _ in $(seq 100); do
    # It chooses its port, and tells it.
    address=$(sed -n 's/.*listening on \(127\.0\.0\.1:[0-9]*\).*/\1/p' "$scratch/registry.log" | head -n 1)
    [[ -n "$address" ]] && break
    kill -0 "$registry" 2>/dev/null || break
    sleep 0.1
done
[[ -n "$address" ]] || {
    cat "$scratch/registry.log" >&2
    fail "the registry does not start"
}

repository=$address/filters/steerage
if make --no-print-directory push REGISTRY="$repository" >"$scratch/log" 2>&1; then
    fail "pushed over plain HTTP without being told to"
fi
make --no-print-directory push REGISTRY="$repository:tested" TLS_VERIFY=false >"$scratch/log" 2>&1 || {
    cat "$scratch/log" >&2
    fail "cannot push to a registry"
}
grep -qx "oci://$repository@$digest" "$scratch/log" || fail "the registry has another digest than $digest"

skopeo=$(release/tool.sh skopeo)
named=$("$skopeo" inspect --tls-verify=false --format '{{.Digest}}' "docker://$repository:tested")
[[ "$named" == "$digest" ]] || fail "the tag names $named and not $digest"
"$skopeo" --insecure-policy copy --quiet --preserve-digests --src-tls-verify=false \
    "docker://$repository@$digest" "oci:$scratch/pulled:tested"
grep -q "\"$digest\"" "$scratch/pulled/index.json" || fail "what was pulled is not $digest"
python3 release/fetch.py "$scratch/pulled" "$scratch/plugin.wasm"
cmp "$scratch/plugin.wasm" "$root/target/steerage-optimised.wasm"
echo "pushed and pulled, unchanged: $(wc -c <"$scratch/plugin.wasm") bytes"

export STEERAGE_WASM=$scratch/plugin.wasm
cargo test --quiet --locked --workspace --test wasm
cargo test --quiet --locked --workspace --test e2e -- steering:: failover::
