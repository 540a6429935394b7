#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Runs every test there is: Swift units, the C core's, interop. All parts run even when one fails; the
# last line counts them together, and the exit status is 0 only when nothing failed.
set -uo pipefail
cd "$(dirname "$0")/.."

jobs=${JOBS:-2}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
passed=0
failed=0

# count LOG PASSED FAILED STATUS: adds up a part; a part that ended badly has failed at least once.
count() {
    local name=$1 good=$2 bad=$3 status=$4
    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    echo "--- $name: $good passed, $bad failed"
    passed=$((passed + good))
    failed=$((failed + bad))
}

# last LOG WORD: the number before WORD in the last line of LOG that has one.
last() { grep -aoE "[0-9]+ $2" "$1" | tail -1 | grep -oE '^[0-9]+' || echo 0; }

echo "--- Swift unit tests"
swift test -j "$jobs" 2>&1 | tee "$logs/swift"
status=${PIPESTATUS[0]}
# outcomes WORD: the tests that ended so; the run itself, which says the same of all, isn't one.
outcomes() { grep -aE "^. Test .* $1 after" "$logs/swift" | grep -cv '^. Test run with'; }
count "Swift unit tests" "$(outcomes passed)" "$(outcomes failed)" "$status"

if [ -f Tests/WingTests/Makefile ]; then
    echo "--- C core tests"
    make -C Tests/WingTests 2>&1 | tee "$logs/c"
    status=${PIPESTATUS[0]}
    count "C core tests" "$(last "$logs/c" passed)" "$(last "$logs/c" failed)" "$status"
fi

echo "--- Interop tests"
# The tests wait for servers more than they compute: more workers than cores.
.venv/bin/python -m pytest -c Tests/Interop/pytest.ini Tests/Interop -q -n "${PYTEST_WORKERS:-3}" ${PYTEST_ARGS:-} 2>&1 |
    tee "$logs/interop"
status=${PIPESTATUS[0]}
bad=$(($(last "$logs/interop" failed) + $(last "$logs/interop" 'errors?')))
count "Interop tests" "$(last "$logs/interop" passed)" "$bad" "$status"

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
