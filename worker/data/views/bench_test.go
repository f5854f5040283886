//go:build unix

package views

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"byol/worker/data/jpeg"
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

// BenchmarkViews renders view 1 and view 2 of a decoded photograph, stage by stage.
func BenchmarkViews(b *testing.B) {
	for _, c := range []struct {
		name          string
		width, height int
		pipeline      string
		size          int
	}{{"photo224", 500, 375, "byol", 224}, {"cifar32", 32, 32, "byol-noblur", 32}} {
		a, err := ParseAugment(c.pipeline, c.size)
		if err != nil {
			b.Fatal(err)
		}
		var m picture.Image
		region := picture.Rect{W: c.width, H: c.height}
		if err := jpeg.NewDecoder().Decode(photographs(b)[0], picture.Limits{}, region, &m); err != nil {
			b.Fatal(err)
		}
		r, out := NewRenderer(&a), make([]float32, 3*c.size*c.size)
		for view := 1; view <= 2; view++ {
			b.Run(c.name+"/view"+string(rune('0'+view)), func(b *testing.B) {
				defer cpu(b)()
				for i := 0; b.Loop(); i++ {
					v := a.Draw(Identity{Image: i, View: view}, c.width, c.height)
					r.Render(&m, &v, out)
				}
			})
		}
		v := View{Crop: picture.Rect{W: c.width * 3 / 4, H: c.height * 3 / 4}}
		for _, s := range []struct {
			name string
			do   func()
		}{
			{"resize", func() { r.resize(&m, v.Crop, false) }}, {"brightness", func() { r.brightness(0.01) }},
			{"contrast", func() { r.contrast(1.01) }}, {"saturation", func() { r.saturation(1.01) }},
			{"hue", func() { r.hue(0.05) }}, {"grayscale", func() { r.grayscale() }}, {"blur", func() { r.blur(1) }},
			{"blur2", func() { r.blur(2) }},
			{"solarize", func() { r.solarize() }}, {"normalise", func() { r.normalise(out) }},
		} {
			b.Run(c.name+"/"+s.name, func(b *testing.B) {
				r.resize(&m, v.Crop, false)
				defer cpu(b)()
				for b.Loop() {
					s.do()
				}
			})
		}
	}
}
