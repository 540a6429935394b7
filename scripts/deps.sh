#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Installs the Debian packages that Redwing is built and tested with, those that are missing only, and
# says which. When none is missing it touches no network. A redis-server that comes in as a test peer
# must not take port 6379: it is neither started now nor at the next boot.
set -euo pipefail

packages=(
    # To build; git and the certificates fetch the Swift packages.
    gcc libc6-dev make pkg-config git ca-certificates
    libjemalloc-dev liblz4-dev zlib1g-dev liblua5.1-0-dev libssl-dev
    # To test, beside what stands above.
    redis-server redis-sentinel redis-tools libhiredis-dev libredis-perl lz4 openssl g++
    python3 python3-venv iproute2
)

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
    echo "deps: all ${#packages[@]} Debian packages are there"
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
        echo "deps: missing: ${missing[*]}" >&2
        echo "deps: run as root: apt-get install ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo)
fi

echo "deps: installing ${missing[*]}"

# invoke-rc.d and deb-systemd-invoke ask this file before they start a service.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
    trap '"${as_root[@]}" rm -f "$policy"' EXIT
fi

install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends "${missing[@]}")
# The package lists may be missing or old: fetch them only when the first attempt needs them.
"${install[@]}" || { "${as_root[@]}" apt-get update; "${install[@]}"; }

for service in redis-server redis-sentinel; do
    case " ${missing[*]} " in
    *" $service "*)
        if [ -d /run/systemd/system ]; then
            "${as_root[@]}" systemctl disable "$service" >/dev/null 2>&1 || true
        fi
        ;;
    esac
done
echo "deps: done"
