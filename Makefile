# Targets: setup build test test-short test-servers lint bench fuzz clean. Everything that is installed goes into ./.bin and ./.venv.

GO               ?= go
PYTHON           ?= python3
FUZZTIME         ?= 30s
BENCH            ?= .
SERVER_TESTS     ?= .
TESTFLAGS        ?=
GOLANGCI_VERSION := v2.15.0
GOLANGCI         := .bin/golangci-lint-$(GOLANGCI_VERSION)
FUZZ_TARGETS      = grep -rnoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sed -E 's|/[^/]*_test\.go:[0-9]+:func | |' | sort -u

.PHONY: setup build test test-short test-servers lint bench fuzz clean

setup: $(GOLANGCI)
	$(GO) mod download
	PYTHON=$(PYTHON) scripts/python-env

build:
	CGO_ENABLED=0 $(GO) build ./...

# All tests. Without Python, those that read the tables with other engines are left out, and without the programs of the servers (see
# scripts/servers/missing) those on HDFS, S3, Postgres and a REST catalog; it says so.
test:
	@if command -v $(PYTHON) >/dev/null; then PYTHON=$(PYTHON) scripts/python-env; \
	else echo "make test: there is no $(PYTHON), so the tests with DuckDB and pyiceberg are left out" >&2; fi
	scripts/servers/with-servers --if-possible env FIRN_TEST_LONG=1 $$(command -v $(PYTHON) >/dev/null && echo FIRN_TEST_INTEROP=1) \
		$(GO) test -timeout 60m $(TESTFLAGS) ./...

# The tests on real servers alone.
test-servers:
	scripts/servers/with-servers $(GO) test -timeout 60m -run '$(SERVER_TESTS)' $(TESTFLAGS) ./storage/... ./catalog/... ./internal/systest/...

# What needs nothing but Go, and little time.
test-short:
	$(GO) test -short $(TESTFLAGS) ./...

lint: $(GOLANGCI)
	$(GOLANGCI) run ./...

$(GOLANGCI):
	GOBIN=$(CURDIR)/.bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	mv .bin/golangci-lint $@

# The Go benchmarks, those whose names match BENCH. For whole loads and searches: go run ./bench
bench:
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

# Each fuzz target for FUZZTIME. What they find is kept under testdata/fuzz; commit it with the fix.
fuzz:
	@$(FUZZ_TARGETS) | while read -r dir target; do \
		echo "== $$dir $$target"; \
		$(GO) test "$$dir" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) || exit 1; \
	done

clean:
	rm -rf .bin .venv
