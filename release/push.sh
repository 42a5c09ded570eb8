#!/usr/bin/env bash
# Pushes the image layout to a registry and prints the references that pin it.
#
#     release/push.sh target/image 0.1.0 registry.example.com/filters/steerage
#
# Without a tag the image gets the version, and not `latest`, which Istio would pull again and again.
# Credentials are those of `skopeo login`. TLS_VERIFY=false is for a registry on one's own machine: it allows
# plain HTTP.
set -euo pipefail

fail() {
    echo "push.sh: $*" >&2
    exit 1
}

[[ $# -eq 3 && -n "$3" ]] || fail "where to? REGISTRY=host/repository or REGISTRY=host/repository:tag"
layout=$1 version=$2 target=$3
# A colon before the last slash is that of a port.
[[ "${target##*/}" == *:* ]] || target="$target:$version"
case "${TLS_VERIFY:=true}" in
true | false) ;;
*) fail "TLS_VERIFY is '$TLS_VERIFY', neither true nor false" ;;
esac

skopeo=$("$(dirname "${BASH_SOURCE[0]}")/tool.sh" skopeo)
digest_file=$(mktemp)
trap 'rm -f "$digest_file"' EXIT
# Whether the source may be trusted is a question about images of others; this one was just made.
"$skopeo" --insecure-policy copy --quiet --preserve-digests --dest-tls-verify="$TLS_VERIFY" \
    --digestfile "$digest_file" "oci:$layout:$version" "docker://$target"
digest=$(<"$digest_file")
echo "$target"
echo "oci://${target%:*}@$digest"
echo "sha256: ${digest#sha256:}"
