package source_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"byol/internal/failure"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

func TestLocal(t *testing.T) {
	dir := t.TempDir()
	sourcetest.RunFiles(t, source.Local(), dir, func(name string, content []byte) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, content, 0o644)); err != nil {
			t.Skipf("needs names that are not UTF-8: %v", err)
		}
		past := time.Now().Add(-time.Duration(len(content)) * time.Hour)
		if err := os.Chtimes(name, past, past); err != nil {
			t.Fatal(err)
		}
	})
}

func TestLocalKinds(t *testing.T) {
	dir := t.TempDir()
	for name, to := range map[string]string{"dangling": "nowhere", "self": "."} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Skipf("needs links: %v", err)
		}
	}
	got, err := source.Local().List(t.Context(), dir)
	want := []source.Entry{{Name: "dangling", Kind: source.Special}, {Name: "self", Kind: source.Folder}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	f, err := source.Local().Open(t.Context(), dir)
	if err != nil {
		t.Skipf("folders cannot be opened: %v", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Kind != source.Folder {
		t.Errorf("an open folder: %+v, %v", info, err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err == nil {
		t.Error("a folder can be read")
	}
}

func TestMemory(t *testing.T) {
	m := &sourcetest.Memory{}
	m.Write("root/x", nil)
	m.Remove("root/x")
	sourcetest.RunFiles(t, m, "root", m.Write)
}

// setsInMemory are a folder and tars with the same names, among them some that are not UTF-8.
func setsInMemory(t testing.TB) (*sourcetest.Memory, []string) {
	m := &sourcetest.Memory{}
	jpg := picture(t, "grey.jpg")
	var entries []entry
	for _, name := range []string{"cat/1.jpg", "cat/caf\xe9.jpg", "d\xf6g/\xff\xfe.jpg", "d\xf6g/2\n.jpg",
		"d\xf6g/ü.jpg"} {
		m.Write("set/"+name, jpg)
		entries = append(entries, entry{name, jpg})
	}
	m.Write("tars/t-0.tar", archive(t, entries[:2]...))
	m.Write("tars/t-1.tar", archive(t, entries[2:]...))
	return m, []string{"set", "tars/t-{0..1}.tar"}
}

// TestSourcesInMemory: folders and tars pass the exam of sources among any files.
func TestSourcesInMemory(t *testing.T) {
	m, uris := setsInMemory(t)
	for _, uri := range uris {
		sourcetest.Run(t, func() (source.Source, error) {
			return source.OpenIn(t.Context(), m, uri, source.Options{})
		}, uri == "set")
	}
}

// TestNamesAreText: whatever the bytes of a name, of a file, a folder or a tar's entry, from the cache or not, it is
// told as UTF-8 on one line, and another one for each image.
func TestNamesAreText(t *testing.T) {
	m, uris := setsInMemory(t)
	opts := source.Options{CacheDir: t.TempDir()}
	for range 2 {
		for _, uri := range uris {
			src, err := source.OpenIn(t.Context(), m, uri, opts)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for i := range src.Len() {
				names = append(names, src.Name(i))
			}
			for _, s := range append(names, src.Classes()...) {
				if !utf8.ValidString(s) || strings.ContainsAny(s, "\n\x1b") {
					t.Errorf("%s: %q", uri, s)
				}
			}
			all := strings.Join(names, " ")
			for _, want := range []string{`caf\xe9.jpg`, `d\xf6g/\xff\xfe.jpg`, `2\x0a.jpg`, "ü.jpg", "cat/1.jpg"} {
				if strings.Count(all, want) != 1 {
					t.Errorf("%s: names %q lack %s", uri, names, want)
				}
			}
		}
	}
}

// TestEmptyFileOfAnyName: a file of 0 bytes is an image that cannot be decoded, not the end of a source.
func TestEmptyFileOfAnyName(t *testing.T) {
	dir := tree(t, map[string][]byte{"a/1.jpg": picture(t, "grey.jpg")})
	if err := os.WriteFile(filepath.Join(dir, "a", "caf\xe9.jpg"), nil, 0o644); err != nil {
		t.Skipf("needs names that are not UTF-8: %v", err)
	}
	if err := os.Symlink("1.jpg", filepath.Join(dir, "a", "\xfflink.jpg")); err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(t.Context(), dir, source.Options{})
	if err != nil || src.Len() != 3 {
		t.Fatalf("%v", err)
	}
	b, err := src.Bytes(t.Context(), 1, nil)
	if want := filepath.Join(dir, "a", `caf\xe9.jpg`); err != nil || len(b) != 0 || src.Name(1) != want {
		t.Errorf("%s: %d bytes, %v, want none of %s", src.Name(1), len(b), err, want)
	}
	if b, err := src.Bytes(t.Context(), 2, nil); err != nil || len(b) == 0 || !strings.HasSuffix(src.Name(2),
		`\xfflink.jpg`) {
		t.Errorf("%s: %d bytes, %v", src.Name(2), len(b), err)
	}
}

// TestErrorsAreText: what goes wrong with a file is told with its name as text, and its cause can be asked for.
func TestErrorsAreText(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, c := range []struct {
		op, name string
		opens    bool // only Bytes fails
	}{
		{"stat", "set/d\xf6g", false}, {"list", "set/d\xf6g", false}, {"stat", "set/cat/caf\xe9.jpg", false},
		{"list", "set", false}, {"stat", "set/train", false}, {"open", "tars/t-1.tar", false}, {"read",
			"tars/t-0.tar", false},
		{"stat", "tars/t-0.tar", false}, {"open", "set/cat/caf\xe9.jpg", true}, {"read", "set/cat/caf\xe9.jpg", true},
	} {
		m, uris := setsInMemory(t)
		m.Fail = func(op, name string) error {
			if op == c.op && name == c.name {
				return broken
			}
			return nil
		}
		uri := uris[0]
		if strings.HasPrefix(c.name, "tars") {
			uri = uris[1]
		}
		src, err := source.OpenIn(t.Context(), m, uri, source.Options{})
		if (err == nil) != c.opens {
			t.Errorf("%s %q fails: open: %v", c.op, c.name, err)
			continue
		}
		if c.opens {
			_, err = src.Bytes(t.Context(), 1, nil)
		}
		var f *failure.Failure
		if !errors.Is(err, broken) || !utf8.ValidString(err.Error()) || !c.opens && (!errors.As(err, &f) ||
			f.Try == "") {
			t.Errorf("%s %q fails: %q", c.op, c.name, err)
		}
		if c.name != "set/train" && !strings.Contains(err.Error(), source.Printable(c.name)) {
			t.Errorf("%s %q fails: %q lacks the name", c.op, c.name, err)
		}
	}
}

// TestPathIsText: a path that messages to workers cannot carry is refused at once.
func TestPathIsText(t *testing.T) {
	_, err := source.Open(t.Context(), "/data/caf\xe9", source.Options{})
	var f *failure.Failure
	if !errors.As(err, &f) || f.Code != failure.Data || !utf8.ValidString(err.Error()) || !strings.Contains(f.Why,
		"UTF-8") {
		t.Errorf("%q", err)
	}
}

// TestChangesInMemory: a change after opening is noticed, whatever the files are.
func TestChangesInMemory(t *testing.T) {
	for _, c := range []struct {
		uri, name string
		image     int
		change    func(m *sourcetest.Memory, name string)
		want      error
	}{
		{"set", "set/cat/1.jpg", 0, func(m *sourcetest.Memory, name string) { m.Write(name, picture(t, "grey.jpg")) },
			source.ErrChanged},
		{"set", "set/cat/1.jpg", 0, func(m *sourcetest.Memory, name string) { m.Remove(name) }, fs.ErrNotExist},
		{"tars/t-0.tar", "tars/t-0.tar", 1, func(m *sourcetest.Memory, name string) { m.Write(name, []byte("x")) },
			source.ErrChanged},
		{"tars/t-0.tar", "tars/t-0.tar", 1, func(m *sourcetest.Memory, name string) { m.Remove(name) }, fs.ErrNotExist},
	} {
		m, _ := setsInMemory(t)
		src, err := source.OpenIn(t.Context(), m, c.uri, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := src.Bytes(t.Context(), c.image, nil); err != nil {
			t.Errorf("%s: %v", c.uri, err)
		}
		c.change(m, c.name)
		if _, err := src.Bytes(t.Context(), c.image, nil); !errors.Is(err, c.want) || !strings.Contains(err.Error(),
			c.name) {
			t.Errorf("%s after a change: %v, want %v", c.uri, err, c.want)
		}
	}
}

// TestClosed: tars that are closed say so.
func TestClosed(t *testing.T) {
	m, uris := setsInMemory(t)
	src, err := source.OpenIn(t.Context(), m, uris[1], source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	if _, err := src.Bytes(t.Context(), 0, nil); !errors.Is(err, source.ErrClosed) {
		t.Errorf("%v, want %v", err, source.ErrClosed)
	}
}

// TestTarsMatchFolder: the same images in a folder or cut among any number of tars are read alike.
func TestTarsMatchFolder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &sourcetest.Memory{}
		n, tars := rapid.IntRange(1, 12).Draw(t, "images"), rapid.IntRange(1, 4).Draw(t, "tars")
		parts := make([][]entry, tars)
		for i := range n {
			content := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "content")
			name := fmt.Sprintf("%04d.jpg", i)
			m.Write("set/"+name, content)
			parts[i*tars/n] = append(parts[i*tars/n], entry{name, content})
		}
		for i, p := range parts {
			m.Write(fmt.Sprintf("t-%d.tar", i), archive(t, p...))
		}
		folder, err := source.OpenIn(t.Context(), m, "set", source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		cut, err := source.OpenIn(t.Context(), m, fmt.Sprintf("t-{0..%d}.tar", tars-1), source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if folder.Len() != n || cut.Len() != n {
			t.Fatalf("%d and %d images of %d", folder.Len(), cut.Len(), n)
		}
		for i := range n {
			a, err := folder.Bytes(t.Context(), i, nil)
			b, why := cut.Bytes(t.Context(), i, nil)
			if err != nil || why != nil || string(a) != string(b) ||
				path.Base(folder.Name(i)) != strings.Split(cut.Name(i), ":")[1] {
				t.Fatalf("image %d: %s %x, %v; %s %x, %v", i, folder.Name(i), a, err, cut.Name(i), b, why)
			}
		}
	})
}

// TestPrintable: text stays as it is, and what comes out is text.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{"": "", "ü/a b.jpg": "ü/a b.jpg", "caf\xe9": `caf\xe9`,
		"\xff\xfe":     `\xff\xfe`,
		"a\x1b[31mb\n": `a\x1b[31mb\x0a`, "\u0085x": `\xc2\x85x`, "�": "�", "a\xe9b\xe9": `a\xe9b\xe9`} {
		if got := source.Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "name"))
		got := source.Printable(in)
		if !utf8.ValidString(got) || source.Printable(got) != got {
			t.Fatalf("%q: %q", in, got)
		}
	})
}
