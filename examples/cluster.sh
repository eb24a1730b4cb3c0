#!/usr/bin/env bash
# Redis, three nodes and HAProxy on this machine, until Ctrl-C. Says what to try.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$root/build}
hubbub=$build/hubbub
redis_port=${REDIS_PORT:-6390}
dir=$(mktemp -d)
pids=()

if [ "${1:-}" = --help ]; then
    echo "examples/cluster.sh: redis-server on \$REDIS_PORT (6390), nodes on 3001-3003, HAProxy on 8080."
    echo "BUILD_DIR says where hubbub was built."
    exit 0
fi

for program in redis-server haproxy curl; do
    command -v $program >/dev/null || { echo "Install $program: apt-get install redis-server haproxy curl" >&2; exit 1; }
done
[ -x "$hubbub" ] || { echo "Build first: examples/quickstart.sh, or meson setup build && ninja -C build" >&2; exit 1; }

finish() {
    trap - EXIT INT TERM
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$dir"
}
trap finish EXIT INT TERM

redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$dir" --appendonly yes --loglevel warning >"$dir/redis.log" &
pids+=($!)
JWT_SECRET=$(head -c 32 /dev/urandom | base64 -w0)
export JWT_SECRET REDIS_URL=redis://127.0.0.1:$redis_port
for n in 1 2 3; do
    NODE=n$n PORT=300$n ADMIN_PORT=910$n "$hubbub" -c "$root/conf/cluster.yaml" >"$dir/n$n.log" 2>&1 &
    pids+=($!)
done
for n in 1 2 3; do
    until curl -sf "http://127.0.0.1:910$n/readyz" >/dev/null; do
        kill -0 "${pids[$n]}" 2>/dev/null || { cat "$dir/n$n.log" >&2; exit 1; }
        sleep 0.2
    done
done
haproxy -f "$root/conf/haproxy.cfg" >"$dir/haproxy.log" 2>&1 &
pids+=($!)
until curl -sf http://127.0.0.1:8080/hub/client.js >/dev/null; do
    kill -0 "${pids[4]}" 2>/dev/null || { cat "$dir/haproxy.log" >&2; exit 1; }
    sleep 0.2
done

cat <<END
Three nodes: n1 (pid ${pids[1]}), n2 (${pids[2]}), n3 (${pids[3]}); Redis (pid ${pids[0]}). Logs: $dir

  listen, through HAProxy       curl -N 'http://127.0.0.1:8080/hub/sse?room=lobby'
  publish, on any node          curl -X POST http://127.0.0.1:9102/api/v1/publish \\
                                     -H 'Content-Type: application/json' -d '{"room":"lobby","data":"hi"}'
  who is there                  curl http://127.0.0.1:9101/api/v1/nodes
  kill a node                   kill -9 ${pids[3]}      its clients go on elsewhere, by their cursors
  stop Redis for a while        kill -STOP ${pids[0]}; sleep 3; kill -CONT ${pids[0]}
  be somebody                   TOKEN=\$(JWT_SECRET='$JWT_SECRET' NODE=x PORT=1 ADMIN_PORT=2 $hubbub token --user alice -c $root/conf/cluster.yaml)

Ctrl-C ends all of it.
END
wait
