"""One BYOL step by PyTorch, timed: the peer of `make bench-torch` on the CPU, and of `make gpu-check` on a GPU.

Prints one line of JSON: images per second of the median step, and what did it. The networks are byol's
(torchvision's shapes, He et al.'s CIFAR nets), heads 4096/256 unless said otherwise; the update is LARS without
biases and norms, then the moving average. `--part encoder` runs the online encoder alone, forward and backward.

Several processes share a batch by DistributedDataParallel over Gloo, told by torchrun's variables (RANK, WORLD_SIZE,
MASTER_ADDR, MASTER_PORT); `torchrun --nproc_per_node 2 torch_byol.py` does it by hand. Each normalises its own
part of the batch: PyTorch's SyncBatchNorm does not run on CPUs. Needs python3 with torch, nothing else.

`--device cuda` computes on a GPU, `--precision bf16` under autocast, `--compile` by torch.compile: losses and gradients
as one graph, and the update over all tensors at once. There nothing waits between steps, as a training would not.
"""
import argparse
import copy
import json
import math
import os
import re
import statistics
import sys
import time

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn


def conv(cin, cout, kernel, stride=1):
    return nn.Conv2d(cin, cout, kernel, stride, (kernel - 1) // 2, bias=False)


def shortcut(cin, cout, stride):
    if stride == 1 and cin == cout:
        return None
    return nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout))


class Basic(nn.Module):
    expansion = 1

    def __init__(self, cin, c, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(cin, c, 3, stride), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = conv(c, c, 3), nn.BatchNorm2d(c)
        self.down = shortcut(cin, c, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.down is None else self.down(x)), inplace=True)


class Bottleneck(nn.Module):
    expansion = 4

    def __init__(self, cin, c, stride):
        super().__init__()
        self.conv1, self.bn1 = conv(cin, c, 1), nn.BatchNorm2d(c)
        self.conv2, self.bn2 = conv(c, c, 3, stride), nn.BatchNorm2d(c)
        self.conv3, self.bn3 = conv(c, 4 * c, 1), nn.BatchNorm2d(4 * c)
        self.down = shortcut(cin, 4 * c, stride)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.down is None else self.down(x)), inplace=True)


ARCHS = {
    "resnet18": (Basic, [2, 2, 2, 2], 64),
    "resnet34": (Basic, [3, 4, 6, 3], 64),
    "resnet50": (Bottleneck, [3, 4, 6, 3], 64),
    "resnet20": (Basic, [3, 3, 3], 16),
    "resnet56": (Basic, [9, 9, 9], 16),
}


class Encoder(nn.Module):
    def __init__(self, arch, stem):
        super().__init__()
        block, blocks, width = ARCHS[arch]
        self.pool = stem == "imagenet"
        self.conv1 = conv(3, width, 7, 2) if self.pool else conv(3, width, 3)
        self.bn1, cin, layers = nn.BatchNorm2d(width), width, []
        for i, n in enumerate(blocks):
            for j in range(n):
                layers.append(block(cin, width << i, 2 if i > 0 and j == 0 else 1))
                cin = (width << i) * block.expansion
        self.layers, self.features = nn.Sequential(*layers), cin

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.pool:
            x = F.max_pool2d(x, 3, 2, 1)
        return self.layers(x).mean((2, 3))


def mlp(cin, hidden, out):
    return nn.Sequential(nn.Linear(cin, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True),
                         nn.Linear(hidden, out, bias=False))


class Target(nn.Module):
    """Encoder and projector, on both views."""

    def __init__(self, a):
        super().__init__()
        self.encoder = Encoder(a.arch, a.stem)
        self.projector = mlp(self.encoder.features, a.hidden, a.out)

    def forward(self, v1, v2):
        return self.projector(self.encoder(v1)), self.projector(self.encoder(v2))


class Online(Target):
    """The same and the predictor."""

    def __init__(self, a):
        super().__init__(a)
        self.predictor = mlp(a.out, a.hidden, a.out)

    def forward(self, v1, v2):
        z1, z2 = super().forward(v1, v2)
        return self.predictor(z1), self.predictor(z2)


def regression(p, z):
    return (2 - 2 * F.cosine_similarity(p, z)).mean()


@torch.no_grad()
def lars(params, momentum, lr, decay=1e-6, eta=1e-3, mu=0.9):
    for p, m in zip(params, momentum):
        g = p.grad
        if p.dim() > 1:
            g = g.add(p, alpha=decay)
            pn, gn = p.norm(), g.norm()
            if pn > 0 and gn > 0:
                g = g * (eta * pn / gn)
        m.mul_(mu).add_(g)
        p.sub_(m, alpha=lr)


@torch.no_grad()
def lars_together(params, momentum, lr, decay=1e-6, eta=1e-3, mu=0.9):
    """The same for all tensors at once, and without a look at any number."""
    grads = [p.grad for p in params]
    big = [i for i, p in enumerate(params) if p.dim() > 1]
    w, g = [params[i] for i in big], [grads[i] for i in big]
    torch._foreach_add_(g, w, alpha=decay)
    trust = [torch.where((a > 0) & (b > 0), eta * a / b, torch.ones_like(a))
             for a, b in zip(torch._foreach_norm(w), torch._foreach_norm(g))]
    for x, t in zip(g, trust):
        x.mul_(t)
    torch._foreach_mul_(momentum, mu)
    torch._foreach_add_(momentum, grads)
    torch._foreach_add_(params, momentum, alpha=-lr)


@torch.no_grad()
def follow_together(target, online, rate):
    torch._foreach_mul_(target, 1 - rate)
    torch._foreach_add_(target, online, alpha=rate)


def byol(a, form, batch, ranks):
    """Returns a function that takes one step and returns the loss."""
    online = Online(a).to(a.device, memory_format=form)
    target = Target(a).to(a.device, memory_format=form)
    target.encoder = copy.deepcopy(online.encoder)
    target.projector = copy.deepcopy(online.projector)
    params = list(online.parameters())
    followed = list(online.encoder.parameters()) + list(online.projector.parameters())
    momentum = [torch.zeros_like(p) for p in params]
    views = [images(a, form, batch) for _ in range(2)]
    run = online
    if ranks > 1:
        run = nn.parallel.DistributedDataParallel(online, broadcast_buffers=False, gradient_as_bucket_view=True)

    def losses():
        with torch.autocast(a.device, dtype=torch.bfloat16, enabled=a.precision == "bf16"):
            p1, p2 = run(*views)
            with torch.no_grad():
                t1, t2 = target(*views)
        return regression(p1.float(), t2.float()) + regression(p2.float(), t1.float())

    if a.compile:
        losses = torch.compile(losses)

    def step():
        online.zero_grad(set_to_none=True)
        loss = losses()
        loss.backward()
        if a.together:
            lars_together(params, momentum, 0.1)
            follow_together(list(target.parameters()), followed, 0.01)
            return loss
        lars(params, momentum, 0.1)
        with torch.no_grad():
            for p, q in zip(target.parameters(), followed):
                p.lerp_(q, 0.01)
        return loss

    return step


def encoder(a, form, batch, _):
    """Returns a function that runs the encoder forward and backward."""
    net = Encoder(a.arch, a.stem).to(memory_format=form)
    x, g = images(a, form, batch), torch.randn(batch, net.features)

    def step():
        net.zero_grad(set_to_none=True)
        with torch.autocast(a.device, dtype=torch.bfloat16, enabled=a.precision == "bf16"):
            y = net(x)
        y.backward(g.to(y.dtype))
        return y.sum()

    return step


def images(a, form, batch):
    return torch.randn(batch, 3, a.image_size, a.image_size).to(a.device).contiguous(memory_format=form)


def about():
    """PyTorch's version, and the libraries that do its convolutions and its matrix products."""
    config = torch.__config__.show()
    words = ["torch " + torch.__version__]
    if torch.cuda.is_available():
        return f"{words[0]}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name()}"
    onednn = re.search(r"MKL-DNN v([\d.]+)", config)
    if onednn:
        words.append("oneDNN " + onednn.group(1))
    blas = re.search(r"BLAS_INFO=(\w+)", config)
    loaded = set()
    try:
        with open("/proc/self/maps") as maps:
            loaded = {os.path.basename(m.split()[-1]) for m in maps if re.search(r"/lib(open)?blas", m)}
    except OSError:
        pass
    words.append("BLAS " + (", ".join(sorted(loaded)) or (blas.group(1) if blas else "unknown")))
    return ", ".join(words)


def measure(step, a):
    """Seconds of a step: the median of those behind the first; on a GPU their mean, and nothing waits between them."""
    if a.device == "cuda":
        for _ in range(3):
            loss = step()
        assert math.isfinite(loss.item()), loss
        start = time.perf_counter()
        for _ in range(a.steps):
            loss = step()
        torch.cuda.synchronize()
        seconds = (time.perf_counter() - start) / a.steps
        assert math.isfinite(loss.item()), loss
        return seconds
    times = []
    for i in range(a.steps + 1):
        start = time.perf_counter()
        loss = step().item()
        if i > 0:
            times.append(time.perf_counter() - start)
        assert math.isfinite(loss), loss
    return statistics.median(times)


def prepare(a):
    """Makes PyTorch as fast as it is, or ends with why it cannot do what is asked for."""
    if a.compile and not hasattr(torch, "compile"):
        sys.exit(f"skipped: torch {torch.__version__} has no torch.compile")
    if a.device == "cuda":
        if not torch.cuda.is_available():
            sys.exit(f"skipped: torch {torch.__version__} sees no GPU")
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    torch.manual_seed(0)
    torch.set_num_threads(a.threads)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--arch", default="resnet18", choices=sorted(ARCHS))
    ap.add_argument("--stem", default="cifar", choices=["cifar", "imagenet"])
    ap.add_argument("--part", default="byol", choices=["byol", "encoder"])
    ap.add_argument("--image-size", type=int, default=32)
    ap.add_argument("--batch-size", type=int, default=128, help="over all processes")
    ap.add_argument("--hidden", type=int, default=4096)
    ap.add_argument("--out", type=int, default=256)
    ap.add_argument("--threads", type=int, default=2, help="of a process")
    ap.add_argument("--steps", type=int, default=3, help="after one to warm up")
    ap.add_argument("--layout", default="nhwc", choices=["nhwc", "nchw"])
    ap.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    ap.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    ap.add_argument("--compile", action="store_true", help="by torch.compile")
    ap.add_argument("--together", action="store_true", help="update all tensors at once; on a GPU always")
    a = ap.parse_args()
    a.together = a.together or a.device == "cuda"
    prepare(a)
    form = torch.channels_last if a.layout == "nhwc" else torch.contiguous_format
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if ranks > 1:
        dist.init_process_group("gloo")
    step = (byol if a.part == "byol" else encoder)(a, form, a.batch_size // ranks, ranks)
    seconds = measure(step, a)
    if rank == 0:
        told = {"images_per_second": a.batch_size / seconds, "step_seconds": seconds, "about": about()}
        if a.device == "cuda":
            told["device_peak_mib"] = torch.cuda.max_memory_allocated() / 2**20
        print(json.dumps(told))
    if ranks > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
