//go:build unix

package jpeg

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"byol/worker/data/picture"
)

// photographs reads some of the ImageNet sample.
func photographs(b *testing.B) [][]byte {
	b.Helper()
	files, _ := filepath.Glob("../../../../shared/data/imagenet-sample/*/*.JPEG")
	if len(files) < 40 {
		b.Skip("needs ../shared/data/imagenet-sample")
	}
	var out [][]byte
	for i := 0; i < len(files); i += len(files) / 40 {
		data, err := os.ReadFile(files[i])
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

// cpu reports the processor time of an operation, which means something on a busy machine.
func cpu(b *testing.B) (report func()) {
	used := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	from := used()
	return func() { b.ReportMetric(float64(used()-from)/float64(b.N), "cpu-ns/op") }
}

// BenchmarkDecoder decodes photographs.
func BenchmarkDecoder(b *testing.B) {
	files := photographs(b)
	var m picture.Image
	b.ReportAllocs()
	defer cpu(b)()
	for i := 0; b.Loop(); i++ {
		if err := NewDecoder().Decode(files[i%len(files)], picture.Limits{}, picture.Rect{}, &m); err != nil {
			b.Fatal(err)
		}
	}
}
