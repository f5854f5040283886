package main

var dataNotes = []string{
	"Encoded images to both augmented, normalised views, by one thread on one core. All sides see the same images " +
		"and find their bytes in the operating system's cache. \"speed\" is by the clock, \"per core\" by the processor " +
		"time used.",
	"torchvision: an image is decoded once, then both views are cropped (bicubic), flipped, jittered, blurred, " +
		"solarised, made tensors and normalised, with byol's probabilities and strengths. Its fastest way is taken, " +
		"found beforehand: \"pillow\" is Pillow throughout, with Pillow's own blur; \"defaults\" the same with " +
		"torchvision's GaussianBlur; \"tensors\" torchvision's operations on tensors of bytes. It works in bytes " +
		"between operations, and where it makes an image smaller by Pillow it also filters (antialias); byol works in " +
		"float32 and, as the reference does, doesn't filter.",
	"\"torchvision, newest\" is PyPI's with PyPI's Pillow (`make bench-peers-newest`); the other is Debian's.",
	"\"byol\" is the loader of a worker. \"byol, no shortcuts\" takes each view for itself: read, decode all of the " +
		"image by the same decoder, crop, resize, augment.",
}

func dataCases() []comparison {
	perCore := []figure{imagesPerSecond,
		{key: "images_per_cpu_second", title: "per core", unit: "images/s of CPU", scale: 1}}
	var list []comparison
	for _, c := range []struct{ name, title, uri, need, size, augment, images string }{
		{"imagenet-224", "ImageNet photos to two views of 224²", "{shared}/data/imagenet-sample",
			"file:{shared}/data/imagenet-sample", "224", "byol", "{400:40}"},
		{"cifar-32", "CIFAR-10 in tars to two views of 32²", "{shared}/data/cifar10/train-000000.tar",
			"file:{shared}/data/cifar10/train-000000.tar", "32", "byol-noblur", "{2000:500}"},
	} {
		ours := []string{"{self}", "views", "-data", c.uri, "-size", c.size, "-augment", c.augment, "-images", c.images}
		plain := append(ours[:len(ours):len(ours)], "-plain")
		peer := side{name: "torchvision", peer: true, needs: []string{c.need, "python:torchvision,PIL"},
			argv: []string{"{python}", "{scripts}/torchvision_views.py", "--data", c.uri, "--size", c.size, "--images",
				c.images},
			variants: [][]string{{"--way", "pillow"}, {"--way", "defaults"}, {"--way", "tensors"}}}
		newest := peer
		newest.name, newest.needs = "torchvision, newest", []string{c.need, "newest:torchvision,PIL"}
		list = append(list, comparison{name: c.name, title: c.title, figures: perCore, sides: []side{
			{name: "byol", argv: ours, needs: []string{c.need}},
			peer, newest,
			{name: "byol, no shortcuts", peer: true, argv: plain, needs: []string{c.need}},
		}})
	}
	return list
}
