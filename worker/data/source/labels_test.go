package source_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// TestLabels: a sidecar gives a number, a name or nothing, and what is nothing refuses no picture.
func TestLabels(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	for _, c := range []struct {
		name    string
		entries []entry
		want    string // labels and classes
		omitted string
	}{
		{"numbers", []entry{{"a.cls", []byte(" 1\r\n")}, {"b.json", []byte(`{"label": 0}`)}}, "1 0 [0 1]", ""},
		{"names", []entry{{"a.cls", []byte("tench")}, {"b.json", []byte(`{"Label": "ant"}`)}}, "1 0 [ant tench]", ""},
		{"names and numbers", []entry{{"a.cls", []byte("tench")}, {"b.cls", []byte("7")}}, "1 0 [7 tench]", ""},
		{"a name, and none", []entry{{"a.cls", []byte("tench")}}, "0 -1 [tench]", ""},
		{"one-hot", []entry{{"a.cls", []byte("[0, 1, 0]")}}, "-1 -1 []", "labels 1"},
		{"number with a point", []entry{{"a.json", []byte(`{"label": 3.0}`)}, {"b.cls", []byte("3.5")}}, "-1 -1 []",
			"labels 2"},
		{"NaN", []entry{{"a.json", []byte(`{"label": NaN}`)}, {"b.cls", []byte("nan")}}, "-1 -1 []", "labels 2"},
		{"NaN of something else", []entry{{"a.json", []byte(`{"similarity": NaN}`)}}, "-1 -1 []", ""},
		{"a list", []entry{{"a.json", []byte(`[{"bbox":[1,2]}]`)}, {"b.json", []byte(`{"label": [1]}`)}}, "-1 -1 []",
			"labels 2"},
		{"other facts", []entry{{"a.json", []byte(`{"caption": "a"}`)}, {"b.json", []byte(`{"label": null}`)}},
			"-1 -1 []", ""},
		{"true", []entry{{"a.json", []byte(`{"label": true}`)}}, "-1 -1 []", "labels 1"},
		{"empty", []entry{{"a.cls", nil}}, "-1 -1 []", "labels 1"},
		{"megabytes", []entry{{"a.cls", bytes.Repeat([]byte("x"), 3<<20)}}, "-1 -1 []", "labels 1"},
		{"a long line", []entry{{"a.cls", bytes.Repeat([]byte("x"), 300)}}, "-1 -1 []", "labels 1"},
		{"two lines", []entry{{"a.cls", []byte("cat\ndog")}}, "-1 -1 []", "labels 1"},
		{"minus one", []entry{{"a.cls", []byte("-1")}}, "-1 -1 []", ""},
		{"a mark of the byte order", []entry{{"a.cls", []byte("\ufeff1")}, {"b.json", []byte("\ufeff{\"label\": 0}")}},
			"1 0 [0 1]", ""},
		{"bytes", []entry{{"a.cls", []byte("\xff\xfea")}}, "-1 -1 []", "labels 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := []entry{{"a.jpg", jpg}, {"b.jpg", jpg}}
			for _, e := range c.entries { // beside its image, as WebDataset wants it
				at := 1 + strings.Index("ab", e.name[:1])*(len(entries)-1)
				entries = append(entries[:at], append([]entry{e}, entries[at:]...)...)
			}
			dir := tree(t, map[string][]byte{"t.tar": archive(t, entries...)})
			age(t, dir)
			cache := t.TempDir()
			for range 2 { // scanned, and from the index that was kept
				src, err := source.Open(t.Context(), filepath.Join(dir, "t.tar"), source.Options{CacheDir: cache})
				if err != nil {
					t.Fatal(err)
				}
				if got := fmt.Sprint(src.Label(0), src.Label(1), src.Classes()); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				if got := strings.TrimPrefix(source.Skipped(src.Omitted()), "skipped "); c.omitted == "" && got != "" ||
					!strings.HasSuffix(got, c.omitted) {
					t.Errorf("omitted: %q, want %q", got, c.omitted)
				}
			}
		})
	}
}

// TestOmitted: what lies in a set and is no image of it is counted and named.
func TestOmitted(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	var links bytes.Buffer
	w := tar.NewWriter(&links)
	for _, h := range []*tar.Header{{Name: "a.jpg", Size: int64(len(jpg))}, {Name: "b.jpg", Typeflag: tar.TypeLink,
		Linkname: "a.jpg"},
		{Name: "c.jpg", Typeflag: tar.TypeSymlink, Linkname: "a.jpg"}, {Name: "d.jpg", Typeflag: tar.TypeLink,
			Linkname: "z.jpg"}} {
		h.Mode = 0o644
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(jpg); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	one := archive(t, entry{"a.jpg", jpg})
	dir := tree(t, map[string][]byte{
		"joined.tar":    append(one, archive(t, entry{"b.jpg", jpg})...),
		"set/cat/1.jpg": jpg, "set/cat/2.txt": jpg, "set/cat/3.TXT": jpg, "set/cat/README": jpg, "set/.git/4.jpg": jpg,
		"set/cat/.5.jpg": jpg, "set/empty/x.csv": nil, "set/cat/.thumbs/1.jpg": jpg, "links.tar": links.Bytes(),
		"dots.tar": archive(t, entry{"s.left.jpg", jpg}, entry{"s.right.jpg", jpg}, entry{"t.jpg", jpg},
			entry{"t.seg.png", jpg},
			entry{"t.png", jpg}, entry{"._t.jpg", jpg}, entry{"u.txt", jpg}),
	})
	age(t, dir)
	cache := t.TempDir()
	for _, c := range []struct{ uri, images, want, first string }{
		{"set", "cat/1.jpg 0\ncat", "skipped 8: hidden folders 2, hidden files 1, .txt 2, without an ending 1, .csv 1, " +
			"folders without a picture 1", "empty"},
		{"joined.tar", "joined.tar:a.jpg -1\n", "skipped 1: archives behind the end of one 1", "joined.tar:"},
		{"links.tar", "links.tar:a.jpg -1\nlinks.tar:b.jpg -1\n",
			"skipped 3: symbolic links and devices 1, hard links to what is not before them 1, samples without an image 1",
			"links.tar:d.jpg"},
		{"dots.tar", "dots.tar:t.jpg -1\n", "skipped 7: images with a dot in their names 3, samples without an image 2, " +
			"more images of a sample 1, hidden files 1", "dots.tar:._t.jpg"},
	} {
		for range 2 {
			src, err := source.Open(t.Context(), filepath.Join(dir, c.uri), source.Options{CacheDir: cache})
			if err != nil {
				t.Fatal(err)
			}
			all := src.Omitted()
			if got := source.Skipped(all); got != c.want {
				t.Errorf("%s: %s\nwant %s", c.uri, got, c.want)
			}
			if got := strings.ReplaceAll(summary(src, dir), "set/", ""); got != c.images {
				t.Errorf("%s: %s, want %s", c.uri, got, c.images)
			}
			if last := all[len(all)-1]; last.First != c.first || last.Why == "" {
				t.Errorf("%s: the last is %+v, want its first to be %s", c.uri, last, c.first)
			}
		}
	}
}

// TestHardLinkedLabels: a sidecar that is a hard link says what the one says that it links to, as an image's does.
func TestHardLinkedLabels(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range []struct{ name, text, link string }{
		{"a.jpg", "x", ""}, {"a.cls", "cat", ""}, {"b.jpg", "y", ""}, {"b.cls", "", "a.cls"}, {"c.json", "", "b.cls"},
		{"c.jpg", "z", ""}, {"d.jpg", "z", ""}, {"d.cls", "7", ""}, {"e.jpg", "z", ""}, {"e.cls", "", "d.cls"},
		{"f.jpg", "z", ""}, {"f.cls", "", "nowhere.cls"},
	} {
		h := &tar.Header{Name: e.name, Size: int64(len(e.text)), Mode: 0o644, Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeLink, e.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(t.Context(), filepath.Join(tree(t, map[string][]byte{"t.tar": b.Bytes()}), "t.tar"),
		source.Options{})
	if err != nil || src.Len() != 6 {
		t.Fatal(src, err)
	}
	var got []string
	for i := range src.Len() {
		class := "none"
		if l := src.Label(i); l >= 0 {
			class = src.Classes()[l]
		}
		got = append(got, class)
	}
	if got := strings.Join(got, " "); got != "cat cat cat 7 7 none" {
		t.Errorf("labels %s", got)
	}
	if got := source.Skipped(src.Omitted()); got != "skipped 1: hard links to what is not before them 1" {
		t.Error(got)
	}
}

// TestHardLink: a hard link reads the bytes of what it links to.
func TestHardLink(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, err := range []error{w.WriteHeader(&tar.Header{Name: "a.jpg", Size: 3, Mode: 0o644}), func() error {
		_, err := w.Write([]byte("abc"))
		return err
	}(), w.WriteHeader(&tar.Header{Name: "b.jpg", Typeflag: tar.TypeLink, Linkname: "a.jpg"}),
		w.WriteHeader(&tar.Header{Name: "c.jpg", Typeflag: tar.TypeLink, Linkname: "b.jpg"}), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	src, err := source.Open(t.Context(), filepath.Join(tree(t, map[string][]byte{"t.tar": b.Bytes()}), "t.tar"),
		source.Options{})
	if err != nil || src.Len() != 3 {
		t.Fatal(src, err)
	}
	for i := range 3 {
		if got, err := src.Bytes(t.Context(), i, nil); string(got) != "abc" || err != nil {
			t.Errorf("image %d: %q, %v", i, got, err)
		}
	}
}

// TestManyTars: any number of tars is read by several goroutines at once while few files can be open.
func TestManyTars(t *testing.T) {
	m := &sourcetest.Memory{}
	const tars, most = 60, 12
	for k := range tars {
		m.Write(fmt.Sprintf("t/s-%03d.tar", k), archive(t, entry{fmt.Sprintf("%d.jpg", k), []byte(fmt.Sprint("picture ",
			k))}))
	}
	var mu sync.Mutex
	open, highest := 0, 0
	limited := sourcetest.Watch(m, func(opens bool) error {
		mu.Lock()
		defer mu.Unlock()
		if !opens {
			open--
			return nil
		}
		if open == most {
			return syscall.EMFILE
		}
		open++
		highest = max(highest, open)
		return nil
	})
	src, err := source.OpenIn(t.Context(), limited, "t/s-{000..059}.tar", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 4)
	for g := range errs {
		wg.Go(func() {
			for i := range 3 * tars {
				at := (i*7 + g*13) % tars
				b, err := src.Bytes(t.Context(), at, nil)
				if err == nil && string(b) != fmt.Sprint("picture ", at) {
					err = fmt.Errorf("image %d is %q", at, b)
				}
				errs[g] = errors.Join(errs[g], err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if highest < 5 {
		t.Errorf("at most %d files were open: the limit was not tried", highest)
	}
	if err := src.Close(); err != nil || open != 0 {
		t.Errorf("closed with %v, and %d files are open", err, open)
	}
}

// TestWithClasses: labels are matched by the names of their classes, whatever their numbers.
func TestWithClasses(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	dir := tree(t, map[string][]byte{"b/1.jpg": jpg, "c/1.jpg": jpg, "d/1.jpg": jpg, "loose.jpg": jpg})
	for _, c := range []struct{ classes, want string }{
		{"a b c", "1 2 -1 -1"}, {"b c d", "0 1 2 -1"}, {"d c b", "2 1 0 -1"}, {"x", "-1 -1 -1 -1"}, {"", "-1 -1 -1 -1"},
	} {
		src, err := source.Open(t.Context(), dir, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		src = source.WithClasses(src, strings.Fields(c.classes))
		if got := fmt.Sprint(src.Label(0), src.Label(1), src.Label(2), src.Label(3)); got != c.want ||
			strings.Join(src.Classes(), " ") != c.classes {
			t.Errorf("%s: %s of %v, want %s", c.classes, got, src.Classes(), c.want)
		}
	}
}

// TestAmong: images of classes that are not named lose their label, and the others keep theirs.
func TestAmong(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	dir := tree(t, map[string][]byte{"b/1.jpg": jpg, "c/1.jpg": jpg, "d/1.jpg": jpg, "loose.jpg": jpg})
	for _, c := range []struct{ names, want string }{
		{"b c d", "0 1 2 -1"}, {"d b x", "0 -1 2 -1"}, {"x", "-1 -1 -1 -1"}, {"", "-1 -1 -1 -1"},
	} {
		src, err := source.Open(t.Context(), dir, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		src = source.Among(src, strings.Fields(c.names))
		got := fmt.Sprint(src.Label(0), src.Label(1), src.Label(2), src.Label(3))
		if got != c.want || strings.Join(src.Classes(), " ") != "b c d" {
			t.Errorf("%s: %s of %v, want %s", c.names, got, src.Classes(), c.want)
		}
	}
}
