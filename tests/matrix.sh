#!/usr/bin/env bash
# Runs the tests of tests/e2e/smoke.txt on each version of Envoy that is named, and prints a line of the
# README's table for each. Fails when a test failed on any of them.
#
#     tests/matrix.sh 1.36.4 1.40.0          # the smoke tests
#     tests/matrix.sh --all 1.36.4           # the whole suite, about two minutes a version
#
# The modules must be there (`make matrix` sees to that). The log of a version is target/matrix-VERSION.log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

only=()
if [[ "${1:-}" == --all ]]; then
    shift
else
    mapfile -t only < <(grep -v -e '^#' -e '^$' tests/e2e/smoke.txt)
    only=(--exact "${only[@]}")
fi
[[ $# -gt 0 ]] || { echo "usage: tests/matrix.sh [--all] VERSION..." >&2; exit 2; }

cargo test --quiet --locked --workspace --test e2e --no-run
failed=0
TIMEFORMAT='%U s'
echo "| Envoy | tests | processor time to start |"
echo "|---|---|---|"
for version in "$@"; do
    log="target/matrix-$version.log"
    ENVOY=$(tests/harness/envoy.sh "$version")
    export ENVOY
    # Envoy compiles the module and configures the filter, which is most of its start.
    took=$({ time "$ENVOY" --mode validate -c envoy/envoy.yaml >"$log" 2>&1; } 2>&1) || { cat "$log" >&2; exit 1; }
    arguments=("${only[@]}")
    # Envoy's router moves a retry to another cluster from 1.39 on.
    if [[ "$(printf '%s\n' 1.39 "$version" | sort -V | head -n 1)" != 1.39 ]]; then
        mapfile -t arguments < <(printf '%s\n' "${only[@]}" | grep -v -e "^router::" -e "^router_sample::")
        [[ ${#only[@]} -gt 0 ]] || arguments=(--skip router:: --skip router_sample::)
    fi
    if ! cargo test --locked --workspace --test e2e -- "${arguments[@]}" >"$log" 2>&1; then
        failed=1
        cat "$log" >&2
    fi
    result=$(sed -n 's/^test result: [a-zA-Z]*\. \(.*\); 0 ignored.*/\1/p' "$log")
    echo "| $version | ${result:-did not run} | $took |"
done
exit "$failed"
