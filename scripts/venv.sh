#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Makes .venv with the Python packages of Tests/requirements.txt; does nothing when it has them.
set -euo pipefail
cd "$(dirname "$0")/.."

wanted=Tests/requirements.txt
stamp=.venv/requirements.installed
if [ -x .venv/bin/python ] && cmp -s "$wanted" "$stamp"; then
    echo "deps: .venv is up to date"
    exit 0
fi
echo "deps: making .venv from $wanted"
rm -rf .venv
python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$wanted"
cp "$wanted" "$stamp"
