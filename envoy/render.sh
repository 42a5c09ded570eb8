#!/bin/sh
# Writes the resources in istio/ and gateway/ anew: envoy/render.sh STEERAGE FOLDER, or `make manifests`.
# One source for all of them, so that no copy can be left behind; a test compares.
set -eu

steerage=$1
here=$(dirname "$0")
to=$2
mkdir -p "$to/istio/wasm-plugin" "$to/istio/traffic-extension" "$to/istio/cluster-header" \
  "$to/istio/router-retries" "$to/gateway"

# Where a release is; the checksum stands for the one that is published beside it.
image=oci://registry.example.com/steerage:0.1.0
sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

istio() {
  file=$1 policy=$2
  shift 2
  "$steerage" render istio "$here/istio/$policy.json" --url "$image" --sha256 "$sha256" --destination-rules "$@" \
    > "$to/istio/$file.yaml"
}

for kind in wasm-plugin traffic-extension; do
  istio "$kind/gateway" policy --kind "$kind" --host api.example.com --catch-all
  istio "$kind/sidecar" policy --kind "$kind" --target sidecar --selector app=shop \
    --host api.default.svc.cluster.local
  istio "$kind/waypoint" waypoint --kind "$kind" --target waypoint --target-ref Service/api \
    --host api.default.svc.cluster.local
done
istio cluster-header/gateway policy --host api.example.com --catch-all --routing cluster-header
istio cluster-header/sidecar policy --target sidecar --selector app=shop \
  --host api.default.svc.cluster.local --routing cluster-header
istio router-retries/gateway policy --host api.example.com --catch-all --retries router
istio router-retries/sidecar policy --target sidecar --selector app=shop \
  --host api.default.svc.cluster.local --retries router

"$steerage" render gateway "$here/gateway/policy.json" --url "$image" --sha256 "$sha256" > "$to/gateway/steerage.yaml"
