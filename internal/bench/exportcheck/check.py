"""What PyTorch, torchvision and onnxruntime make of encoders that byol exported: check.py ENCODER CASES

ENCODER is python/byol/encoder.py, which is run as it stands there. CASES is what exportcheck wrote. Each case is a folder
with encoder.safetensors, encoder.onnx, and features.safetensors: images as byol prepared them and the features it gave of
them. Compared are
  - the prepared images, from the photos, by the numbers of the metadata;
  - the features of those, by the module's network: cosine above 0.999;
  - the features of byol's own images, by the module's network, by torchvision's where it has the network (all its names
    must be there, strictly), and by onnxruntime: within 1e-5 of the length of byol's.
"""
import importlib.util
import pathlib
import sys

import numpy as np
import onnxruntime
import torch
import torchvision
from safetensors.torch import load_file

BOUND = 1e-5


def module(path):
    """The module in a file, without the package it is of."""
    spec = importlib.util.spec_from_file_location("encoder", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def apart(got, want):
    """The largest distance of a row, in units of its length."""
    return float((np.linalg.norm(got - want, axis=1) / np.linalg.norm(want, axis=1)).max())


def check(folder, photos, byol):
    ours = load_file(folder / "features.safetensors")
    images, features = ours["images"].permute(0, 3, 1, 2).contiguous(), ours["features"].numpy()
    loaded, prepare = byol.load_encoder(folder / "encoder.safetensors")
    session = onnxruntime.InferenceSession(str(folder / "encoder.onnx"), providers=["CPUExecutionProvider"])
    encoder = byol.Encoder(session.get_modelmeta().custom_metadata_map)
    encoder.load_state_dict(load_file(folder / "encoder.safetensors"))
    nets = {"module": encoder.eval()}
    if isinstance(loaded, torchvision.models.ResNet):
        nets["torchvision"] = loaded
    with torch.no_grad():
        prepared = torch.stack([prepare(p) for p in photos])
        cosine = float(torch.cosine_similarity(encoder(prepared), ours["features"]).min())
        off = {name: apart(net(images).numpy(), features) for name, net in nets.items()}
    off["onnxruntime"] = apart(session.run(None, {"images": images.numpy()})[0], features)
    farthest = float((prepared - images).abs().max())
    good = cosine > 0.999 and all(x < BOUND for x in off.values())
    print(f"{'ok' if good else 'OFF':3} {folder.name:55} photos: images {farthest:.1e}, cosine {cosine:.6f}   same images: "
          + ", ".join(f"{name} {x:.1e}" for name, x in off.items()), flush=True)
    return good


def main(path, cases):
    torch.set_num_threads(2)
    cases = pathlib.Path(cases)
    byol = module(path)
    photos = (cases / "photos.txt").read_text().splitlines()
    results = [check(folder, photos, byol) for folder in sorted(p for p in cases.iterdir() if p.is_dir()) if
               (folder / "features.safetensors").exists()]
    print(f"{sum(results)} of {len(results)} encoders agree, on {len(photos)} photos; torch {torch.__version__}, "
          f"torchvision {torchvision.__version__}, onnxruntime {onnxruntime.__version__}")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
