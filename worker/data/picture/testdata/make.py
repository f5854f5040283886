"""Small pictures in the formats that package picture decodes by libraries, and what Pillow makes of them (NAME.ppm)."""
import numpy as np
from PIL import Image

y, x = np.mgrid[0:19, 0:23]
a = np.stack([x * 11, y * 13, (x * y) % 256], -1).astype("uint8")
colour, grey = Image.fromarray(a), Image.fromarray(a[..., 0])
palette = colour.quantize(16)
smooth = np.stack([x * 11, y * 13, 250 - x * 5 - y * 5], -1).astype("uint8")
soft = Image.fromarray(smooth)
clear = Image.fromarray(np.concatenate([smooth, (255 - 5 * x[..., None]).astype("uint8")], -1))

files = {
    "lossless.webp": (colour, dict(lossless=True)),
    "lossy.webp": (soft, dict(quality=90)),
    "alpha.webp": (clear, dict(quality=90, exact=True)),
    "colour.bmp": (colour, {}), "grey.bmp": (grey, {}), "palette.bmp": (palette, {}),
    "colour.tif": (colour, {}), "grey.tif": (grey, {}), "lzw.tif": (colour, dict(compression="tiff_lzw")),
    "deflate.tif": (colour, dict(compression="tiff_adobe_deflate")),
    "palette.gif": (palette, {}), "grey.pgm": (grey, {}), "colour.ppm": (colour, {}),
}
for name, (image, options) in files.items():
    image.save(name, **options)
    loaded = Image.open(name)
    rgb = loaded.convert("RGBA").convert("RGB") if loaded.mode == "RGBA" else loaded.convert("RGB")
    rgb.save(name + ".ppm")
frames = [Image.fromarray(np.roll(a, k, 1)).quantize(16) for k in range(3)]
frames[0].save("frames.gif", save_all=True, append_images=frames[1:])
Image.open("frames.gif").convert("RGB").save("frames.gif.ppm")
