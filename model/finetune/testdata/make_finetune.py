"""Writes basic.safetensors and bottleneck.safetensors: three steps of fine-tuning, computed in float64 by PyTorch.

    python make_finetune.py        # torch and safetensors

The encoder has torchvision's names and layers; a batch of 12 images is normalised in groups of 3, whose gradients add
up; torch.optim.SGD(nesterov=True) makes the step, a cosine the learning rate. Kept are the first weights, the images
and labels in their order, the loss of each step, and weights, running statistics and logits (of the first three images,
in evaluation mode) at the end.
"""
import json
import math
import pathlib

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
STEPS, BATCH, GROUP, CLASSES, RATE = 3, 12, 3, 4, 4.0


def unit(cin, cout, kernel, stride=1):
    return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(cout)


class Block(nn.Module):
    def __init__(self, cin, width, stride, bottleneck):
        super().__init__()
        out = width * (4 if bottleneck else 1)
        shapes = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
        for i, (kernel, s) in enumerate(shapes, 1):
            c = out if i == len(shapes) else width
            conv, bn = unit(cin if i == 1 else width, c, kernel, s)
            setattr(self, f"conv{i}", conv)
            setattr(self, f"bn{i}", bn)
        self.count = len(shapes)
        self.downsample = nn.Sequential(*unit(cin, out, 1, stride)) if stride != 1 or cin != out else None

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = F.relu(y) if i < self.count else y
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class Net(nn.Module):
    def __init__(self, bottleneck, imagenet, base):
        super().__init__()
        self.conv1 = nn.Conv2d(3, base, 7, 2, 3, bias=False) if imagenet else nn.Conv2d(3, base, 3, 1, 1, bias=False)
        self.bn1, self.imagenet = nn.BatchNorm2d(base), imagenet
        cin = base
        for group in range(2):
            width = base << group
            block = Block(cin, width, 2 if group else 1, bottleneck)
            setattr(self, f"layer{group + 1}", nn.Sequential(block))
            cin = width * (4 if bottleneck else 1)
        self.fc = nn.Linear(cin, CLASSES)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.max_pool2d(x, 3, 2, 1) if self.imagenet else x
        return self.fc(self.layer2(self.layer1(x)).mean((2, 3)))


def write(name, bottleneck, imagenet, base, size):
    torch.manual_seed(5)
    net = Net(bottleneck, imagenet, base)
    for m in net.modules():  # away from the values where mistakes would not show
        if isinstance(m, nn.BatchNorm2d):
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.2)
            m.running_mean.normal_(0, 0.2)
            m.running_var.uniform_(0.5, 1.5)
    for t in net.state_dict().values():  # what the file has is what is computed with
        if t.is_floating_point():
            t.copy_(t.float().double())
    images = torch.randn(STEPS * BATCH, 3, size, size).float().double()
    labels = torch.randint(0, CLASSES, (STEPS * BATCH,))
    labels[4] = -1  # an image that cannot be read
    images[4] = 0
    first = {"first/" + k: v.clone() for k, v in net.state_dict().items() if v.is_floating_point()}
    opt = torch.optim.SGD(net.parameters(), lr=1, momentum=0.9, nesterov=True)
    net.train()
    losses = []
    for step in range(STEPS):
        opt.param_groups[0]["lr"] = RATE * BATCH / 256 * (1 + math.cos(math.pi * step / STEPS)) / 2
        opt.zero_grad()
        total = 0.0
        for at in range(step * BATCH, (step + 1) * BATCH, GROUP):
            x, y = images[at:at + GROUP], labels[at:at + GROUP]
            loss = F.cross_entropy(net(x), y, ignore_index=-1, reduction="sum") / BATCH
            loss.backward()
            total += loss.item()
        opt.step()
        losses.append(total)
    net.eval()
    tensors = {**first, **{"last/" + k: v for k, v in net.state_dict().items() if v.is_floating_point()},
               "images": images.permute(0, 2, 3, 1), "logits": net(images[:GROUP]).detach()}
    meta = {"losses": losses, "labels": labels.tolist(), "bottleneck": bottleneck, "imagenet": imagenet, "base": base,
            "size": size, "batch": BATCH, "group": GROUP, "classes": CLASSES, "rate": RATE, "steps": STEPS}
    save_file({k: v.float().contiguous() for k, v in tensors.items()}, pathlib.Path(__file__).parent / f"{name}.safetensors",
              {"config": json.dumps(meta)})
    print(name, losses)


write("basic", False, False, 4, 8)
write("bottleneck", True, True, 4, 16)
