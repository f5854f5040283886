# make demo and make test are all a newcomer needs; both do their own set-up (.ci/setup).

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOBUILD := CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)'

# Packages whose goroutines share memory; the race detector runs on these.
RACE := ./allreduce/... ./coordinator/... ./worker/... ./internal/network/... ./internal/testcluster \
  ./internal/signals ./internal/disk/... ./model/pjrt/capi ./model/pjrt/find

.PHONY: buf workflows vuln cross wheel python-test module-path help fuzz torchvision long check-export chaos soak pjrt-h100 pjrt-bits demo test build proto generate lint census picture unit race smoke setup clean

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

demo: ## set up, build, and train 8 workers on generated pictures for about 3 minutes, one of which is killed (DEMO_KILL=no: none)
	@.ci/setup demo
	@$(MAKE) --no-print-directory build
	@.ci/demo

test: ## set up, then lint, unit tests, race detector, and a run of the programs
	@.ci/setup test
	@$(MAKE) --no-print-directory lint build manifests unit mutants race smoke

mutants: ## see tests fail when a safeguard is left out, once for each
	@for tag in break_fencing break_digest break_barrier break_verify; do \
		go vet -tags $$tag ./internal/simulate || exit 1; \
		if go test -count=1 -tags $$tag ./internal/simulate >/dev/null; then echo "$$tag: tests stay green"; exit 1; fi; \
		echo "$$tag: tests fail, as they are to"; done
	@go vet -tags break_fsync ./worker/checkpoint ./internal/atomicfile
	@if go test -count=1 -short -tags break_fsync ./worker/checkpoint >/dev/null; then \
		echo "break_fsync: tests stay green"; exit 1; fi; echo "break_fsync: tests fail, as they are to"

build: ## bin/coordinator (static) and bin/worker (which loads plugins: it needs a C library)
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

# Other tools that have a module file of their own. AGAINST is a revision whose interfaces must go on to be understood.
CHECKS := CGO_ENABLED=0 go tool -modfile=internal/lint/checks.mod
AGAINST ?= HEAD

buf: ## lint the interfaces in proto/, and compare them with those of the revision AGAINST
	$(CHECKS) buf lint proto
	$(CHECKS) buf breaking proto --against "$$(git rev-parse --git-common-dir)#ref=$(AGAINST),subdir=proto"

workflows: ## check what GitHub is told to do
	$(CHECKS) actionlint

vuln: ## known holes in what the programs call: asks vuln.go.dev; VULN=modules asks where Go modules come from
	@test '$(VULN)' != modules || go run ./internal/lint/vulndb build/vulndb
	$(CHECKS) govulncheck $(if $(filter modules,$(VULN)),-db 'file://$(CURDIR)/build/vulndb') ./...

# Built, not run; what these systems lack: docs/installing.md.
cross: ## build for linux/arm64, darwin/arm64 and darwin/amd64
	@for system in linux/arm64 darwin/arm64 darwin/amd64; do echo "build for $$system"; \
	  CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} go build -o /dev/null ./cmd/coordinator && \
	  CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} go build -o /dev/null ./cmd/worker || exit 1; done

# hatchling is fetched by pip; the same commit gives the same bytes.
WHEELS ?= linux/amd64 linux/arm64
wheel: ## wheels of the Python package, programs included, in build/wheels
	@.ci/wheel $(WHEELS)

python-test: ## install the wheel of this machine into an environment of its own, and ask a run by it
	@.ci/python-test

module-path: ## give the module another path everywhere: TO=example.org/byol
	@.ci/module-path '$(TO)'

census: ## lines, tests and exported names by package; BASE=REVISION compares
	@go run ./internal/lint/census -base '$(BASE)'

picture: ## draw who imports whom, docs/architecture.svg
	@go run ./internal/lint/picture

unit: ## go test ./...
	go test ./...

long: ## the tests that make test leaves out for their time: plugins compile everything, memory over many plans
	@.ci/pjrt cpu
	BYOL_LONG=1 go test -count=1 -timeout 60m ./model ./model/golden ./model/pjrt ./model/pjrt/emit ./internal/lint

# One target after another, each in FUZZ_TIME; what is found lies in the package's testdata/fuzz. Making what is found small
# takes a minute an input unless it is bounded, and of ten minutes most.
FUZZ_TIME ?= 1m
FUZZ ?= $(shell grep -rE '^func Fuzz[A-Z]' --include='*_test.go' . | sed -E 's|/[^/]*:func (Fuzz[A-Za-z0-9]*).*|:\1|' | sort)

fuzz: ## look for inputs that break decoders and readers: FUZZ_TIME=10m FUZZ=PACKAGE:TARGET
	@for target in $(FUZZ); do echo "fuzz: $$target for $(FUZZ_TIME)"; \
	  go test "$${target%:*}" -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZ_TIME) -fuzzminimizetime 20x || exit 1; done

race: ## the race detector on the concurrent packages (needs a C compiler)
	@if command -v "$$(go env CC)" >/dev/null; then set -x; CGO_ENABLED=1 go test -race -short $(RACE); \
	  else echo "skipped: the race detector needs a C compiler, and there is no $$(go env CC)"; fi

smoke: build ## train, stop, resume, ask, export with the built programs
	@.ci/smoke

proto: ## generate proto/*.pb.go and python/byol/v1 (needs protoc)
	protoc -I proto --go_out=. --go_opt=module=byol --go-grpc_out=. --go-grpc_opt=module=byol \
	  --plugin=protoc-gen-go=$$(go tool -n protoc-gen-go) \
	  --plugin=protoc-gen-go-grpc=$$(go tool -n protoc-gen-go-grpc) proto/*.proto
	protoc -I byol/v1=proto --python_out=python --pyi_out=python byol/v1/operator.proto

# Bounded: CHAOS_FAULTS workers are killed, a ninth as many coordinators, and some stopped and cut off: about two seconds
# each, and the same steps once more without faults.
CHAOS_FAULTS ?= 900
CHAOS_LIMIT ?= 5400

torchvision: ## compare features of exported encoders with torchvision's: PYTHON has it
	BYOL_TORCH=$(PYTHON) go test -count=1 -v -timeout 30m -run TestTorchvisionFeatures ./worker/eval

PYTHON ?= python3

chaos: build ## 1,000 random kills, and stops, partitions, slow and damaged lines: docs/bench/chaos.md
	timeout $(CHAOS_LIMIT) bin/coordinator drill --demo --kill-worker $(CHAOS_FAULTS) --kill-leader $$(($(CHAOS_FAULTS) / 9)) \
	  --stop $$(($(CHAOS_FAULTS) / 45)) --partition $$(($(CHAOS_FAULTS) / 45)) --stop-leader $$(($(CHAOS_FAULTS) / 180)) \
	  --partition-leader $$(($(CHAOS_FAULTS) / 180)) --slow 5 --corrupt 5 -o runs/chaos; \
	  status=$$?; cp runs/chaos/report.md docs/bench/chaos.md && cp runs/chaos/steps.svg docs/bench/steps.svg; exit $$status

# Needs no GPU: it compiles for one that is not here. 250 MB are fetched once; minutes for the larger network.
pjrt-h100: build ## compile BYOL's programs for an H100, without one
	@.ci/pjrt cuda
	TF_CPP_MIN_LOG_LEVEL=1 BYOL_PJRT_PLUGIN="$${BYOL_PJRT_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/byol/pjrt}/cuda" \
	  sh -c 'bin/worker pjrt compile --for h100 --arch resnet18 --image-size 32 --images 512 --precision bf16 && \
	    bin/worker pjrt compile --for h100 --arch resnet50 --images 256 --precision bf16'

pjrt-bits: build ## same bits for 1, 2, 4, 8 workers on a PJRT plugin for the processor, as a table (PRECISION=bf16)
	@.ci/pjrt cpu
	TF_CPP_MIN_LOG_LEVEL=2 DEVICES=pjrt BYOL_PJRT_PLUGIN="$${BYOL_PJRT_PLUGIN:-$${BYOL_PJRT_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/byol/pjrt}/cpu/lammps_jax_pjrt_cpu}" \
	  sh internal/bench/bits.sh

.PHONY: pjrt-mixed
pjrt-mixed: build ## workers on two PJRT plugins: refused by name, and trained with --determinism relaxed
	@.ci/pjrt cpu
	TF_CPP_MIN_LOG_LEVEL=2 internal/bench/mixed.sh

.PHONY: page-check monitoring-check
PAGE_CHECK ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/byol/page-check
page-check: ## open the live page in Chromium; PAGE_SHOTS=FOLDER keeps pictures (needs chromium, node; fetches playwright-core)
	@for program in chromium node npm; do command -v $$program >/dev/null || { \
	  echo "skipped: the page is not checked without $$program"; exit 0; }; done; \
	test -d '$(PAGE_CHECK)/node_modules/playwright-core' || npm install --silent --no-audit --no-fund --ignore-scripts \
	  --prefix '$(PAGE_CHECK)' playwright-core@1.65.1 || exit 1; \
	BYOL_PAGE_CHECK='$(PAGE_CHECK)' BYOL_PAGE_SHOTS='$(abspath $(PAGE_SHOTS))' \
	  go test -count=1 -v -timeout 15m -run 'TestInBrowser$$' ./coordinator/admin

monitoring-check: ## have promtool read metrics, alerts and the dashboard, and play the alerts
	@command -v promtool >/dev/null || echo "skipped in part: there is no promtool"
	go test -count=1 -v -run 'TestMonitoringNames|TestPromtool|TestMetrics' ./coordinator/admin

.PHONY: attack
attack: build ## strangers at every port of a run, 10,000 connections: the tables of docs/security.md
	$(GOBUILD) -o bin/attack ./internal/bench/attack
	bin/attack
	bin/attack -token -steps 300 -pairs 3 -rate 200
	BYOL_ATTACK=10000 go test -count=1 -v -timeout 30m -run 'TestAttack$$' ./internal/testcluster

# PyTorch and torchvision are Debian's (make bench-peers installs them), onnxruntime is fetched by hash. Some minutes.
PHOTOS ?= ../shared/data/imagenet-sample
check-export: ## compare exported encoders of every kind with PyTorch, torchvision and onnxruntime, on photos in PHOTOS
	@internal/bench/peers
	@internal/bench/exportcheck/check.sh '$(PHOTOS)'

HOURS ?= 1
soak: build ## chaos again and again, with another seed each time, for HOURS hours (a fraction will do)
	@end=$$(awk "BEGIN { printf \"%d\", $$(date +%s) + $(HOURS) * 3600 }"); seed=1; while [ $$(date +%s) -lt $$end ]; do \
	  echo "soak: seed $$seed"; timeout 3600 bin/coordinator drill --demo --seed $$seed --kill-worker 60 --kill-leader 6 \
	    --stop 3 --stop-leader 1 --partition 3 --partition-leader 1 --slow 1 --corrupt 1 -o runs/soak || exit 1; \
	  seed=$$((seed + 1)); done

.PHONY: deploy-check deploy-drill manifests hadolint
# A module of its own with Kubernetes' types, of which go vet would look at each; what it builds, tests of the coordinator ask.
manifests: ## read deploy/ as Kubernetes, Compose and Docker do: every folder built and decoded strictly, pods restricted
	cd deploy/check/manifests && CGO_ENABLED=0 go build -o ../../../bin/manifests . && CGO_ENABLED=0 go test -vet=off .

deploy-check: ## as root: every overlay on a real Kubernetes API server, pods played with the real programs (SCENES: which)
	deploy/check/run.sh $(SCENES)

deploy-drill: ## as root: the same pods, killed, drained and rolled, with a stand-in for the API server: minutes
	KUBERNETES=no deploy/check/run.sh $(SCENES)

HADOLINT ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/byol/hadolint
hadolint: ## lint how images are made, by hadolint, which pip fetches once by its hash
	@test -x '$(HADOLINT)/bin/hadolint' || $(PYTHON) -m pip install -q --no-deps --require-hashes --target '$(HADOLINT)' \
	  -r deploy/check/hadolint.txt
	'$(HADOLINT)/bin/hadolint' deploy/*.Dockerfile

generate: ## run every go:generate
	go generate ./...

setup: ## what make test sets up, alone
	@.ci/setup test

clean: ## remove bin and runs
	rm -rf bin runs

include internal/bench/bench.mk
