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
		{"fill", fill},
		{"scopes", scopes},
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

func fill(b *bench) error {
	return cases([]int{1, 7, 8, 33, 1000}, func(n int) error {
		b.begin(n)
		filled := b.output("filled", n)
		b.dev.Fill(filled.dev, 0.1)
		want := make([]float64, n)
		for i := range want {
			want[i] = float64(float32(0.1))
		}
		return first(same("filled", b.got(filled), want), b.intact())
	})
}

// scopes: a scope computes what the device does, on buffers of both; a closed one has given back what it took, and its
// buffers and plans refuse to be used.
func scopes(b *bench) error {
	dev, ok := b.dev.(device.Scoper)
	if !ok {
		return nil
	}
	b.begin(1)
	s := device.ConvShape{N: 2, H: 5, W: 5, C: 16, OH: 5, OW: 5, K: 16, KH: 3, KW: 3, Stride: 1, PadTop: 1, PadLeft: 1}
	x, w := b.input("x", b.normals(2*inputs(s))), b.input("w", b.normals(9*s.C*s.K))
	y, again := b.output("y", 2*outputs(s)), b.output("y of a scope", 2*outputs(s))
	plan, err := b.dev.Conv(s)
	if err != nil {
		return err
	}
	plan.Pack(w.dev)
	plan.Forward(x.dev, y.dev, 2)

	other := dev.Scope() // stays open beside the one that is closed
	kept, err := other.Alloc(10)
	if err != nil {
		return err
	}
	other.Fill(kept, 7)
	before := dev.Allocated()
	for range 3 {
		if err := b.scope(dev.Scope(), s, w, x, again); err != nil {
			return err
		}
		if after := dev.Allocated(); after != before {
			return fmt.Errorf("%d bytes held before a scope, %d after it", before, after)
		}
	}
	sevens := make([]float64, 10)
	for i := range sevens {
		sevens[i] = 7
	}
	return first(same("y of a scope", b.got(again), b.got(y)), same("memory of another scope", read(b.dev, kept), sevens),
		other.Close(), b.intact())
}

// scope computes y in a scope, from a copy of x in its memory, and closes it.
func (b *bench) scope(dev device.Device, s device.ConvShape, w, x, y *operand) error {
	copied, err := dev.Alloc(x.dev.Len)
	if err != nil {
		return err
	}
	plan, err := dev.Conv(s)
	if err != nil {
		return err
	}
	if taken := b.dev.(device.Scoper).Allocated(); taken < 4*copied.Len {
		return fmt.Errorf("%d bytes held with %d elements in a scope", taken, copied.Len)
	}
	dev.Upload64(copied, x.values)
	plan.Pack(w.dev)
	plan.Forward(copied, y.dev, 2)
	if err := dev.Close(); err != nil {
		return err
	}
	return first(
		refused("a buffer of a closed scope", func() { b.dev.Fill(copied, 1) }),
		refused("a plan of a closed scope", func() { plan.Forward(x.dev, y.dev, 2) }),
	)
}

// refused wants use to panic.
func refused(what string, use func()) (err error) {
	defer func() {
		if recover() == nil {
			err = fmt.Errorf("%s can be used", what)
		}
	}()
	use()
	return nil
}
