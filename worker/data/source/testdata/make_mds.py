"""Writes testdata/mds: five pictures by the writer of the package mosaicml-streaming (0.13.0, Pillow 13.0)."""
import io

import numpy
from PIL import Image
from streaming import MDSWriter


def picture(i):
    pixels = numpy.zeros((6, 8, 3), numpy.uint8)
    pixels[..., 0] = 20 * i
    pixels[:, :4, 1] = 200
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=60)
    return Image.open(file)


columns = {"image": "jpeg", "label": "int", "caption": "str"}
with MDSWriter(out="mds", columns=columns, size_limit=1600, hashes=["sha1"]) as writer:
    for i, label in enumerate([2, 0, 1, 2, 1]):
        writer.write({"image": picture(i), "label": label, "caption": f"picture {i}"})
