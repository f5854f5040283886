package jpeg

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"byol/worker/data/picture"
)

// answer is what Baseline says of a file, and its pixels of the whole.
type answer struct {
	done bool
	err  error
	m    picture.Image
}

// asker asks a Baseline of each kernel set, which has seen other files before.
type asker [2]*Baseline

func newAsker() asker {
	fast, slow := NewBaseline(), NewBaseline()
	slow.k = generic()
	return asker{fast, slow}
}

// ask wants the same answer for the whole and for regions at every edge, and from both kernel sets.
func (both asker) ask(t *testing.T, name string, file []byte) answer {
	t.Helper()
	info, err := picture.Probe(file)
	if err != nil {
		return answer{}
	}
	var a answer
	a.done, a.err = both[0].Decode(file, info, picture.Rect{}, &a.m)
	w, h := info.Width, info.Height
	for _, b := range both {
		if plain, why := b.Examine(file, info); plain != (a.done || a.err != nil) || why != a.err {
			t.Fatalf("%s: decoded: %v, %v; examined by %s: %v, %v", name, a.done, a.err, b.k.name, plain, why)
		}
		for _, r := range []picture.Rect{{W: w, H: h}, {W: 1, H: 1}, {X: w - 1, Y: h - 1, W: 1, H: 1},
			{X: w / 3, Y: h / 2, W: w/2 + 1, H: h/3 + 1}} {
			var part picture.Image
			done, why := b.Decode(file, info, r, &part)
			if done != a.done || why != a.err {
				t.Fatalf("%s: the whole gives %v, %v; region %v by %s %v, %v\nfile %x", name, a.done, a.err, r, b.k.name, done, why,
					file)
			}
			for y := 0; done && y < r.H; y++ {
				want := a.m.Pix[((r.Y+y)*w+r.X)*3:][:3*r.W]
				if got := part.Pix[y*r.W*3:][:3*r.W]; !bytes.Equal(got, want) {
					t.Fatalf("%s: region %v by %s, row %d: %v, want %v", name, r, b.k.name, y, got, want)
				}
			}
		}
	}
	return a
}

// stride is 1, or more where time is short: with the race detector each file takes twenty times as long.
func stride() int {
	if testing.Short() {
		return 23
	}
	return 1
}

// TestSketches: of a good file of every kind Baseline makes pixels, which Go's library has within what it smooths.
func TestSketches(t *testing.T) {
	both := newAsker()
	for _, s := range kinds() {
		file := s.good()
		a := both.ask(t, s.String(), file)
		if !a.done {
			t.Errorf("%v: %v, %v", s, a.done, a.err)
			continue
		}
		info, _ := picture.Probe(file)
		var want picture.Image
		if err := picture.Decode(file, info, picture.Rect{W: s.width, H: s.height}, &want); err != nil {
			t.Errorf("%v: the library says %v", s, err)
			continue
		}
		sum := 0
		for i, v := range a.m.Pix {
			sum += max(int(v)-int(want.Pix[i]), int(want.Pix[i])-int(v))
		}
		if mean := float64(sum) / float64(len(want.Pix)); mean > 12 {
			t.Errorf("%v: %.1f levels from the library's on average", s, mean)
		}
	}
}

// TestKnownDamage: files that a decoder once panicked on, or answered by region.
func TestKnownDamage(t *testing.T) {
	both := newAsker()
	for name, want := range map[string]error{"poison.jpg": errShort, "region-only.jpg": errValues,
		"overflow.jpg": errValues} {
		file, err := os.ReadFile(filepath.Join("testdata", "damaged", name))
		if err != nil {
			t.Fatal(err)
		}
		if a := both.ask(t, name, file); a.err != want {
			t.Errorf("%s: %v, %v; want %v", name, a.done, a.err, want)
		}
		var m picture.Image
		if err := NewDecoder().Decode(file, picture.Limits{}, picture.Rect{W: 1, H: 1}, &m); err != want {
			t.Errorf("%s, by a Decoder: %v, want %v", name, err, want)
		}
	}
}

// TestLongestCodes: the entropy code may end anywhere and be followed by the longest block that there is; nothing reads
// beyond the margin. Zeros are that block in files of long codes.
func TestLongestCodes(t *testing.T) {
	both := newAsker()
	for _, s := range kinds() {
		s.long, s.restart = true, 0
		all := s.spans(calm)[0]
		for cut := 0; cut < len(all); cut += stride() {
			file := s.file([][]byte{all[:cut]})
			if a := both.ask(t, s.String(), file); a.done || cut > 0 && all[cut-1] != 0xff && a.err == nil {
				t.Fatalf("%v, %d of %d bytes of entropy code: %v, %v, want an error", s, cut, len(all), a.done, a.err)
			}
		}
	}
}

// TestTruncated: a file that ends anywhere is never decoded, with the marker of its end put back or not.
func TestTruncated(t *testing.T) {
	both := newAsker()
	for _, s := range kinds() {
		file := s.good()
		begin := len(s.header())
		for n := begin; n < len(file)-2; n += stride() {
			if a := both.ask(t, s.String(), file[:n]); a.done {
				t.Fatalf("%v: decoded from %d of %d bytes", s, n, len(file))
			}
			a := both.ask(t, s.String(), append(slices.Clone(file[:n]), 0xff, 0xd9))
			if a.done {
				t.Fatalf("%v: decoded from %d of %d bytes and an end", s, n, len(file))
			}
			var m picture.Image
			if err := NewDecoder().Decode(file[:n], picture.Limits{}, picture.Rect{W: 1, H: 1}, &m); err == nil {
				t.Fatalf("%v: a Decoder takes %d of %d bytes", s, n, len(file))
			}
		}
	}
}

// TestDamagedBlocks puts one bad block at each place of each kind: it is found wherever the region lies.
func TestDamagedBlocks(t *testing.T) {
	both := newAsker()
	for _, c := range []struct {
		name string
		do   func(c *coefficients)
		want error
	}{
		{"a column beyond 14 bits", func(c *coefficients) { *c = coefficients{2: 250, 3: 250, 9: 250, 10: 250} }, errValues},
		{"a mean beyond 14 bits", func(c *coefficients) { *c = coefficients{600} }, errValues},
		{"products that wrap", func(c *coefficients) { *c = coefficients{1: 910, 2: 910, 3: 910, 4: 910, 5: 910} },
			errValues},
		{"values as large as pictures have", func(c *coefficients) { *c = coefficients{1: 113, 5: -113, 6: 113} }, nil},
	} {
		for _, s := range kinds() {
			for at := 0; at < s.mcus()*s.blocksOfMCU(); at += (stride() + 4) / 5 {
				file := s.file(s.spans(func(i int) coefficients {
					v := coefficients{}
					if i == at {
						c.do(&v)
					}
					return v
				}))
				if a := both.ask(t, s.String(), file); a.err != c.want || a.done != (c.want == nil) {
					t.Fatalf("%v: %s in block %d: %v, %v, want %v", s, c.name, at, a.done, a.err, c.want)
				}
			}
		}
	}
}

// TestMeanOverflows: differences that add up beyond what 16 bits hold are damage, however small each is.
func TestMeanOverflows(t *testing.T) {
	both := newAsker()
	s := sketch{width: 8 * 40, height: 8, quant: 1}
	for _, diff := range []int{2047, -2047} {
		a := both.ask(t, s.String(), s.file(s.spans(func(int) coefficients { return coefficients{diff} })))
		if a.err != errValues {
			t.Errorf("40 differences of %d: %v, %v", diff, a.done, a.err)
		}
	}
}

// TestSpans: bytes left over at the end of a span are no damage; missing spans are; markers out of their order are for
// another decoder.
func TestSpans(t *testing.T) {
	both := newAsker()
	s := sketch{width: 40, height: 24, h: 2, v: 2, restart: 2, quant: 9}
	want := both.ask(t, "good", s.good())
	spans := s.spans(calm)
	extra := slices.Clone(spans)
	for i := range extra {
		extra[i] = append(slices.Clone(extra[i]), 1, 2, 3)
	}
	for _, c := range []struct {
		name string
		file []byte
		done bool
		err  error
	}{
		{"bytes left over", s.file(extra), true, nil},
		{"a span more", s.file(append(slices.Clone(spans), []byte{1, 2})), true, nil},
		{"a span less", s.file(spans[:len(spans)-1]), false, errShort},
		{"no entropy code", s.file([][]byte{nil}), false, nil},
		{"an empty span", s.file(append([][]byte{nil}, spans[1:]...)), false, nil},
		{"a marker out of order", bytes.Replace(s.good(), []byte{0xff, 0xd1}, []byte{0xff, 0xd3}, 1), false, nil},
		{"markers that none announced", sketch{width: 40, height: 24, h: 2, v: 2, quant: 9}.file(spans), false, nil},
		{"another marker", bytes.Replace(s.good(), []byte{0xff, 0xd1}, []byte{0xff, 0xc4}, 1), false, nil},
	} {
		a := both.ask(t, c.name, c.file)
		bad := a.done != c.done || c.err != nil && a.err != c.err
		if bad || c.done && !bytes.Equal(a.m.Pix, want.m.Pix) {
			t.Errorf("%s: %v, %v, want %v, %v and the same pixels", c.name, a.done, a.err, c.done, c.err)
		}
	}
}

// TestRunBeyondBlock: a run of zeros that leads out of its block is damage. Both libraries would take it, each with
// pixels of its own.
func TestRunBeyondBlock(t *testing.T) {
	both := newAsker()
	s := sketch{width: 8, height: 8, quant: 1}
	var w bitWriter
	w.put(11, 4) // a difference of 0
	for range 5 {
		w.put(161, 8) // 16 zeros
	}
	if a := both.ask(t, "run", s.file([][]byte{w.end()})); !errors.Is(a.err, errCode) {
		t.Errorf("80 zeros in a block of 64: %v, %v, want %v", a.done, a.err, errCode)
	}
}

// TestHeadersForOthers: what is not plain is left to the libraries, without a word on whether it is damaged.
func TestHeadersForOthers(t *testing.T) {
	both := newAsker()
	good := sketch{width: 16, height: 16, h: 2, v: 2, quant: 9}.good()
	find := func(marker byte) int { return bytes.Index(good, []byte{0xff, marker}) }
	for _, c := range []struct {
		name  string
		at    int
		value byte
	}{
		{"progressive", find(0xc0) + 1, 0xc2},
		{"12 bits", find(0xc0) + 4, 12},
		{"luma 4 × 1", find(0xc0) + 11, 0x41},
		{"chroma 2 × 1", find(0xc0) + 14, 0x21},
		{"components in another order", find(0xc0) + 10, 3},
		{"a table of 16 bits", find(0xdb) + 4, 0x10},
		{"a table that is not there", find(0xc0) + 12, 2},
		{"a Huffman table of a class that none is", find(0xc4) + 4, 0x20},
		{"a scan of one component", find(0xda) + 4, 1},
		{"a spectral selection", find(0xda) + 12, 10},
	} {
		file := slices.Clone(good)
		if file[c.at] == c.value {
			t.Fatalf("%s: the byte is so already", c.name)
		}
		file[c.at] = c.value
		if a := both.ask(t, c.name, file); a.done || a.err != nil {
			t.Errorf("%s: %v, %v, want neither", c.name, a.done, a.err)
		}
	}
}

// TestChangedBytes changes each byte of a file in turn: whatever it does, the answer is one.
func TestChangedBytes(t *testing.T) {
	both := newAsker()
	done, damaged := 0, 0
	for _, s := range kinds() {
		if s.width == 16 && s.restart > 0 || s.width != 16 && s.restart != 3 {
			continue
		}
		good := s.good()
		for i := 2; i < len(good); i += stride() {
			for _, bit := range []byte{1, 0x80} {
				file := slices.Clone(good)
				file[i] ^= bit
				if info, err := picture.Probe(file); err != nil || info.Width*info.Height > 1<<16 {
					continue
				}
				switch a := both.ask(t, s.String(), file); {
				case a.done:
					done++
				case a.err != nil:
					damaged++
				}
			}
		}
	}
	if !testing.Short() && (done < 500 || damaged < 200) {
		t.Errorf("%d changed files are decoded, %d damaged: too few to mean something", done, damaged)
	}
}
