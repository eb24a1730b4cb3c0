#!/bin/sh
# tidy.sh BUILD_DIR [FILE…]: clang-tidy with the checks of .clang-tidy; all C files that are built.
set -eu
build=$1
shift
cd -- "$(dirname -- "$0")/../.."
[ $# -gt 0 ] || set -- $(git ls-files 'core/*.c' 'plugins/*.c' 'transports/*.c')
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build"
