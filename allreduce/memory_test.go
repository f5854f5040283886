package allreduce

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestMemoryHandsOutAgain draws vectors of a few sizes in any order and gives them back in any order. What is held is
// zero at first and overlaps nothing, and the memory taken is that of the most vectors of each size at one time.
func TestMemoryHandsOutAgain(t *testing.T) {
	sizes := []int{1, 1000, 5000}
	rapid.Check(t, func(t *rapid.T) {
		m, err := NewMemory()
		if err != nil {
			t.Skip(err)
		}
		defer m.Close()
		held, most := map[int][][]float32{}, map[int]int{}
		for range rapid.IntRange(1, 30).Draw(t, "operations") {
			n := rapid.SampledFrom(sizes).Draw(t, "size")
			if list := held[n]; len(list) > 0 && rapid.Bool().Draw(t, "give back") {
				i := rapid.IntRange(0, len(list)-1).Draw(t, "which")
				m.Free(list[i])
				held[n] = slices.Delete(list, i, i+1)
				continue
			}
			x, err := m.Floats(n)
			if err != nil {
				t.Fatal(err)
			}
			if len(x) != n || slices.ContainsFunc(x, func(v float32) bool { return v != 0 }) {
				t.Fatalf("%d elements asked for, got %d, all zero: %v", n, len(x), false)
			}
			held[n] = append(held[n], x)
			most[n] = max(most[n], len(held[n]))
			for size, list := range held {
				for i, x := range list {
					for j := range x {
						x[j] = float32(100*size + i)
					}
				}
			}
			for size, list := range held {
				for i, x := range list {
					if at := slices.IndexFunc(x, func(v float32) bool { return v != float32(100*size+i) }); at >= 0 {
						t.Fatalf("element %d of vector %d of %d is another vector's", at, i, size)
					}
				}
			}
		}
		want := memoryPage
		for n, vectors := range most {
			want += vectors * memorySize(n)
		}
		if m.used != want {
			t.Fatalf("%d bytes taken for at most %v vectors, want %d", m.used, most, want)
		}
	})
}

func TestMemoryTakesBackItsOwn(t *testing.T) {
	m, err := NewMemory()
	if err != nil {
		t.Skip(err)
	}
	defer m.Close()
	x, err := m.Floats(10)
	if err != nil {
		t.Fatal(err)
	}
	m.Free(nil)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("memory of elsewhere was taken back")
			}
		}()
		m.Free(make([]float32, 10))
	}()
	m.Free(x)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	m.Free(x) // of a closed memory: nothing to do
	if _, err := m.Floats(10); err == nil {
		t.Error("a closed memory hands out elements")
	}
}
