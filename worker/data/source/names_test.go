package source_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/failure"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// TestNames: what a URI with wildcards, braces, commas and schemes stands for, by the names of the images that come.
func TestNames(t *testing.T) {
	m := &sourcetest.Memory{}
	one := archive(t, entry{"x.jpg", picture(t, "grey.jpg")})
	for _, name := range []string{"set/a-0.tar", "set/a-1.tar", "set/b-0.tar", "set/.hidden.tar", "set/odd*.tar",
		"set/oddly.tar", "set/deep/er/c.tar", "set/deep/d.tar", "set/.git/e.tar", "set/x, y.tar", "set/{z}.tar",
		"set/a.txt", "tars, 1/t-0.tar", "tars, 1/t-1.tar", "a{b}, [c]/t-0.tar", "a{b}, [c]/t-1.tar", "open{/t-0.tar",
		"edge /e.tar", "edge / f.tar", "1,2,3,4/n.tar", "1,2.tar", "1.tar"} {
		m.Write(name, one)
	}
	for uri, want := range map[string]string{
		"set/a-*.tar":                    "a-0 a-1",
		"set/?-0.tar":                    "a-0 b-0",
		"set/[b-z]-*.tar":                "b-0",
		"set/{b,a}-*.tar":                "b-0 a-0 a-1",
		"set/b-*.tar, set/a-1.tar":       "b-0 a-1",
		"set/**/*.tar":                   "a-0 a-1 b-0 d c odd* oddly x, y {z}",
		"set/**/er/*.tar":                "c",
		"set/deep/**/c.tar":              "c",
		"set/d*/*.tar":                   "d",
		"set/.*.tar":                     ".hidden",
		"set/odd*.tar":                   "odd*", // a file of that very name goes first
		"set/x, y.tar":                   "x, y",
		"set/{z}.tar":                    "{z}",
		"file://set/a-{0..1}.tar":        "a-0 a-1",
		"file://set/x%2C%20y.tar":        "x, y",
		"set/a-0.tar,file://set/b-*.tar": "a-0 b-0",
		// A folder or file of that very name goes first in a list, and before braces and wildcards, too.
		"tars, 1/t-{0..1}.tar":                         "t-0 t-1",
		"tars, 1/t-*.tar":                              "t-0 t-1",
		"set/b-0.tar,tars, 1/t-{0..1}.tar,set/a-0.tar": "b-0 t-0 t-1 a-0",
		"tars, 1/t-1.tar, tars, 1/t-0.tar":             "t-1 t-0",
		"set/x, y.tar,set/{z}.tar":                     "x, y {z}",
		"set/a-{0,1}.tar,set/x, y.tar":                 "a-0 a-1 x, y",
		"a{b}, [c]/t-{0,1}.tar":                        "t-0 t-1",
		"a{b}, [c]/t-?.tar,a{b}, [c]/t-0.tar":          "t-0 t-1 t-0",
		"open{/t-*.tar":                                "t-0",
		"edge /e.tar, edge /e.tar,edge / f.tar ":       "e e  f",
		"1,2,3,4/n.tar,1,2.tar,1.tar":                  "n 1,2 1",
		"1.tar,1,2.tar , 1,2,3,4/*.tar":                "1 1,2 n",
	} {
		src, err := source.OpenIn(t.Context(), m, uri, source.Options{})
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		var got []string
		for i := range src.Len() {
			name, _, _ := strings.Cut(filepath.Base(src.Name(i)), ".tar:")
			got = append(got, name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
}

// TestRoots: paths below a root are found below another one, in lists and patterns too, and nothing else is touched.
func TestRoots(t *testing.T) {
	for _, c := range []struct{ roots, uri, want string }{
		{"/mnt/nfs=/data", "/mnt/nfs/train", "/data/train"},
		{"/mnt/nfs=/data", "/mnt/nfs", "/data"},
		{"/mnt/nfs=/data", "/mnt/nfs2/train", "/mnt/nfs2/train"},
		{"/mnt/nfs/=/data/", "/mnt/nfs/a, b/c, /mnt/nfs/t-{0..3}.tar", "/data/a, b/c, /data/t-{0..3}.tar"},
		{"/host", "/train", "/host/train"},
		{"s3://bucket/imagenet=/data", "s3://bucket/imagenet/t-{0..3}.tar", "/data/t-{0..3}.tar"},
		{"/a=/b /mnt=/c", "/a/x,/mnt/y", "/b/x,/c/y"},
		{"/", "synthetic:20,size=16", "synthetic:20,size=16"},
	} {
		roots, err := source.ParseRoots(strings.Fields(c.roots))
		if err != nil {
			t.Fatal(err)
		}
		if got := roots.Apply(c.uri); got != c.want {
			t.Errorf("%s: %s is at %s, want %s", c.roots, c.uri, got, c.want)
		}
	}
	for _, bad := range []string{"", "=/x", "/x="} {
		if roots, err := source.ParseRoots([]string{bad}); err == nil {
			t.Errorf("%q: %v", bad, roots)
		}
	}
}

// TestMovedSet: the same set under another root has the same manifest and reads the same.
func TestMovedSet(t *testing.T) {
	jpg := picture(t, "grey.jpg")
	files := map[string][]byte{"set/a/1.jpg": jpg, "t.tar": archive(t, entry{"a.jpg", jpg})}
	here, there := tree(t, files), tree(t, files)
	roots := source.Roots{{From: here, To: there}}
	for _, name := range []string{"set", "t.tar"} {
		uri := filepath.Join(here, name)
		a, err := source.Open(t.Context(), uri, source.Options{})
		b, errB := source.Open(t.Context(), uri, source.Options{Roots: roots})
		if err != nil || errB != nil {
			t.Fatal(err, errB)
		}
		if a.Manifest() != b.Manifest() || !strings.HasPrefix(b.Name(0), there) {
			t.Errorf("%s is %s with manifest %s, and %s with %s", a.Name(0), uri, a.Manifest(), b.Name(0), b.Manifest())
		}
	}
}

// TestLate: what does not come in time is a failure that names it and says how long was waited, whether the set is
// being opened or read; what comes in time does not notice, and a set can be closed while a read hangs.
func TestLate(t *testing.T) {
	for _, hang := range []string{"", "stat set", "list set", "stat set/a/2.jpg", "open set/a/2.jpg", "read set/a/2.jpg",
		"open t.tar", "read t.tar"} {
		synctest.Test(t, func(t *testing.T) {
			op, name, _ := strings.Cut(hang, " ")
			until := make(chan struct{})
			m := &sourcetest.Memory{}
			m.Write("set/a/1.jpg", []byte("one"))
			m.Write("set/a/2.jpg", []byte("two"))
			m.Write("t.tar", archive(t, entry{"x.jpg", []byte("x")}))
			m.Fail = func(asked, of string) error {
				time.Sleep(10 * time.Second)
				if asked == op && of == name {
					<-until
				}
				return nil
			}
			uri := "set"
			if strings.HasSuffix(hang, ".tar") {
				uri = "t.tar"
			}
			err := readTwice(t, m, uri)
			close(until)
			time.Sleep(time.Hour) // what was left behind ends now
			var f *failure.Failure
			switch {
			case hang == "" && err != nil:
				t.Errorf("%v", err)
			case hang != "" && (!errors.As(err, &f) || !strings.Contains(f.What, name) || f.Code != failure.Data ||
				f.Why != "nothing has come for 1m0s" || !strings.Contains(f.Try, "--data-timeout")):
				t.Errorf("%s: %+v, %v", hang, f, err)
			}
		})
	}
}

// readTwice opens a set whose parts must come within a minute, and reads it twice.
func readTwice(t *testing.T, m *sourcetest.Memory, uri string) error {
	const patience = time.Minute
	src, err := source.InTime(t.Context(), m, patience, func(files source.Files) (source.Source, error) {
		return source.OpenIn(t.Context(), files, uri, source.Options{})
	})
	if err != nil {
		return err
	}
	src = source.Punctual(src, patience)
	defer src.Close()
	var got []string
	for i := range 2 * src.Len() {
		// One that is asked for three things, each of which is slow, takes longer than one.
		b, err := src.Bytes(t.Context(), i%src.Len(), nil)
		if err != nil {
			return err
		}
		got = append(got, string(b))
	}
	if want := []string{"one", "two", "one", "two"}; uri == "set" && !slices.Equal(got, want) {
		return fmt.Errorf("read %q, want %q", got, want)
	}
	return nil
}
