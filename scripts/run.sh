#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `make run`: sets up what is missing, then shows a full sync (scripts/demo.py). Arguments: PORT=n
# REPLICA_PORT=n SERVER=path. Set-up is skipped for a SERVER of one's own.
set -euo pipefail
cd "$(dirname "$0")/.."
for assignment in "$@"; do declare "$assignment"; done

built=.build/release/redwing-server
server=${SERVER:-$built}
command -v python3 >/dev/null || scripts/deps.sh
# Ports first: nobody wants to wait for a build to learn that one is taken.
python3 scripts/demo.py --check-ports --port "${PORT:-6379}" --replica-port "${REPLICA_PORT:-6380}"
if [ "$server" = "$built" ]; then
    scripts/deps.sh
    make --no-print-directory build
fi
exec python3 scripts/demo.py --server "$server" \
    --port "${PORT:-6379}" --replica-port "${REPLICA_PORT:-6380}"
