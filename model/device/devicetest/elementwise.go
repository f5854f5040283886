package devicetest

import "byol/model/device"

func elementwiseChecks() []check {
	return []check{
		{"add masked", addMasked},
		{"add bias", addBias},
		{"bias gradient", biasGrad},
	}
}

// addition is a form of AddMasked: which operands are there, and where the result goes.
type addition struct {
	N    int
	B, Y bool
	Out  string // "new", "a" or "b"
}

func additions() []addition {
	var out []addition
	for _, n := range []int{1, 7, 8, 33, 1000} {
		for _, y := range []bool{false, true} {
			out = append(out,
				addition{n, false, y, "new"}, addition{n, true, y, "new"}, addition{n, false, y, "a"},
				addition{n, true, y, "a"}, addition{n, true, y, "b"})
		}
	}
	return out
}

// One rounding, so the value is exact, the sign of zero apart. (Rounding the float64 sum to float32 is harmless: 53
// bits are at least 2·24+2.)
func addMasked(b *bench) error {
	return cases(additions(), func(f addition) error {
		b.begin(f.N)
		x, y, z := b.input("a", b.normals(f.N)), b.input("b", b.normals(f.N)), b.input("y", b.normals(f.N))
		out := map[string]*operand{"a": x, "b": y}[f.Out]
		if out == nil {
			out = b.output("out", f.N)
		}
		out.written = true
		second, mask := y.dev, z.dev
		want := make([]float64, f.N)
		for i := range want {
			if want[i] = x.values[i]; f.B {
				want[i] = b.round(x.values[i] + y.values[i])
			}
			if f.Y && z.values[i] <= 0 {
				want[i] = 0
			}
		}
		if !f.B {
			second = device.Buffer{}
		}
		if !f.Y {
			mask = device.Buffer{}
		}
		b.dev.AddMasked(x.dev, second, mask, out.dev, f.N)
		return first(within("out", b.got(out), want, make([]float64, f.N)), b.intact())
	})
}

// One rounding: the value is exact.
func addBias(b *bench) error {
	return cases(matrices(), func(m matrix) error {
		b.begin(m.Rows, m.C)
		y, bias := b.inout("y", b.normals(m.Rows*m.C)), b.input("bias", b.normals(m.C))
		b.dev.AddBias(y.dev, bias.dev, m.Rows, m.C)
		want := make([]float64, len(y.values))
		for i, v := range y.values {
			want[i] = b.round(v + bias.values[i%m.C])
		}
		return first(within("y", b.got(y), want, make([]float64, len(want))), b.intact())
	})
}

// A sum of rows numbers, rounded once more where it is made in float64: γ(rows+1)·Σ|dy|.
func biasGrad(b *bench) error {
	return cases(matrices(), func(m matrix) error {
		b.begin(m.Rows, m.C)
		dy, db, again := b.input("dy", b.normals(m.Rows*m.C)), b.output("db", m.C), b.output("db elsewhere", m.C)
		b.dev.BiasGrad(dy.dev, db.dev, m.Rows, m.C)
		b.dev.BiasGrad(b.moved(dy).dev, again.dev, m.Rows, m.C)
		b.ref.BiasGrad(dy.ref, db.ref, m.Rows, m.C)
		sums := b.oracle(make([]float64, m.C))
		b.ref.BiasGrad(b.oracle(absolute(dy.values)), sums, m.Rows, m.C)
		bound := scaled(b.gamma(m.Rows+1), read(b.ref, sums))
		return first(b.within(db, bound), same("db elsewhere", b.got(again), b.got(db)), b.intact())
	})
}
