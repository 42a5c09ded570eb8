#!/usr/bin/env bash
# What docker-compose.yaml runs, without Docker and without Grafana: the same servers, the same Envoy
# configuration, the same Prometheus configuration, on the same ports. It ends all of it at its own end,
# which is Ctrl-C. After `make build`:
#
#     envoy/quickstart/run.sh            # runs until Ctrl-C
#     envoy/quickstart/run.sh --check    # sends requests, stops a server, looks into Prometheus; about 30 s
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

traffic=http://127.0.0.1:10000/
dashboard=http://127.0.0.1:10001/steerage/
admin=http://127.0.0.1:9901
metrics=http://127.0.0.1:9090
logs=target/quickstart

fail() {
    echo "quickstart: $*" >&2
    exit 1
}

declare -A pids
start() { # NAME COMMAND...
    local name=$1
    shift
    "$@" >"$logs/$name.log" 2>&1 &
    pids[$name]=$!
}
end() {
    kill "${pids[@]}" 2>/dev/null || true
    wait
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

get() { python3 -c '
import sys, urllib.request
sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())' "$1"; }

eventually() { # SECONDS WHAT COMMAND...
    local deadline=$((SECONDS + $1)) what=$2 name
    shift 2
    until "$@" >/dev/null 2>&1; do
        [[ $SECONDS -lt $deadline ]] || fail "$what: not so in time; the logs are in $logs"
        sleep 0.2
    done
    # A port that was taken, for one, ends the server that wanted it.
    for name in "${!pids[@]}"; do
        kill -0 "${pids[$name]}" 2>/dev/null || fail "$name has ended: $(tail -n 5 "$logs/$name.log")"
    done
}

[[ -f target/steerage.wasm ]] || fail "there is no target/steerage.wasm; \`make build\` makes it"
envoy=$(tests/harness/envoy.sh)
prometheus=$(tests/harness/prometheus.sh)
rm -rf "$logs"
mkdir -p "$logs"

start east python3 envoy/quickstart/upstream.py east 8081
start west python3 envoy/quickstart/upstream.py west 8082
start north python3 envoy/quickstart/upstream.py north 8083
start envoy "$envoy" -c envoy/operations.yaml --disable-hot-restart
start prometheus "$prometheus" --config.file=envoy/prometheus/prometheus.yml \
    --storage.tsdb.path="$logs/prometheus" --web.listen-address=127.0.0.1:9090

eventually 20 "Envoy is ready" get "$admin/ready"
eventually 20 "Prometheus is ready" get "$metrics/-/ready"
eventually 20 "a request is served" get "$traffic"

if [[ "${1:-}" != --check ]]; then
    echo "requests      $traffic"
    echo "dashboard     $dashboard   (token: change-me)"
    echo "Envoy         $admin"
    echo "Prometheus    $metrics"
    echo "A failure: kill ${pids[west]}, which is west. Logs are in $logs. Ctrl-C ends all."
    wait
    exit
fi

# Who serves so many requests; fails when one of them does.
servers() { for _ in $(seq "$1"); do get "$traffic" || fail "a request failed"; done; }

answers=$(servers 40)
for name in east west north; do
    grep -qx "$name" <<<"$answers" || fail "$name served none of 40 requests"
done
echo "three servers serve"

kill "${pids[west]}"
wait "${pids[west]}" || true
unset 'pids[west]'
answers=$(servers 40)
! grep -qx west <<<"$answers" || fail "west has ended and serves"
echo "west has ended, and no request of 40 failed"

# Prometheus scrapes every 15 s.
value() { get "$metrics/api/v1/query?query=$1" | sed -n 's/.*"value":\[[^,]*,"\([0-9]*\)"\].*/\1/p'; }
scraped() { [[ "$(value "sum(steerage_requests_total)")" -ge 81 && "$(value "sum(steerage_retries_total)")" -ge 1 ]]; }
eventually 60 "Prometheus has all requests and the retries" scraped
echo "Prometheus has seen $(value "sum(steerage_requests_total)") requests and $(value "sum(steerage_retries_total)") retries"
