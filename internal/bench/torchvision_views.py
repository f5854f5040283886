"""Images to BYOL's two augmented views by torchvision, timed: the peer of `make bench-data`.

Prints one line of JSON: images per second (both views) of one thread. The transforms are those with which BYOL is
usually trained in PyTorch, in one of three ways: "pillow" is Pillow throughout, with Pillow's own blur, which is the
fastest there is for its images; "defaults" has torchvision's GaussianBlur instead; "tensors" decodes to a tensor of
bytes and goes on with torchvision's operations on tensors.
"""
import argparse
import glob
import io
import json
import os
import random
import tarfile
import time

import PIL
import torch
import torchvision
from PIL import Image, ImageFilter
from torchvision import transforms as T


class Blur:
    def __call__(self, image):
        return image.filter(ImageFilter.GaussianBlur(random.uniform(0.1, 2.0)))


def pipelines(size, way):
    blur = Blur() if way == "pillow" else T.GaussianBlur(size // 10 | 1, (0.1, 2.0))
    tensor = T.ConvertImageDtype(torch.float32) if way == "tensors" else T.ToTensor()

    def view(blur_p, solarize_p):
        steps = [
            T.RandomResizedCrop(size, scale=(0.08, 1), interpolation=T.InterpolationMode.BICUBIC,
                                antialias=way != "tensors"),
            T.RandomHorizontalFlip(),
            T.RandomApply([T.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
            T.RandomGrayscale(0.2),
        ]
        if size > 64:
            steps.append(T.RandomApply([blur], p=blur_p))
        if solarize_p > 0:
            steps.append(T.RandomSolarize(128, p=solarize_p))
        steps += [tensor, T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
        return T.Compose(steps)

    return view(1.0, 0.0), view(0.1, 0.2)


def decoder(way):
    """Returns a function from bytes to an RGB image, Pillow's or a tensor."""
    if way != "tensors":
        return lambda data: Image.open(io.BytesIO(data)).convert("RGB")
    from torchvision import io as tio
    mode = tio.ImageReadMode.RGB
    return lambda data: tio.decode_image(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode)


def spread(list, n):
    """n of them, evenly: the same that byol takes."""
    n = min(n, len(list))
    return [list[i * len(list) // n] for i in range(n)]


def encoded(path, n):
    if os.path.isdir(path):
        names = sorted(glob.glob(os.path.join(path, "*", "*")))
        return [open(name, "rb").read() for name in spread(names, n)]
    with tarfile.open(path) as tar:
        members = [m for m in tar if m.name.lower().endswith((".jpg", ".jpeg", ".png"))]
        return [tar.extractfile(m).read() for m in spread(members, n)]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--data", required=True, help="folder of folders of images, or a tar")
    ap.add_argument("--size", type=int, default=224)
    ap.add_argument("--images", type=int, default=400)
    ap.add_argument("--way", default="pillow", choices=["pillow", "defaults", "tensors"])
    a = ap.parse_args()
    torch.set_num_threads(1)
    random.seed(0)
    torch.manual_seed(0)
    first, second = pipelines(a.size, a.way)
    decode = decoder(a.way)
    files = encoded(a.data, a.images)

    def views(data):
        image = decode(data)
        return first(image), second(image)

    for data in files[:4]:
        views(data)
    start, cpu = time.perf_counter(), time.process_time()
    for data in files:
        v1, v2 = views(data)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    assert v1.shape == v2.shape == (3, a.size, a.size)
    about = "torchvision %s, Pillow %s" % (torchvision.__version__, PIL.__version__)
    print(json.dumps({"images_per_second": len(files) / seconds, "images_per_cpu_second": len(files) / cpu_seconds,
                      "about": about}))


if __name__ == "__main__":
    main()
