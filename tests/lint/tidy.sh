#!/bin/sh
# tidy.sh BUILD_DIR [FILE…]: clang-tidy with the checks of .clang-tidy; all C files that are built.
set -eu
build=$1
shift
cd -- "$(dirname -- "$0")/../.."
if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
else
    git ls-files 'core/*.c' 'plugins/*.c' 'transports/*.c'
fi | xargs -P "$(nproc)" -n 4 clang-tidy --quiet -p "$build"
