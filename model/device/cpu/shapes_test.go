package cpu

import "byol/model/device"

// shape is a convolution of a network and how often the network has it.
type shape struct {
	net   string
	count int
	s     device.ConvShape
}

// benchShapes are the convolutions of three networks, with the images per call that a shard has.
func benchShapes() []shape {
	r20 := func(c, size, k, kernel, stride, count int) shape {
		return shape{"resnet20-cifar", count, same(32, c, size, k, kernel, stride)}
	}
	r18 := func(c, size, k, kernel, stride, count int) shape {
		return shape{"resnet18-cifar", count, same(32, c, size, k, kernel, stride)}
	}
	r50 := func(c, size, k, kernel, stride, count int) shape {
		return shape{"resnet50", count, same(8, c, size, k, kernel, stride)}
	}
	head := func(c, k, rows int) shape { return shape{"heads", 1, same(rows, c, 1, k, 1, 1)} }
	return []shape{
		r20(3, 32, 16, 3, 1, 1), r20(16, 32, 16, 3, 1, 6), r20(16, 32, 32, 3, 2, 1), r20(16, 32, 32, 1, 2, 1),
		r20(32, 16, 32, 3, 1, 5), r20(32, 16, 64, 3, 2, 1), r20(32, 16, 64, 1, 2, 1), r20(64, 8, 64, 3, 1, 5),

		r18(3, 32, 64, 3, 1, 1), r18(64, 32, 64, 3, 1, 4), r18(64, 32, 128, 3, 2, 1), r18(64, 32, 128, 1, 2, 1),
		r18(128, 16, 128, 3, 1, 3), r18(128, 16, 256, 3, 2, 1), r18(128, 16, 256, 1, 2, 1), r18(256, 8, 256, 3, 1, 3),
		r18(256, 8, 512, 3, 2, 1), r18(256, 8, 512, 1, 2, 1), r18(512, 4, 512, 3, 1, 3),

		r50(3, 224, 64, 7, 2, 1), r50(64, 56, 64, 1, 1, 1), r50(256, 56, 64, 1, 1, 2), r50(64, 56, 64, 3, 1, 3),
		r50(64, 56, 256, 1, 1, 4), r50(256, 56, 128, 1, 1, 1), r50(128, 56, 128, 3, 2, 1), r50(512, 28, 128, 1, 1, 3),
		r50(128, 28, 128, 3, 1, 3), r50(128, 28, 512, 1, 1, 4), r50(256, 56, 512, 1, 2, 1), r50(512, 28, 256, 1, 1, 1),
		r50(256, 28, 256, 3, 2, 1), r50(1024, 14, 256, 1, 1, 5), r50(256, 14, 256, 3, 1, 5), r50(256, 14, 1024, 1, 1, 6),
		r50(512, 28, 1024, 1, 2, 1), r50(1024, 14, 512, 1, 1, 1), r50(512, 14, 512, 3, 2, 1), r50(2048, 7, 512, 1, 1, 2),
		r50(512, 7, 512, 3, 1, 2), r50(512, 7, 2048, 1, 1, 3), r50(1024, 14, 2048, 1, 2, 1),

		head(512, 4096, 256), head(4096, 256, 256), head(512, 4096, 16), head(4096, 256, 16), head(64, 10, 128),
	}
}
