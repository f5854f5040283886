package source

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestExpandPattern(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"a.tar", "a.tar"},
		{"a.tar, b.tar", "a.tar b.tar"},
		{"t-{000000..000002}.tar", "t-000000.tar t-000001.tar t-000002.tar"},
		{"t-{8..11}", "t-8 t-9 t-10 t-11"},
		{"t-{08..11}", "t-08 t-09 t-10 t-11"},
		{"t-{0..010}", "t-000 t-001 t-002 t-003 t-004 t-005 t-006 t-007 t-008 t-009 t-010"},
		{"{a,b}-{0..1}", "a-0 a-1 b-0 b-1"},
		{"x{a,b{1,2}}", "xa xb1 xb2"},
		{"x{,y}.tar", "x.tar xy.tar"},
		{"{a,b}.tar,c.tar", "a.tar b.tar c.tar"},
		{"x{{1..2},z}", "x1 x2 xz"},
	} {
		got, err := expandPattern(c.pattern)
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%q: %q, %v, want %q", c.pattern, got, err, c.want)
		}
	}
	for pattern, want := range map[string]string{
		"a{": "a { without its }", "a}": "a } without its {", "{a}": "{a} is neither a list", "{}": "{} is neither",
		"{1..}": "not of two numbers", "{..}": "not of two numbers", "{-1..2}": "not of two numbers", "a,,b": "empty name",
		"{0..99999}{0..99999}":      "more than 100000",
		strings.Repeat("{a,b}", 17): "more than 16 braces",
	} {
		if got, err := expandPattern(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %d paths, %v, want an error with %q", pattern, len(got), err, want)
		}
	}
}

// FuzzExpandPattern: any text gives an error or at least one path, none with a brace.
func FuzzExpandPattern(f *testing.F) {
	for _, s := range []string{"a.tar", "t-{00..03}.tar,b", "{a,{b,c}}{1..2}", "{", "}{", "{,}", "{9..1}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		paths, err := expandPattern(s)
		if err != nil {
			return
		}
		if len(paths) == 0 || len(paths) > maxPaths {
			t.Errorf("%q: %d paths", s, len(paths))
		}
		for _, p := range paths {
			if strings.ContainsAny(p, "{}") {
				t.Errorf("%q: path %q", s, p)
			}
		}
	})
}

// FuzzScanTar: whatever the bytes are, an index is an error or lies within them.
func FuzzScanTar(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range [][2]string{{"a.jpg", "picture"}, {"a.cls", "3"}, {"b.PNG", "picture"}, {"b.json", `{"label":2}`}} {
		if err := w.WriteHeader(&tar.Header{Name: e[0], Size: int64(len(e[1])), Typeflag: tar.TypeReg}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte(e[1])); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:700])
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := scanTar(t.Context(), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for i := range x.len() {
			if at, n := x.offsets[i], int64(x.sizes[i]); at < 0 || at+n > int64(len(b)) || int(x.labels[i]) < -1-len(x.classes) {
				t.Errorf("image %d is %d bytes at %d of %d, label %d", i, n, at, len(b), x.labels[i])
			}
		}
	})
}

func sampleIndex() *index {
	return &index{keys: []stamp{{"", 7, 1 << 60}, {"a", 0, -5}}, classes: []string{"cat", ""}, names: []byte("a/1.jpgb"),
		ends: []uint32{7, 8}, sizes: []uint32{1, 1 << 30}, labels: []int32{-3, 1<<20 - 1}, offsets: []int64{0, 1 << 40},
		mtimes: []int64{-1, 9}, omitted: omissions{{What: ".txt", Why: "no picture", Count: 3, First: "a/b.txt"}}}
}

func TestIndexRoundTrip(t *testing.T) {
	want := sampleIndex()
	b := want.encode()
	got, err := decodeIndex(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decoded %+v, %v, want %+v", got, err, want)
	}
	for i := range b {
		c := slices.Clone(b)
		c[i] ^= 0x10
		if _, err := decodeIndex(c); err == nil {
			t.Errorf("an index with byte %d of %d changed is taken for whole", i, len(b))
		}
		if _, err := decodeIndex(b[:i]); err == nil {
			t.Errorf("the first %d of %d bytes are taken for an index", i, len(b))
		}
	}
}

// FuzzDecodeIndex: whatever stands between the magic and a right sum, decoding ends, and what it takes it
// writes again.
func FuzzDecodeIndex(f *testing.F) {
	b := sampleIndex().encode()
	f.Add(b[len(indexMagic) : len(b)-sha256.Size])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append([]byte(indexMagic), body...)
		sum := sha256.Sum256(b)
		x, err := decodeIndex(append(b, sum[:]...))
		if err != nil {
			return
		}
		if y, err := decodeIndex(x.encode()); err != nil || !reflect.DeepEqual(x, y) {
			t.Errorf("%+v is encoded and decoded to %+v, %v", x, y, err)
		}
	})
}
