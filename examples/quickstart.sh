#!/usr/bin/env bash
# From a checkout to a running server: installs what is missing, builds, starts, and says what to try.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=${BUILD_DIR:-$root/build}
config=$root/conf/hubbub.yaml
secret_file=$build/quickstart.secret
export PORT=${PORT:-3000} ADMIN_PORT=${ADMIN_PORT:-9100}

# What the server is built with, and curl to look at it.
packages=(meson ninja-build gcc libc6-dev pkg-config libh2o-evloop-dev libssl-dev zlib1g-dev
    libjansson-dev libyaml-dev libjwt-dev libhiredis-dev libcurl4-openssl-dev curl)

usage() {
    cat <<END
examples/quickstart.sh [--help]

Installs the Debian packages that are missing (as root, or by sudo), builds hubbub in build/, makes a
secret for tokens, and runs the server with conf/hubbub.yaml until Ctrl-C.

  ADDRESS     which address clients connect to (0.0.0.0: any of this machine)
  PORT        and which port (3000)
  ADMIN_PORT  publish, metrics, health; on this machine only (9100)
  BUILD_DIR   where to build (build/ of this checkout)
END
}

say() {
    printf '\n==> %s\n' "$*"
}

fail() {
    printf '\n%s\n' "$@" >&2
    exit 1
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i' || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "This needs root, and there is no sudo. As root, run:" "    $*"
    fi
}

install_packages() {
    local missing
    command -v dpkg-query >/dev/null || fail "This is no Debian: install what README.md lists, then build as it says."
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Installing Debian packages: ${missing[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# Plugins are loaded only from files of one's own (or root's). So that `sudo quickstart.sh` works in a
# checkout that belongs to somebody, that somebody builds and runs.
as_owner=()
choose_owner() {
    local owner
    owner=$(stat -c %u "$root")
    if [ "$(id -u)" -eq 0 ] && [ "$owner" -ne 0 ]; then
        as_owner=(setpriv --reuid "$owner" --regid "$(stat -c %g "$root")" --clear-groups)
        say "This checkout belongs to $(stat -c %U "$root"), who builds and runs it from here on"
    fi
}

is_taken() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# next_free PORT OTHER: the first that is free, from PORT on, and not OTHER
next_free() {
    local port=$1
    while is_taken "$port" || [ "$port" = "$2" ]; do
        port=$((port + 1))
    done
    echo "$port"
}

check_ports() {
    local port taken=() free
    for port in "$PORT" "$ADMIN_PORT"; do
        ! is_taken "$port" || taken+=("$port")
    done
    [ ${#taken[@]} -gt 0 ] || return 0
    free=$(next_free "$PORT" "$ADMIN_PORT")
    fail "In use already: port ${taken[*]}. Choose others:" \
        "    PORT=$free ADMIN_PORT=$(next_free "$ADMIN_PORT" "$free") examples/quickstart.sh"
}

# The server and its modules, without the tests.
build_server() {
    local output modules
    say "Building in $build"
    if [ ! -e "$build/build.ninja" ]; then
        output=$("${as_owner[@]}" meson setup "$build" "$root" 2>&1) || fail "$output"
    fi
    mapfile -t modules < <(ninja -C "$build" -t targets all |
        grep -oE '^(plugins|transports)/[^/:]+\.so' | sort -u)
    "${as_owner[@]}" ninja -C "$build" hubbub "${modules[@]}"
}

make_secret() {
    [ ! -s "$secret_file" ] || return 0
    say "Making a secret for tokens: $secret_file"
    head -c 48 /dev/urandom | base64 -w 0 | "${as_owner[@]}" sh -c 'umask 077; cat >"$1"' sh "$secret_file"
}

# Waits for the server, whose process this script is going to be, and says what to try.
announce() {
    local token
    for _ in {1..100}; do
        ! curl -fs -o /dev/null "http://127.0.0.1:$ADMIN_PORT/readyz" || break
        kill -0 $$ 2>/dev/null || return 0
        sleep 0.1
    done
    token=$("${as_owner[@]}" "$build/hubbub" token --user alice --ttl 24h -c "$config")
    cat <<END

hubbub is running. Ctrl-C stops it.

  chat        http://localhost:$PORT/
  WebSocket   ws://localhost:$PORT/hub/ws
  metrics     http://localhost:$ADMIN_PORT/metrics   (this port: from this machine only)
  token       $token
              for the user alice, for a day; for others:
              JWT_SECRET=\$(cat $secret_file) $build/hubbub token --user bob

Three things to try, in other terminals:

  1. Join a room, as a guest or as alice (wscat comes with Node.js: apt install npm):
       npx wscat -c ws://localhost:$PORT
       npx wscat -c ws://localhost:$PORT -H 'Authorization: Bearer $token'
     and type
       {"type":"join","id":1,"room":"lobby"}
       {"type":"publish","id":2,"room":"lobby","data":{"text":"hi"}}

  2. Publish to the room from an application:
       curl http://localhost:$ADMIN_PORT/api/v1/publish -H 'Content-Type: application/json' \\
         -d '{"room":"lobby","data":{"text":"hello from curl"}}'

  3. Open the chat, in two windows:
       http://localhost:$PORT/#token=$token

END
}

case ${1:-} in
'') ;;
-h | --help) usage && exit ;;
*) usage >&2 && exit 2 ;;
esac

install_packages
choose_owner
check_ports
build_server
make_secret
say "Starting hubbub"
JWT_SECRET=$(cat "$secret_file")
export JWT_SECRET
announce &
exec "${as_owner[@]}" "$build/hubbub" -c "$config"
