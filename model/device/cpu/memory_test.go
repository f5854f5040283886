package cpu

import (
	"math"
	"slices"
	"testing"
	"unsafe"

	"pgregory.net/rapid"

	"byol/model/device"
)

// scope is a scope of a device and what it has allocated.
type scope struct {
	device.Device
	held []device.Buffer
}

// apart reports an allocation of which another one has overwritten an end.
func apart(t *rapid.T, d *Device, open []*scope) {
	var all []device.Buffer
	for _, s := range open {
		all = append(all, s.held...)
	}
	for i, b := range all {
		d.Fill(b, float32(i+1))
	}
	for i, b := range all {
		if x, want := d.Host(b), float32(i+1); x[0] != want || x[len(x)-1] != want {
			t.Fatalf("allocation %g of %d elements holds %g … %g: it overlaps another", want, len(x), x[0], x[len(x)-1])
		}
	}
}

// TestMemoryProperty allocates in a device and in scopes of it, which open and close in any order. What is handed out
// is zero, begins at a cache line and overlaps nothing that is still held; when all scopes are closed the device holds
// what it held without them.
func TestMemoryProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, err := New(Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		before := d.Allocated()
		var open []*scope
		for range rapid.IntRange(1, 20).Draw(t, "operations") {
			switch what := rapid.IntRange(0, 5).Draw(t, "what"); {
			case what == 0 || len(open) == 0:
				open = append(open, &scope{Device: d.Scope()})
			case what == 1:
				i := rapid.IntRange(0, len(open)-1).Draw(t, "closed")
				if err := open[i].Close(); err != nil {
					t.Fatal(err)
				}
				for _, b := range open[i].held {
					if b.Mem.Elements() != 0 {
						t.Fatalf("%d elements left of a closed scope", b.Mem.Elements())
					}
				}
				open = slices.Delete(open, i, i+1)
			default:
				s := open[rapid.IntRange(0, len(open)-1).Draw(t, "scope")]
				n := rapid.SampledFrom([]int{1, 15, 1000, slabBytes / 8, slabBytes / 4, slabBytes}).Draw(t, "elements")
				b, err := s.Alloc(n)
				if err != nil {
					t.Fatal(err)
				}
				x := d.Host(b)
				if len(x) != n || slices.ContainsFunc(x, func(v float32) bool { return v != 0 }) {
					t.Fatalf("%d elements asked for: got %d, or not all zero", n, len(x))
				}
				if uintptr(unsafe.Pointer(&x[0]))%alignment != 0 {
					t.Fatalf("%d elements begin at %p", n, &x[0])
				}
				s.held = append(s.held, b)
			}
			apart(t, d, open)
		}
		for _, s := range open {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if after := d.Allocated(); after != before {
			t.Fatalf("%d bytes held without scopes, %d after them", before, after)
		}
	})
}

// TestScratchIsAsLargeAsTheLargest: scratch memory that was outgrown goes back, whatever came before.
func TestScratchIsAsLargeAsTheLargest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := arena{apart: true}
		defer func() {
			if err := a.close(); err != nil || a.bytes() != 0 {
				t.Fatalf("%d bytes left after close: %v", a.bytes(), err)
			}
		}()
		var x []float32
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, slabBytes), 1, 8).Draw(t, "sizes") {
			most := max(len(x), n)
			grown, err := a.grow(x, n)
			if err != nil {
				t.Fatal(err)
			}
			if x = grown; len(x) != most || a.bytes() != roundUp(4*most+slack, pageBytes) {
				t.Fatalf("grown to %d: %d elements in %d bytes, want %d in %d", n, len(x), a.bytes(), most,
					roundUp(4*most+slack, pageBytes))
			}
			x[n-1] = 1 // it can be written
		}
	})
}

func TestClosedTwice(t *testing.T) {
	d, err := New(Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	s := d.Scope()
	b, err := s.Alloc(10)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if d.Allocated() != 0 || b.Mem.Elements() != 0 {
		t.Errorf("a closed device holds %d bytes, its scope %d elements", d.Allocated(), b.Mem.Elements())
	}
}

// TestRowsAgainstPlainLoops compares operations on rows with loops in float64, at any shape, on 1 to 3 threads and both
// kernel sets. A sum of n terms may be off by n·2⁻²⁴ of the sum of their absolute values, and each term by the smallest
// normal number, below which a product loses its digits.
func TestRowsAgainstPlainLoops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opts := Options{Threads: rapid.IntRange(1, 3).Draw(t, "threads"), ISA: rapid.SampledFrom(ISAs()).Draw(t, "isa")}
		d, err := New(opts)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		rows, c := rapid.IntRange(1, 300).Draw(t, "rows"), rapid.IntRange(1, 70).Draw(t, "columns")
		values := rapid.SliceOfN(rapid.Float32Range(-8, 8), rows*c, rows*c).Draw(t, "x")
		x, err1 := d.Alloc(rows * c)
		v, err2 := d.Alloc(c)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		d.Upload(x, values)
		sums := make([]float64, 2*c)
		d.BatchNormSums(x, rows, c, sums)
		d.BiasGrad(x, v, rows, c)
		bias := slices.Clone(d.Host(v))
		d.AddBias(x, v, rows, c)
		unit := float64(rows+2) * 0x1p-24
		for j := range c {
			sum, size, square := 0.0, 0.0, 0.0
			for r := range rows {
				f := float64(values[r*c+j])
				sum, size, square = sum+f, size+math.Abs(f), square+f*f
			}
			for _, q := range []struct {
				name             string
				got, want, bound float64
			}{
				{"Σx", sums[j], sum, unit * size}, {"Σx²", sums[c+j], square, unit * square},
				{"bias gradient", float64(bias[j]), sum, unit * size},
			} {
				if math.Abs(q.got-q.want) > q.bound+float64(rows)*0x1p-126 {
					t.Fatalf("%d×%d, column %d, %s: got %g, want %g ± %g", rows, c, j, q.name, q.got, q.want, q.bound)
				}
			}
		}
		for i, got := range d.Host(x) {
			if want := values[i] + bias[i%c]; got != want {
				t.Fatalf("%d×%d, element %d with its bias: got %g, want %g", rows, c, i, got, want)
			}
		}
	})
}
