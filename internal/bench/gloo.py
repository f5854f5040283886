"""All-reduce by Gloo through torch.distributed, timed: the peer of `make bench-allreduce`.

One process per rank, told by torchrun's variables (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT). Rank 0 prints one line
of JSON: the median seconds of a sum of float32 vectors, by their bytes. As in byol's arbench, all ranks set off
together, the first repetition warms up, and a short vector is summed 50 times in a row.
"""
import argparse
import json
import statistics
import time

import torch
import torch.distributed as dist


def check(n):
    """The sum, against its closed form, which is exact in float32."""
    ranks = dist.get_world_size()
    k = torch.arange(n) % 17
    x = (k + dist.get_rank()).float()
    dist.all_reduce(x)
    want = (ranks * k + ranks * (ranks - 1) // 2).float()
    assert torch.equal(x, want), "wrong sum"


def measure(n, reps):
    # So small that sums of sums of sums stay finite, and large enough to be normal numbers.
    small, inner = torch.full((n,), 2.0**-100), 50 if 4 * n <= 64 << 10 else 1
    x, times = small.clone(), []
    for rep in range(reps + 1):
        x.copy_(small)
        dist.barrier()
        start = time.perf_counter()
        for _ in range(inner):
            dist.all_reduce(x)
        took = (time.perf_counter() - start) / inner
        if rep > 0:
            times.append(took)
    return statistics.median(times)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--bytes", default="4096,26214400,134217728")
    ap.add_argument("--reps", type=int, default=7)
    a = ap.parse_args()
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    result = {}
    for size in map(int, a.bytes.split(",")):
        check(size // 4)
        result["seconds_%d" % size] = measure(size // 4, a.reps)
    if dist.get_rank() == 0:
        result["about"] = "torch " + torch.__version__
        print(json.dumps(result))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
