# Comparisons with peers: the same work by both in turn, on this machine (internal/bench). Tables go to docs/bench.
# BENCH_FLAGS go to the program, as in: make bench-torch BENCH_FLAGS='-quick -case resnet20'

BENCH_PARTS := torch allreduce line data workers

.PHONY: bits scale gpu-check gpu-check-pack bench bench-faults bench-peers bench-peers-newest bench-processes bench-profile bench-programs bench-tls $(BENCH_PARTS:%=bench-%)

bench: bench-peers bench-programs ## compare with PyTorch, Gloo and torchvision, in docs/bench
	bin/bench $(BENCH_FLAGS)

bits: build ## same bits for 1, 2, 4, 8 workers and 1, 2 threads on each device, as a table
	sh internal/bench/bits.sh

scale: ## what a step of many workers is made of, by a model, and the bytes of sums as counted here
	go run ./internal/bench/scale

bench-torch: ## training steps against PyTorch
bench-allreduce: ## all-reduce against Gloo
bench-line: ## all-reduce over lines of 1 Gbit/s between network namespaces, against Gloo (root)
bench-data: ## images to views against torchvision
bench-workers: ## where a step goes, with 1 to 8 workers

$(BENCH_PARTS:%=bench-%): bench-%: bench-peers bench-programs
	bin/bench -part $* $(BENCH_FLAGS)

bench-faults: bench-programs ## what commits, digests and heartbeats cost while nothing fails
	internal/bench/faults.sh $(PAIRS)

bench-processes: build ## many workers on few cores: a process each against as many as there are cores for (PAIRS=5, WORKERS=8)
	internal/bench/processes.sh $(PAIRS)

bench-tls: build ## what encryption costs on a whole step, over sockets (root) and in shared memory
	internal/bench/tls.sh $(PAIRS)

bench-profile: bench-programs ## where the time of a step goes, by operation, in docs/bench/profile.md
	bin/bench profile $(BENCH_FLAGS)

gpu-check: ## on a GPU: golden files, bits, speed beside PyTorch, CIFAR-10, in 9 minutes (DEVICE=pjrt: a dry run)
	@DEVICE='$(DEVICE)' internal/bench/gpu-check.sh $(GPU_CHECK_FLAGS)

CIFAR10 ?= ../shared/data/cifar10
gpu-check-pack: bench-programs ## build/gpu-check.tgz: the programs and CIFAR-10, for gpu-check where Go is not
	@mkdir -p build
	tar -czf build/gpu-check.tgz bin/coordinator bin/worker bin/stepbench bin/bench \
	  $$(test -d '$(CIFAR10)' && echo "-C $(CIFAR10)/.. $$(basename '$(CIFAR10)')" || true)
	@ls -l build/gpu-check.tgz

bench-peers: ## install the peers (Debian, as root), or say which are missing
	@internal/bench/peers

bench-peers-newest: ## add PyPI's newest PyTorch as a peer, in .tools (3 GB to download)
	@internal/bench/peers-newest

bench-programs: build
	$(GOBUILD) -o bin/arbench ./internal/bench/arbench
	$(GOBUILD) -o bin/stepbench ./internal/bench/stepbench
	$(GOBUILD) -o bin/bench ./internal/bench
