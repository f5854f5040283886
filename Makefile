# make demo and make test are all a newcomer needs; both do their own set-up (.ci/setup).

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

# Packages whose goroutines share memory; the race detector runs on these.
RACE := ./allreduce/... ./coordinator/... ./worker/... ./internal/network/... ./internal/testcluster

.PHONY: help demo test build proto generate lint census picture unit race smoke setup clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: ## set up, build, and train 8 workers on generated pictures for about 3 minutes
	@.ci/setup demo
	@$(MAKE) --no-print-directory build
	@.ci/demo

test: ## set up, then lint, unit tests, race detector, and a run of the programs
	@.ci/setup test
	@$(MAKE) --no-print-directory lint build unit race smoke

build: ## bin/coordinator and bin/worker, static
	$(GOBUILD) -o bin/coordinator ./cmd/coordinator
	$(GOBUILD) -o bin/worker ./cmd/worker

# golangci-lint has a module file of its own; the first run builds it (some minutes), and later ones take what is built.
# Files for other processors than this one's are checked by gofmt and by the house's own rules alone.
GOLANGCI := CGO_ENABLED=0 go tool -modfile=internal/lint/tools.mod golangci-lint

lint: ## gofmt, golangci-lint, and the house's own rules
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	  test -z "$$unformatted" || { echo "gofmt would change: $$unformatted"; exit 1; }
	$(GOLANGCI) run
	go test ./internal/lint

census: ## lines, tests and exported names by package; BASE=REVISION compares
	@go run ./internal/lint/census -base '$(BASE)'

picture: ## draw who imports whom, docs/architecture.svg
	@go run ./internal/lint/picture

unit: ## go test ./...
	go test ./...

race: ## the race detector on the concurrent packages (needs a C compiler)
	@if command -v "$$(go env CC)" >/dev/null; then set -x; CGO_ENABLED=1 go test -race -short $(RACE); \
	  else echo "skipped: the race detector needs a C compiler, and there is no $$(go env CC)"; fi

smoke: build ## train, stop, resume, ask, export with the built programs
	@.ci/smoke

proto: ## generate proto/*.pb.go (needs protoc)
	protoc -I proto --go_out=. --go_opt=module=byol --go-grpc_out=. --go-grpc_opt=module=byol \
	  --plugin=protoc-gen-go=$$(go tool -n protoc-gen-go) \
	  --plugin=protoc-gen-go-grpc=$$(go tool -n protoc-gen-go-grpc) proto/*.proto

generate: ## run every go:generate
	go generate ./...

setup: ## what make test sets up, alone
	@.ci/setup test

clean: ## remove bin and runs
	rm -rf bin runs

include internal/bench/bench.mk
