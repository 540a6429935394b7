# SPDX-License-Identifier: BSD-3-Clause
#
# Everything one does with the project. `make` alone lists it.

PORT ?= 6379
REPLICA_PORT ?= 6380
SERVER ?= .build/release/redwing-server
JOBS ?= 2
PREFIX ?= /usr/local
DESTDIR ?=
SCALE ?= 1

BINARIES = .build/release/redwing-server .build/release/redwing-rdb
PYTHON = .venv/bin/python
BUILD = swift build -j $(JOBS)
export JOBS

.DEFAULT_GOAL := help
.PHONY: help deps toolchain build run test bench bench-sync bench-commands bench-stream install profile asan \
	demo-sentinel docs clang-format format lint clean

help: ## list what there is (the default)
	@echo "Redwing. Targets:"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "Variables: PORT REPLICA_PORT SERVER (run), SCALE (bench), PREFIX DESTDIR (install), JOBS"

deps: ## install what is missing: Debian packages, and the tests' Python packages in .venv
	@scripts/deps.sh
	@scripts/venv.sh

toolchain:
	@command -v swift >/dev/null || { \
	    echo "no swift in PATH: see https://swift.org/install (sudo has a PATH of its own: build without it)"; \
	    exit 1; }

build: toolchain ## the optimised server, .build/release/redwing-server, and redwing-rdb; they need no Swift to run
	$(BUILD) -c release --static-swift-stdlib --product redwing-server
	$(BUILD) -c release --static-swift-stdlib --product redwing-rdb

run: ## a master and a replica with sample data; shows the full sync; Ctrl-C ends both
	@scripts/run.sh PORT=$(PORT) REPLICA_PORT=$(REPLICA_PORT) SERVER=$(SERVER)

test: deps build ## every test: Swift units, the C core, interop with stock Redis
	@scripts/test.sh

bench: bench-sync bench-stream bench-commands ## all measurements beside a stock redis-server

bench-sync: deps build ## load, save, full sync, memory, fork pause, copy-on-write, CRC64
	$(PYTHON) Benchmarks/bench.py sync --scale $(SCALE) --repeat 4

bench-stream: deps build ## the replication stream: cost, catch-up, resync loop, latency in a sync
	$(PYTHON) Benchmarks/bench.py stream --scale $(SCALE) --repeat 5

bench-commands: deps build ## each test of redis-benchmark: requests a second, CPU a request
	$(PYTHON) Benchmarks/bench.py commands --scale $(SCALE) --repeat 4

# Built only where they are missing: root, who installs, seldom has a Swift in PATH.
$(BINARIES):
	$(MAKE) build

install: $(BINARIES) ## the server, and libwing with headers and pkg-config file, under PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BINARIES) $(DESTDIR)$(PREFIX)/bin
	$(MAKE) -C CSources/Wing install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)

profile: deps toolchain ## optimised, with frame pointers and symbols, in .build-profile
	$(BUILD) -c release --scratch-path .build-profile --product redwing-server --no-omit-frame-pointers \
		-Xswiftc -g -Xcc -g -Xcc -fno-omit-frame-pointer
	@echo "perf record -g .build-profile/release/redwing-server"

asan: deps toolchain ## the unit tests under AddressSanitizer, in .build-asan
	swift test -j $(JOBS) --scratch-path .build-asan --sanitize=address

demo-sentinel: deps build ## three sentinels, a master and two replicas (MIXED=1: one stock Redis); the master dies
	@python3 scripts/demo_sentinel.py --server $(SERVER) $(if $(MIXED),--mixed)

docs: build ## docs/commands.md, drawn from the built server's table of commands
	python3 scripts/command_docs.py .build/release/redwing-server >docs/commands.md.new
	mv docs/commands.md.new docs/commands.md

clang-format:
	@command -v clang-format >/dev/null || { echo "no clang-format in PATH: apt-get install clang-format"; exit 1; }

format: toolchain clang-format ## rewrite the sources in the project's format
	swift format --in-place --parallel --recursive Package.swift Sources Tests
	git ls-files '*.c' '*.h' | xargs -r clang-format -i

lint: toolchain clang-format ## say what is not in the project's format or breaks its rules
	swift format lint --strict --parallel --recursive Package.swift Sources Tests
	git ls-files '*.c' '*.h' | xargs -r clang-format --dry-run --Werror

clean: ## remove all build folders and the tests' Python packages
	rm -rf .build .build-profile .build-asan .venv .pytest_cache
	@if [ -f CSources/Wing/Makefile ]; then $(MAKE) -C CSources/Wing clean; fi
	@if [ -f Tests/WingTests/Makefile ]; then $(MAKE) -C Tests/WingTests clean; fi
