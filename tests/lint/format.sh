#!/bin/sh
# format.sh [--check]: lay out the C files as .clang-format says; --check only says what differs.
set -eu
cd -- "$(dirname -- "$0")/../.."
if [ "${1:-}" = --check ]; then
    set -- --dry-run --Werror
else
    set -- -i
fi
git ls-files '*.c' '*.h' | xargs clang-format "$@"
