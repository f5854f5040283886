//go:build unix

package turbo

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"byol/worker/data"
	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// BenchmarkLoader is one operation per image, from the file to both views, and reports processor time.
func BenchmarkLoader(b *testing.B) {
	shared := filepath.Join("..", "..", "..", "..", "shared", "data")
	for _, c := range []struct {
		name, uri, pipeline string
		size                int
		cache               int64
	}{
		{"imagenet", filepath.Join(shared, "imagenet-sample"), "byol", 224, 0},
		{"cifar", filepath.Join(shared, "cifar10", "train-{000000..000009}.tar"), "byol-noblur", 32, 0},
		{"cifar-cached", filepath.Join(shared, "cifar10", "train-{000000..000009}.tar"), "byol-noblur", 32, 1 << 28},
		{"synthetic", "synthetic:20000", "byol-noblur", 32, 0},
	} {
		src, err := source.Open(b.Context(), c.uri, source.Options{})
		if err != nil {
			b.Logf("skipped: %v", err)
			continue
		}
		for _, dec := range []picture.Decoder{jpeg.NewDecoder(), opened(b)} {
			b.Run(c.name+"/"+dec.Name(), func(b *testing.B) { benchLoader(b, src, dec, c.pipeline, c.size, c.cache) })
		}
		src.Close()
	}
}

func benchLoader(b *testing.B, src source.Source, dec picture.Decoder, pipeline string, size int, cache int64) {
	const batch = 50
	a, err := views.ParseAugment(pipeline, size)
	if err != nil {
		b.Fatal(err)
	}
	l := data.NewLoader(src, data.LoaderConfig{Sampler: data.Sampler{Seed: 1, Batch: batch, Len: src.Len()}, Shards: 1,
		ShardEnd: 1, Augment: a, Decoder: dec, Threads: 1, CacheBytes: cache})
	defer l.Close()
	images := func(n int) {
		for ; n > 0; n -= batch {
			got, err := l.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			l.Recycle(got)
		}
	}
	images(4 * batch)
	if cache > 0 {
		images(src.Len())
	}
	before := used(b)
	b.ResetTimer()
	images(b.N)
	cpu := used(b) - before
	b.ReportMetric(float64(cpu)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(1e9*float64(b.N)/float64(cpu), "images/cpu-s")
}

func used(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkDecode decodes whole photographs.
func BenchmarkDecode(b *testing.B) {
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "..", "shared", "data", "imagenet-sample", "*", "*.JPEG"))
	if len(files) == 0 {
		b.Skip("needs ../shared/data/imagenet-sample")
	}
	var encoded [][]byte
	for i := 0; i < len(files); i += 8 {
		f, err := os.ReadFile(files[i])
		if err != nil {
			b.Fatal(err)
		}
		encoded = append(encoded, f)
	}
	for _, dec := range []picture.Decoder{jpeg.NewDecoder(), opened(b)} {
		b.Run(dec.Name(), func(b *testing.B) {
			var m picture.Image
			before := used(b)
			for i := range b.N {
				if err := dec.Decode(encoded[i%len(encoded)], picture.Limits{}, picture.Rect{}, &m); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(used(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
