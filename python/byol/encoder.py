"""Encoders that byol exported, in PyTorch: load_encoder(path).

This file stands alone: where the package is not wanted, copy it. It wants torch, numpy, Pillow and safetensors.

When it fails: FileNotFoundError where there is no file, ValueError where it is no export of byol's, and what torch says
of tensors that do not fit.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError, safe_open
from torch import nn

# Blocks per group, whether they are bottlenecks, channels of the stem.
NETWORKS = {
    "resnet18": ([2, 2, 2, 2], False, 64), "resnet34": ([3, 4, 6, 3], False, 64),
    "resnet50": ([3, 4, 6, 3], True, 64), "resnet101": ([3, 4, 23, 3], True, 64),
    "resnet152": ([3, 8, 36, 3], True, 64), "resnet200": ([3, 24, 36, 3], True, 64),
    "tiny": ([1, 1], False, 8), "resnet20": ([3, 3, 3], False, 16), "resnet56": ([9, 9, 9], False, 16),
}
TORCHVISION = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")


def reach(x, kernel, stride, same, value=0.0):
    """Pads x as the network does: as PyTorch, or by what the windows need, the smaller half first."""
    if not same:
        return F.pad(x, [kernel // 2] * 4, value=value)
    need = [max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[:1:-1]]
    return F.pad(x, [p for n in need for p in (n // 2, n - n // 2)], value=value)


class Conv(nn.Conv2d):
    def __init__(self, inputs, outputs, kernel, stride, same):
        super().__init__(inputs, outputs, kernel, stride, bias=False)
        self.same = same

    def forward(self, x):
        return super().forward(reach(x, self.kernel_size[0], self.stride[0], self.same))


class Block(nn.Module):
    def __init__(self, inputs, width, stride, bottleneck, same):
        super().__init__()
        outputs = width * 4 if bottleneck else width
        plan = [(3, width, stride), (3, width, 1)]
        if bottleneck:
            plan = [(1, width, 1), (3, width, stride), (1, outputs, 1)]
        self.count, at = len(plan), inputs
        for i, (kernel, channels, step) in enumerate(plan, 1):
            setattr(self, f"conv{i}", Conv(at, channels, kernel, step, same))
            setattr(self, f"bn{i}", nn.BatchNorm2d(channels))
            at = channels
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(Conv(inputs, outputs, 1, stride, same), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = y.relu() if i < self.count else y
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class Encoder(nn.Module):
    def __init__(self, meta):
        super().__init__()
        blocks, bottleneck, base = NETWORKS[meta["architecture"]]
        base *= int(meta["width"])
        self.same, self.imagenet, at = meta["padding"] == "same", meta["stem"] == "imagenet", base
        self.conv1 = Conv(3, base, *((7, 2) if self.imagenet else (3, 1)), self.same)
        self.bn1 = nn.BatchNorm2d(base)
        for group, count in enumerate(blocks):
            width, layers = base << group, []
            for i in range(count):
                layers.append(Block(at, width, 2 if group and not i else 1, bottleneck, self.same))
                at = width * 4 if bottleneck else width
            setattr(self, f"layer{group + 1}", nn.Sequential(*layers))
        self.groups = len(blocks)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        if self.imagenet:
            x = F.max_pool2d(reach(x, 3, 2, self.same, float("-inf")), 3, 2)
        for group in range(self.groups):
            x = getattr(self, f"layer{group + 1}")(x)
        return x.mean((2, 3))


def taps(inputs, outputs, a, steps):
    """The matrix that resizes a line of pixels: four taps of Keys' cubic kernel, no antialiasing."""
    matrix = np.zeros((outputs, inputs))
    for i in range(outputs):
        centre = (i + 0.5) * inputs / outputs - 0.5
        base = int(np.floor(centre))
        t = centre - base
        t = np.rint(t * steps) / steps if steps else t
        for k in range(-1, 3):
            d = abs(t - k)
            near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
            if 0 <= base + k < inputs:
                matrix[i, base + k] = near if d <= 1 else far if d < 2 else 0
    return matrix / matrix.sum(1, keepdims=True)


def preparation(meta):
    """The function from a picture (a path, a file or a PIL image) to the network's input, as the metadata say."""
    part, whole = map(int, meta["crop_ratio"].split("/"))
    size, a, steps = int(meta["image_size"]), float(meta["bicubic_a"]), int(meta["fraction_steps"])
    mean, std = (np.array(json.loads(meta[key])) for key in ("mean", "std"))

    def prepare(picture):
        image = picture if isinstance(picture, Image.Image) else Image.open(picture)
        pixels = np.asarray(image.convert("RGB"), dtype=np.float64)
        h, w, _ = pixels.shape
        s = max(min(w, h) * part // whole, 1)
        y, x = (h - s + 1) // 2, (w - s + 1) // 2
        m = taps(s, size, a, steps)
        pixels = np.einsum("ih,hwc,jw->ijc", m, pixels[y:y + s, x:x + s], m, optimize=True)
        pixels = (np.clip(pixels / 255, 0, 1) - mean) / std
        return torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32))

    return prepare


def network(meta: dict[str, str]) -> nn.Module:
    """The network that the metadata of an export are of, torchvision's where it has it, with weights of no use yet."""
    if (meta["architecture"] in TORCHVISION and meta["stem"] == "imagenet" and meta["padding"] == "symmetric"
            and meta["width"] == "1"):
        try:
            import torchvision
        except ImportError:
            return Encoder(meta)
        net = getattr(torchvision.models, meta["architecture"])()
        net.fc = nn.Identity()
        return net
    return Encoder(meta)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    """The metadata and the tensors of an export."""
    if not os.path.exists(path):
        raise FileNotFoundError(f"there is no {path}")
    try:
        with safe_open(path, "pt") as file:
            meta, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as e:
        raise ValueError(f"{path} is no safetensors file: {e}") from e
    if "byol_encoder" not in meta or meta["architecture"] not in NETWORKS:
        raise ValueError(f"{path} is no encoder of byol's: make one with coordinator export RUN -o encoder.safetensors")
    return meta, tensors


def load_encoder(path: str | os.PathLike[str]) -> tuple[nn.Module, Callable[..., torch.Tensor]]:
    """The encoder in a file that byol exported, ready to give features, and the function that prepares a picture (a
    path, a file, a PIL image) for it.

    The encoder is torchvision's ResNet, without its last layer, where torchvision has that network; else it is ours. It
    takes images of shape [N, 3, size, size] and gives features [N, dimensions].
    """
    meta, tensors = read(path)
    encoder = network(meta)
    encoder.load_state_dict(tensors)
    return encoder.eval(), preparation(meta)
