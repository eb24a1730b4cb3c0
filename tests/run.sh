#!/usr/bin/env bash
# The test suite.   tests/run.sh [full] [FILTER…]
#
# Installs what is missing on Debian 12 (tests/packages; as root or by sudo), builds, runs the unit
# tests, lint and the end-to-end tests under one and under four workers, and closes with one line,
# "N passed, N failed". `full` adds a second compiler, the sanitizers, the fuzzers and the faults.
# With FILTERs only tests whose file, program or suite contains one of them run.
#
# BUILD_DIR       where to build (default: build/ of this checkout; the others are BUILD_DIR-NAME)
# HUBBUB_BIN      another server for the end-to-end tests
# HUBBUB_WORKERS  only this number of workers
# FUZZ_SECONDS    for each fuzzer in `full` (default 60)
set -uo pipefail
exec </dev/null

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
tests=$root/tests
build=${BUILD_DIR:-$root/build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
bin=${HUBBUB_BIN:-$build/hubbub}
case $bin in /*) ;; *) bin=$PWD/$bin ;; esac
logs=$build-logs

full=
if [ "${1:-}" = full ]; then
    full=yes
    shift
fi
filters=("$@")

say() {
    printf '[%(%H:%M:%S)T] %s\n' -1 "$*"
}

# Is this part (whose tests can't be filtered one by one) wanted?
wanted() {
    [ ${#filters[@]} -eq 0 ] && return 0
    local filter
    for filter in "${filters[@]}"; do
        case $1 in *"$filter"*) return 0 ;; esac
    done
    return 1
}

# part NAME COMMAND…: runs it with its TAP going to a log. No test at all is a failure, unless
# filters left none.
part() {
    local name=$1 started=$SECONDS tap status counts
    shift
    tap=$logs/$name.tap
    say "$name ..."
    "$@" >"$tap"
    status=$?
    counts=$(awk -f "$tests/lib/tally.awk" "$tap" | tail -n 1)
    read -r passed failed _ <<<"$counts"
    if [ $((passed + failed)) -eq 0 ] && [ ${#filters[@]} -gt 0 ] && [ $status -eq 0 ]; then
        rm -f "$tap"
        return
    fi
    if [ $((passed + failed)) -eq 0 ] || { [ $status -ne 0 ] && [ "$failed" -eq 0 ]; }; then
        echo "not ok - $name ends well (exit code $status)" >>"$tap"
        failed=$((failed + 1))
    fi
    say "$name: $passed passed, $failed failed ($((SECONDS - started)) s)"
}

# step NAME COMMAND…: one test that is a command; its output is shown when it fails.
step() {
    local name=$1 output=$logs/$1.log
    shift
    if "$@" >"$output" 2>&1; then
        echo "ok - $name"
    else
        echo "not ok - $name"
        tail -n 60 "$output" >&2
        return 1
    fi
}

# The failed and skipped tests of a part; of very many only the first.
list_failures() {
    local lines=0 line
    while IFS= read -r line && [ -n "$line" ]; do
        [ $((++lines)) -le 20 ] || continue
        echo "${line%% *} $(basename "$1" .tap): ${line#* }"
    done <<<"$2"
    [ $lines -le 20 ] || echo "... and $((lines - 20)) more, in $1"
}

finish() {
    local file counts passed=0 failed=0
    say "done in $((SECONDS / 60)) min $((SECONDS % 60)) s; logs in $logs"
    for file in "$logs"/*.tap; do
        [ -e "$file" ] || continue
        counts=$(awk -f "$tests/lib/tally.awk" "$file")
        list_failures "$file" "$(sed '$d' <<<"$counts")"
        read -r p f _ <<<"$(tail -n 1 <<<"$counts")"
        passed=$((passed + p))
        failed=$((failed + f))
    done
    [ $((passed + failed)) -gt 0 ] || failed=1
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}

missing_packages() {
    local package rest
    while read -r package rest; do
        case $package in
        '' | '#'*) continue ;;
        nodejs) command -v node >/dev/null && continue ;;
        npm) command -v npm >/dev/null && continue ;;
        esac
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^.i' || echo "$package"
    done <"$tests/packages"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Services of the packages stay off: the tests start their own, on their own ports.
install_packages() {
    local policy=/usr/sbin/policy-rc.d made= status
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod +x $policy && made=yes
    fi
    as_root apt-get update -q &&
        as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
    status=$?
    [ -z "$made" ] || as_root rm -f $policy
    return $status
}

provide_packages() {
    local packages
    mapfile -t packages < <(missing_packages)
    [ ${#packages[@]} -gt 0 ] || return 0
    say "installing ${packages[*]}"
    part packages step install-packages install_packages "${packages[@]}"
    [ -z "$(missing_packages)" ] || finish
}

# The client libraries that the end-to-end tests use, exactly as package.json names them.
provide_node_modules() {
    local folder=$tests/e2e
    cmp -s "$folder/package.json" "$folder/node_modules/.installed.json" && return
    part npm step npm-install npm --prefix "$folder" install --no-package-lock --no-audit --no-fund \
        --ignore-scripts --loglevel=error
    if [ -d "$folder/node_modules" ] && ! grep -q '^not ok' "$logs/npm.tap"; then
        cp "$folder/package.json" "$folder/node_modules/.installed.json"
    fi
}

# compile DIR [MESON OPTION…]; CC in the environment picks the compiler.
compile() {
    local dir=$1
    shift
    if [ -e "$dir/build.ninja" ]; then
        meson configure "$dir" "$@" || return
    else
        meson setup "$dir" "$root" "$@" || return
    fi
    ninja -C "$dir"
}

# build NAME DIR [OPTION…]: a part of one test; false when it failed.
build() {
    local name=$1
    shift
    part "build-$name" step "build-$name" compile "$@"
    ! grep -q '^not ok' "$logs/build-$name.tap"
}

# end_to_end NAME BINARY WORKERS
end_to_end() {
    HUBBUB_BIN=$2 BUILD_DIR=$(dirname "$2") HUBBUB_WORKERS=$3 HUBBUB_LOGS=$logs/$1 \
        part "$1" node "$tests/lib/run-files.mjs" "$tests/e2e" "${filters[@]}"
}

sanitizers() {
    export HUBBUB_TIME_SCALE=5
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    export LSAN_OPTIONS=suppressions=$tests/lib/lsan.supp:print_suppressions=0
    export TSAN_OPTIONS=suppressions=$tests/lib/tsan.supp:halt_on_error=1:second_deadlock_stack=1
    if build asan "$build-asan" -Dbuildtype=debugoptimized -Db_sanitize=address,undefined; then
        part unit-asan node "$tests/lib/meson-tap.mjs" "$build-asan" "${filters[@]}"
        end_to_end e2e-asan "$build-asan/hubbub" "${HUBBUB_WORKERS:-4}"
    fi
    # The thread sanitizer needs its shadow's addresses free: no randomized mappings.
    local plain=(setarch "$(uname -m)" -R)
    "${plain[@]}" true 2>/dev/null || plain=()
    if build tsan "$build-tsan" -Dbuildtype=debugoptimized -Db_sanitize=thread; then
        part unit-tsan "${plain[@]}" node "$tests/lib/meson-tap.mjs" "$build-tsan" "${filters[@]}"
        HUBBUB_LAUNCH=${plain[*]} end_to_end e2e-tsan "$build-tsan/hubbub" "${HUBBUB_WORKERS:-4}"
    fi
    unset HUBBUB_TIME_SCALE ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS TSAN_OPTIONS
}

# compile_fuzzers DIR: only the fuzzers, under clang and libFuzzer.
compile_fuzzers() {
    [ -e "$1/build.ninja" ] || CC=clang meson setup "$1" "$root" -Dfuzzing=true || return
    ninja -C "$1" -t targets all | grep -o '^tests/fuzz/fuzz_[a-z0-9_]*' | sort -u | xargs ninja -C "$1"
}

# The corpus is read, new finds go to the logs: the tree stays as it is.
fuzz_one() {
    local name=${1##*/}
    mkdir -p "$logs/$name"
    step "$name" "$1" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$logs/$name-" \
        "$logs/$name" "$tests/fuzz/corpus/${name#fuzz_}"
}

# A fuzzer to each core.
fuzz() {
    local target
    for target in "$1"/tests/fuzz/fuzz_*; do
        [ -f "$target" ] && [ -x "$target" ] && wanted "${target##*/}" || continue
        [ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n
        fuzz_one "$target" &
    done
    wait
}

extras() {
    CC=clang build clang "$build-clang" -Dwerror=true
    sanitizers
    part build-fuzz step build-fuzz compile_fuzzers "$build-fuzz"
    part fuzz fuzz "$build-fuzz"
    [ -d "$tests/faults" ] && HUBBUB_BIN=$bin BUILD_DIR=$build HUBBUB_LOGS=$logs/faults \
        part faults node "$tests/lib/run-files.mjs" "$tests/faults" "${filters[@]}"
}

rm -rf -- "$logs"
mkdir -p "$logs" || exit 1
say "hubbub: tests${full:+, all of them}${filters[*]:+, only ${filters[*]}}"
provide_packages
build gcc "$build" || finish
provide_node_modules
part unit node "$tests/lib/meson-tap.mjs" "$build" "${filters[@]}"
wanted lint && part lint node "$tests/lint/lint.mjs" "$build"
for workers in ${HUBBUB_WORKERS:-1 4}; do
    end_to_end "e2e-$workers-workers" "$bin" "$workers"
done
[ -z "$full" ] || extras
finish
