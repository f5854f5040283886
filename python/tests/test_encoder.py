"""load_encoder: torchvision's network where it has it, ours elsewhere, equal where both exist, and files that are none.

What the features are worth against byol's own is compared by `make check-export`.
"""

import json
import tempfile
import unittest
from pathlib import Path

try:
    import torch
    import torchvision
    from PIL import Image
    from safetensors.torch import save_file

    from byol import encoder as module
    from byol import load_encoder
except ImportError as e:
    raise unittest.SkipTest(f"torch, torchvision, safetensors and Pillow aren't all there: {e}") from e

META = {"byol_encoder": "1", "architecture": "resnet18", "stem": "imagenet", "padding": "symmetric", "width": "1",
        "crop_ratio": "7/8", "image_size": "32", "bicubic_a": "-0.5", "fraction_steps": "0",
        "mean": json.dumps([0.485, 0.456, 0.406]), "std": json.dumps([0.229, 0.224, 0.225])}


class EncoderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name, "encoder.safetensors")
        torch.manual_seed(1)

    def write(self, **other):
        meta = {**META, **other}
        net = module.Encoder(meta)
        save_file({k: v for k, v in net.state_dict().items() if "num_batches" not in k}, self.path, metadata=meta)
        return net.eval()

    def test_torchvision(self):
        ours = self.write()
        net, prepare = load_encoder(self.path)
        self.assertIsInstance(net, torchvision.models.ResNet)
        images = prepare(Image.new("RGB", (50, 40), (200, 10, 90)))[None]
        self.assertEqual(tuple(images.shape), (1, 3, 32, 32))
        with torch.no_grad():
            self.assertTrue(torch.allclose(net(images), ours(images), atol=1e-5))
            self.assertEqual(tuple(net(images).shape), (1, 512))

    def test_ours(self):
        for other in ({"architecture": "tiny", "stem": "cifar"}, {"stem": "cifar"}, {"padding": "same"}):
            with self.subTest(other):
                ours = self.write(**other)
                net, _ = load_encoder(self.path)
                self.assertIsInstance(net, module.Encoder)
                images = torch.rand(2, 3, 32, 32)
                with torch.no_grad():
                    self.assertTrue(torch.equal(net(images), ours(images)))

    def test_no_encoder(self):
        with self.assertRaises(FileNotFoundError):
            load_encoder(self.path)
        self.path.write_bytes(b"no tensors")
        with self.assertRaises(ValueError):
            load_encoder(self.path)
        save_file({"fc.weight": torch.zeros(1)}, self.path)
        with self.assertRaises(ValueError):
            load_encoder(self.path)
