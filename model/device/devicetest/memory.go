package devicetest

import (
	"fmt"
	"math"

	"byol/model/device"
)

func memoryChecks() []check {
	return []check{
		{"identity", identity},
		{"alloc is zero", allocIsZero},
		{"upload and download", uploadDownload},
		{"host view", hostView},
		{"copy and fill", copyAndFill},
	}
}

func identity(b *bench) error {
	name, stamp := b.dev.Name(), b.dev.Fingerprint()
	if name == "" || stamp == "" {
		return fmt.Errorf("name %q, fingerprint %q: want both set", name, stamp)
	}
	if again := b.dev.Fingerprint(); again != stamp {
		return fmt.Errorf("fingerprint: first %q, then %q", stamp, again)
	}
	return nil
}

func allocIsZero(b *bench) error {
	return cases([]int{0, 1, 7, 1000}, func(n int) error {
		buf, err := b.dev.Alloc(n)
		if err != nil {
			return err
		}
		if buf.Off != 0 || buf.Len != n || buf.IsNil() || buf.Mem.Elements() < n {
			return fmt.Errorf("buffer of %d elements at %d", buf.Len, buf.Off)
		}
		return same("alloc", read(b.dev, buf), make([]float64, n))
	})
}

func uploadDownload(b *bench) error {
	return cases([]int{1, 3, 8, 17, 1000}, func(n int) error {
		b.begin(n)
		values := b.normals(n)
		values[0] = math.Copysign(0, -1)
		single := make([]float32, n)
		for i, v := range values {
			single[i] = float32(v)
		}
		o, p := b.input("by float64", values), b.output("by float32", n)
		b.dev.Upload(p.dev, single)
		back := make([]float32, n)
		b.dev.Download(back, o.dev)
		for i := range back {
			if math.Float32bits(back[i]) != math.Float32bits(single[i]) {
				return fmt.Errorf("download: element %d: got %g, want %g", i, back[i], single[i])
			}
		}
		return first(same("upload", b.got(p), values), same("upload64", b.got(o), values), b.intact())
	})
}

func hostView(b *bench) error {
	dev, ok := b.dev.(device.HostMemory)
	if !ok {
		return nil
	}
	b.begin(1)
	o := b.inout("viewed", b.normals(9))
	if err := b.dev.Sync(); err != nil {
		return err
	}
	view := dev.Host(o.dev)
	if len(view) != 9 {
		return fmt.Errorf("view of 9 elements has %d", len(view))
	}
	seen := make([]float64, 9)
	for i, v := range view {
		seen[i] = float64(v)
	}
	view[4] = 42
	after := b.got(o)
	if after[4] != 42 {
		return fmt.Errorf("written 42 through the view, the device holds %g", after[4])
	}
	return first(same("view", seen, o.values), b.intact())
}

func copyAndFill(b *bench) error {
	return cases([]int{1, 7, 8, 33, 1000}, func(n int) error {
		b.begin(n)
		src, dst, fill := b.input("source", b.normals(n+2)), b.output("copy", n), b.output("fill", n)
		b.dev.Copy(dst.dev, src.dev)
		b.dev.Fill(fill.dev, 0.1)
		want := make([]float64, n)
		for i := range want {
			want[i] = float64(float32(0.1))
		}
		return first(same("copy", b.got(dst), src.values[:n]), same("fill", b.got(fill), want), b.intact())
	})
}
