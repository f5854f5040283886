package source_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// TestLayoutsOfTars: which entries are images, and whose label is whose.
func TestLayoutsOfTars(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries string // name or name=content, between spaces
		want    string // name and label of each image, or what an error says
	}{
		{"label behind", "a.jpg a.cls=3 b.jpg b.cls=0", "a.jpg 3, b.jpg 0"},
		{"label before", "a.cls=3 a.jpg b.cls=0 b.jpg", "a.jpg 3, b.jpg 0"},
		{"white space round a label", "a.jpg a.cls=\t7\n", "a.jpg 7"},
		{"json", `a.jpg a.json={"label":5,"x":"y"}`, "a.jpg 5"},
		{"json without a label", `a.jpg a.cls=4 a.json={"x":1}`, "a.jpg 4"},
		{"json before cls", `a.json={"label":5} a.cls=6 a.jpg`, "a.jpg 6"},
		{"no label", "a.jpg b.png", "a.jpg -1, b.png -1"},
		{"a label of minus one", "a.jpg a.cls=-1", "a.jpg -1"},
		{"endings of any case", "a.JPG b.JpEg c.PNG", "a.JPG -1, b.JpEg -1, c.PNG -1"},
		{"two images of one sample", "a.jpg a.png a.cls=1", "a.jpg 1"},
		{"folders are part of the key", "x/a.jpg x/a.cls=1 y/a.jpg y/a.cls=2", "x/a.jpg 1, y/a.jpg 2"},
		{"dots in folders", "v1.0/a.jpg v1.0/a.cls=1", "v1.0/a.jpg 1"},
		{"a key ends at its first dot", "a.front.jpg b.jpg", "b.jpg -1"},
		{"hidden files and others", "._a.jpg a.txt=x a.jpg .b.jpg", "a.jpg -1"},
		{"folders", "x/ x/a.jpg", "x/a.jpg -1"},
		{"hidden folders", "./x/a.jpg ./x/.thumbs/a.jpg __MACOSX/x/b.jpg x/@eaDir/c.jpg .git/d.tar ../e.jpg",
			"./x/a.jpg -1, ../e.jpg -1"},
		{"a sample without an image", "a.cls=1 b.jpg", "b.jpg -1"},
		{"samples apart", "a.jpg b.jpg a.cls=3", "a.jpg -1, b.jpg -1"},
		{"no image", "a.txt=x a.cls=3", "there is no image in these tars"},
		{"a label that is a word", "a.jpg a.cls=cat", "a.jpg 0"},
		{"a label below", "a.jpg a.cls=-2", "label a.cls: -2 is not from 0 to"},
		{"a label far above", "a.jpg a.cls=99999999", "label a.cls: 99999999 is not from 0 to"},
		{"a label that is none", "a.jpg a.json={", "a.jpg -1"},
		{"a label of text in json", `a.jpg a.json={"label":"5"}`, "a.jpg 5"},
		{"words in the order of their names", "a.jpg a.cls=cat b.jpg b.cls=ant", "a.jpg 1, b.jpg 0"},
	} {
		var entries []entry
		for _, e := range strings.Split(c.entries, " ") {
			name, content, _ := strings.Cut(e, "=")
			entries = append(entries, entry{name, []byte(content)})
		}
		m := &sourcetest.Memory{}
		m.Write("t.tar", archive(t, entries...))
		src, err := source.OpenIn(t.Context(), m, "t.tar", source.Options{})
		var got []string
		var f *failure.Failure
		if errors.As(err, &f) {
			if !strings.Contains(f.Why, c.want) {
				t.Errorf("%s: %v, want %q", c.name, err, c.want)
			}
			continue
		}
		for i := range src.Len() {
			got = append(got, fmt.Sprintf("%s %d", strings.TrimPrefix(src.Name(i), "t.tar:"), src.Label(i)))
		}
		if got := strings.Join(got, ", "); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestSparseEntries do not lie in one piece, and are refused.
func TestSparseEntries(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h := &tar.Header{Name: "a.jpg", Mode: 0o644, Typeflag: tar.TypeReg, Format: tar.FormatPAX,
		PAXRecords: map[string]string{"BYOL.sparse.major": "1"}}
	if err := errors.Join(w.WriteHeader(h), w.Close()); err != nil {
		t.Fatal(err)
	}
	file := bytes.ReplaceAll(b.Bytes(), []byte("BYOL.sparse.major=1"), []byte("GNU.sparse.size=100"))
	m := &sourcetest.Memory{}
	m.Write("t.tar", file)
	_, err := source.OpenIn(t.Context(), m, "t.tar", source.Options{})
	if err == nil || !strings.Contains(err.Error(), "sparse") && !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"b.jpg", "b.tar"} {
		m.Write("t.tar", gnuSparse(t, name))
		_, err := source.OpenIn(t.Context(), m, "t.tar", source.Options{})
		if err == nil || !strings.Contains(err.Error(), name+" is a sparse file") {
			t.Errorf("GNU's own form, %s: %v", name, err)
		}
	}
}

// gnuSparse is a tar of two entries, of which the second has GNU's type of sparse files, as tar -S writes it.
func gnuSparse(t *testing.T, name string) []byte {
	file := archive(t, entry{"a.jpg", []byte("a")}, entry{name, nil})
	h := file[1024:1536]
	h[156] = tar.TypeGNUSparse
	copy(h[257:], "ustar  \x00")
	copy(h[483:], "00000000000\x00") // its length with the holes
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return file
}

// TestTarsCutAnywhere: no beginning of a tar gives an image that is not whole.
func TestTarsCutAnywhere(t *testing.T) {
	whole := archive(t, entry{"a.jpg", bytes.Repeat([]byte("a"), 700)}, entry{"a.cls", []byte("1")},
		entry{"b.jpg", bytes.Repeat([]byte("b"), 100)})
	refused := 0
	for n := 0; n < len(whole); n += 100 {
		m := &sourcetest.Memory{}
		m.Write("t.tar", whole[:n])
		src, err := source.OpenIn(t.Context(), m, "t.tar", source.Options{})
		if err != nil {
			if refused++; !strings.Contains(err.Error(), "cut short") && !strings.Contains(err.Error(), "no image") {
				t.Errorf("%d of %d bytes: %v", n, len(whole), err)
			}
			continue
		}
		for i := range src.Len() {
			b, err := src.Bytes(t.Context(), i, nil)
			if want := []int{700, 100}[i]; err != nil || len(b) != want || strings.Trim(string(b), "ab"[i:i+1]) != "" {
				t.Errorf("%d of %d bytes: image %d has %d bytes, %v, want %d", n, len(whole), i, len(b), err, want)
			}
		}
	}
	if refused < 10 {
		t.Errorf("only %d beginnings are refused", refused)
	}
}

// TestTarsWithoutAnEnd: what follows the last entry says nothing, so a tar that lacks it, or a part of it, is whole.
func TestTarsWithoutAnEnd(t *testing.T) {
	whole := archive(t, entry{"a.jpg", []byte("a")}, entry{"a.cls", []byte("3")})
	last := bytes.LastIndexByte(whole, '3')/512*512 + 512
	for n := last; n <= len(whole); n++ {
		m := &sourcetest.Memory{}
		m.Write("t.tar", whole[:n])
		src, err := source.OpenIn(t.Context(), m, "t.tar", source.Options{})
		if err != nil || src.Len() != 1 || src.Label(0) != 3 {
			t.Fatalf("with %d bytes behind the last entry: %v, %v", n-last, src, err)
		}
	}
	m := &sourcetest.Memory{}
	m.Write("t.tar", append(whole[:last:last], "another entry begins"...))
	if _, err := source.OpenIn(t.Context(), m, "t.tar", source.Options{}); err == nil {
		t.Error("half a header counts as the end")
	}
}

// TestClassNames of tars: the lines of classes.txt beside them, if there are enough, or numbers.
func TestClassNames(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "0 1 2"}, {"cat\ndog\n", "0 1 2"}, {"cat\ndog\r\n bird \n", "cat dog bird"}, {"a\nb\nc\nd", "a b c d"},
		{"a\nb\xe9\nc", `a b\xe9 c`},
	} {
		m := &sourcetest.Memory{}
		m.Write("x/t.tar", archive(t, entry{"a.jpg", nil}, entry{"a.cls", []byte("2")}))
		if c.text != "" {
			m.Write("x/classes.txt", []byte(c.text))
		}
		src, err := source.OpenIn(t.Context(), m, "x/t.tar", source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(src.Classes(), " "); got != c.want {
			t.Errorf("classes.txt of %q: %s, want %s", c.text, got, c.want)
		}
	}
}

// TestHints: who named a folder without images is told what else lies there.
func TestHints(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"set/train-0.tar", "name the archives that lie there: set/*.tar"},
		{"set/notes.txt", "a folder of picture files (.jpg .jpeg"},
		{"set/a/b/c.txt", "a folder of picture files (.jpg .jpeg"},
	} {
		m := &sourcetest.Memory{}
		m.Write(c.file, nil)
		_, err := source.OpenIn(t.Context(), m, "set", source.Options{})
		var f *failure.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Try, c.want) || !strings.HasPrefix(f.Why,
			"there is no image in it, skipped ") {
			t.Errorf("%s: %v (%+v), want %q", c.file, err, f, c.want)
		}
	}
}

// TestDepth: folders are followed sixteen deep, and a folder that contains itself does not hang.
func TestDepth(t *testing.T) {
	for depth, want := range map[int]bool{1: true, 17: true, 18: false, 40: false} {
		m := &sourcetest.Memory{}
		m.Write("set"+strings.Repeat("/x", depth)+"/1.jpg", nil)
		_, err := source.OpenIn(t.Context(), m, "set", source.Options{})
		if (err == nil) != want || err != nil && !strings.Contains(err.Error(), "16 deep") {
			t.Errorf("%d deep: %v", depth, err)
		}
	}
}

// TestGeneratedImagesAreFixed: what a seed draws must not change between versions, or runs and figures that name it
// would be of other images.
func TestGeneratedImagesAreFixed(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the last bit of a sine may differ on other processors")
	}
	for uri, want := range map[string]string{
		"synthetic:20,size=32": "24f67f518fdfa9a9", "synthetic:20,size=16,seed=9": "35d4cee93920e23e",
		"synthetic:20,size=32,split=eval": "1b3c80c1a9a71df8",
	} {
		src := synthetic(t, uri)
		h := sha256.New()
		for i := range src.Len() {
			b, err := src.Bytes(t.Context(), i, nil)
			if err != nil {
				t.Fatal(err)
			}
			h.Write(b)
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
			t.Errorf("%s: %s, want %s", uri, got, want)
		}
	}
}
