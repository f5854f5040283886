"""Features of an exported encoder by torchvision: DIR has encoder.safetensors, architecture and pixels.f32 (NHWC).

python3 torchvision_features.py DIR writes DIR/features.f32.
"""

import json
import os
import sys

import numpy as np
import torch
import torchvision

here = sys.argv[1]


def tensors(path):
    raw = open(path, "rb").read()
    n = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    types = {"F32": "<f4", "I64": "<i8"}
    for name, t in header.items():
        a, b = t["data_offsets"]
        yield name, torch.from_numpy(
            np.frombuffer(raw[8 + n + a:8 + n + b], types[t["dtype"]]).reshape(t["shape"]).copy())


arch, side = open(os.path.join(here, "architecture")).read().split()
net = getattr(torchvision.models, arch)()
net.fc = torch.nn.Identity()
net.load_state_dict(dict(tensors(os.path.join(here, "encoder.safetensors"))))  # strict
net.eval()
x = np.fromfile(os.path.join(here, "pixels.f32"), "<f4").reshape(-1, int(side), int(side), 3)
with torch.no_grad():
    out = torch.cat([net(torch.from_numpy(part.transpose(0, 3, 1, 2).copy())) for part in np.array_split(x, max(1, len(x) // 10))])
out.numpy().astype("<f4").tofile(os.path.join(here, "features.f32"))
