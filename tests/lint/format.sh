#!/bin/sh
# format.sh: lays out the C lines that were changed since the last commit, as .clang-format says. The
# others stay: where their breaks and columns show what belongs together, no rule would have made them so.
set -eu
cd -- "$(dirname -- "$0")/../.."
exec git clang-format --extensions c,h --force HEAD
