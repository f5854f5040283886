package source_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"byol/internal/failure"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

func picture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "jpeg", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tree writes files below a new folder: name -> content.
func tree(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

type entry struct {
	name string
	data []byte
}

// archive gives a tar of entries.
func archive(t interface {
	Helper()
	Fatal(args ...any)
}, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Size: int64(len(e.data)), Mode: 0o644, Typeflag: tar.TypeReg}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// summary says what a source holds, one line an image.
func summary(src source.Source, dir string) string {
	var b strings.Builder
	for i := range src.Len() {
		name := strings.ReplaceAll(strings.TrimPrefix(src.Name(i), dir+string(filepath.Separator)), `\`, "/")
		fmt.Fprintf(&b, "%s %d\n", name, src.Label(i))
	}
	return b.String() + strings.Join(src.Classes(), ",")
}

func TestFolders(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	for _, c := range []struct {
		name, open string
		files      []string
		want       string
	}{
		{"imagenet", "",
			[]string{"train/n2/b.JPEG", "train/n2/a.jpeg", "train/n1/x.PNG", "train/n1/readme.txt", "val/n1/v.JPEG"},
			"train/n1/x.PNG 0\ntrain/n2/a.jpeg 1\ntrain/n2/b.JPEG 1\nn1,n2"},
		{"classes", "", []string{"cat/2.jpg", "cat/10.jpg", "Dog/1.jpg", ".hidden/3.jpg", "loose.jpg"},
			"Dog/1.jpg 0\ncat/10.jpg 1\ncat/2.jpg 1\nloose.jpg -1\nDog,cat"},
		{"a class called train", "", []string{"bus/1.jpg", "train/1.jpg"}, "bus/1.jpg 0\ntrain/1.jpg 1\nbus,train"},
		{"nested", "", []string{"a/z/1.jpg", "a/y.jpg", "a/b/2.jpg"}, "a/y.jpg 0\na/b/2.jpg 0\na/z/1.jpg 0\na"},
		{"a class without images", "", []string{"a/none.txt", "b/1.jpg"}, "b/1.jpg 0\nb"},
		{"other people's folders", "", []string{"@eaDir/1.jpg", "__MACOSX/a/._1.jpg", "lost+found/1.jpg", "a/1.jpg",
			"a/.thumbnails/1.jpg", "a/@eaDir/1.jpg", "a/deep/.ipynb_checkpoints/1.jpg", "#recycle/1.jpg", "$Recycle.Bin/1.jpg",
			"__pycache__/1.jpg", "a/LOST.DIR/1.jpg"}, "a/1.jpg 0\na"},
		{"all kinds of files", "", []string{"1.webp", "2.GIF", "3.bmp", "4.tif", "5.TIFF", "6.ppm", "7.pgm", "8.jfif",
			"9.txt"},
			"1.webp -1\n2.GIF -1\n3.bmp -1\n4.tif -1\n5.TIFF -1\n6.ppm -1\n7.pgm -1\n8.jfif -1\n"},
		{"flat", "", []string{"2.jpg", "1.png", "._1.png", "notes/x.txt"}, "1.png -1\n2.jpg -1\n"},
		{"part", "val", []string{"train/n1/x.jpg", "val/n1/v.JPEG"}, "val/n1/v.JPEG 0\nn1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string][]byte{}
			for _, f := range c.files {
				files[f] = jpg
			}
			dir := tree(t, files)
			opts := source.Options{CacheDir: t.TempDir()}
			open := func() (source.Source, error) { return source.Open(t.Context(), filepath.Join(dir, c.open), opts) }
			src, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if got := summary(src, dir); got != c.want {
				t.Errorf("images:\n%s\nwant:\n%s", got, c.want)
			}
			if labelled := len(src.Classes()) > 0; labelled != strings.Contains(c.want, " -1") {
				sourcetest.Run(t, open, labelled)
			}
		})
	}
}

func TestFolderLinks(t *testing.T) {
	dir := tree(t, map[string][]byte{"store/1.jpg": picture(t, "colour.jpg"), "set/b/2.jpg": picture(t, "grey.jpg")})
	set := filepath.Join(dir, "set")
	for _, to := range [][2]string{{filepath.Join(dir, "store"), "a"}, {filepath.Join(dir, "store", "1.jpg"), "b/3.jpg"}} {
		if err := os.Symlink(to[0], filepath.Join(set, to[1])); err != nil {
			t.Skipf("needs links: %v", err)
		}
	}
	src, err := source.Open(t.Context(), set, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := summary(src, set), "a/1.jpg 0\nb/2.jpg 1\nb/3.jpg 1\na,b"; got != want {
		t.Errorf("images:\n%s\nwant:\n%s", got, want)
	}
	if err := os.Symlink(set, filepath.Join(set, "b", "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Open(t.Context(), set, source.Options{}); err == nil || !strings.Contains(err.Error(), "16 deep") {
		t.Errorf("a link that leads back: %v", err)
	}
}

// TestLinksToNothing are left out and counted like other things without a picture, until what they name is there.
func TestLinksToNothing(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	dir := tree(t, map[string][]byte{"set/a/1.jpg": jpg})
	for name, to := range map[string]string{"a/2.jpg": "late.jpg", "b": "late"} {
		if err := os.Symlink(filepath.Join(dir, to), filepath.Join(dir, "set", name)); err != nil {
			t.Skipf("needs links: %v", err)
		}
	}
	past := time.Now().Add(-time.Hour) // so that an index may be kept
	if err := errors.Join(os.Chtimes(filepath.Join(dir, "set", "a"), past, past),
		os.Chtimes(filepath.Join(dir, "set"), past, past)); err != nil {
		t.Fatal(err)
	}
	opts := source.Options{CacheDir: t.TempDir()}
	for _, want := range []string{"a/1.jpg 0\na skipped 2: links to nothing, pipes and devices 2",
		"a/1.jpg 0\na/2.jpg 0\nb/3.jpg 1\na,b "} {
		src, err := source.Open(t.Context(), filepath.Join(dir, "set"), opts)
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(src, filepath.Join(dir, "set")) + " " + source.Skipped(src.Omitted()); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		if err := errors.Join(os.MkdirAll(filepath.Join(dir, "late"), 0o755),
			os.WriteFile(filepath.Join(dir, "late", "3.jpg"), jpg, 0o644),
			os.WriteFile(filepath.Join(dir, "late.jpg"), jpg, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

// age makes everything below dir an hour old, so that an index of it is kept.
func age(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		past := time.Now().Add(-time.Hour)
		return errors.Join(err, os.Chtimes(path, past, past))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func twoTars(t testing.TB) (dir string) {
	jpg, png := picture(t, "colour.jpg"), []byte("P6\n1 1\n255\nabc")
	return tree(t, map[string][]byte{
		"t-00.tar": archive(t, entry{"./", nil}, entry{"a/0.jpg", jpg}, entry{"a/0.cls", []byte("3\n")},
			entry{"a/1.JPEG", jpg}, entry{"a/1.txt", []byte("a caption")},
			entry{"a/1.json", []byte(`{"label": 1, "x": []}`)}),
		"t-01.tar": archive(t, entry{"b.cls", []byte("0")}, entry{"b.png", png}, entry{"c.cls", []byte("2")},
			entry{"d.seg.png", png}, entry{"d.cls", []byte("4")}, entry{"e.cls", []byte("2")}, entry{"e.jpg", jpg}),
	})
}

func TestTars(t *testing.T) {
	dir := twoTars(t)
	for _, c := range []struct{ pattern, want string }{
		{"t-{00..01}.tar", "t-00.tar:a/0.jpg 3\nt-00.tar:a/1.JPEG 1\nt-01.tar:b.png 0\nt-01.tar:e.jpg 2\n0,1,2,3"},
		{"t-0{1,0}.tar", "t-01.tar:b.png 0\nt-01.tar:e.jpg 2\nt-00.tar:a/0.jpg 3\nt-00.tar:a/1.JPEG 1\n0,1,2,3"},
		{"t-01.tar", "t-01.tar:b.png 0\nt-01.tar:e.jpg 2\n0,1,2"},
	} {
		opts := source.Options{CacheDir: t.TempDir()}
		open := func() (source.Source, error) { return source.Open(t.Context(), filepath.Join(dir, c.pattern), opts) }
		src, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(src, dir); got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.pattern, got, c.want)
		}
		sourcetest.Run(t, open, true)
	}
}

// TestUnlabelledTar: labels are optional; and classes.txt names them where it lies beside.
func TestUnlabelledTar(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	dir := tree(t, map[string][]byte{
		"none.tar":    archive(t, entry{"a.jpg", jpg}, entry{"b.jpg", jpg}),
		"two.tar":     archive(t, entry{"a.jpg", jpg}, entry{"a.cls", []byte("1")}),
		"classes.txt": []byte("cat\ndog\nbird\n"),
	})
	for name, want := range map[string]string{"none.tar": "none.tar:a.jpg -1\nnone.tar:b.jpg -1\n",
		"two.tar": "two.tar:a.jpg 1\ncat,dog,bird"} {
		src, err := source.Open(t.Context(), filepath.Join(dir, name), source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := summary(src, dir); got != want {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

// TestManifest: equal for equal sets in other places, another one when a name, size or label changes.
func TestManifest(t *testing.T) {
	a, b := picture(t, "colour.jpg"), picture(t, "grey.jpg")
	hash := func(files map[string][]byte, name string) string {
		t.Helper()
		src, err := source.Open(t.Context(), filepath.Join(tree(t, files), name), source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return src.Manifest()
	}
	base := map[string][]byte{"x/1.jpg": a, "y/2.jpg": a}
	want := hash(base, "")
	for name, c := range map[string]struct {
		files map[string][]byte
		equal bool
	}{
		"the same":      {base, true},
		"another name":  {map[string][]byte{"x/1.jpg": a, "y/3.jpg": a}, false},
		"another size":  {map[string][]byte{"x/1.jpg": a, "y/2.jpg": b}, false},
		"another label": {map[string][]byte{"x/1.jpg": a, "x/y/2.jpg": a}, false},
		"one more":      {map[string][]byte{"x/1.jpg": a, "y/2.jpg": a, "y/3.jpg": a}, false},
	} {
		if got := hash(c.files, ""); (got == want) != c.equal {
			t.Errorf("%s: %s and %s, want them equal: %v", name, got, want, c.equal)
		}
	}
	one := hash(map[string][]byte{"t.tar": archive(t, entry{"a.jpg", a}, entry{"a.cls", []byte("1")})}, "t.tar")
	two := hash(map[string][]byte{"t.tar": archive(t, entry{"a.jpg", a}, entry{"a.cls", []byte("2")})}, "t.tar")
	if one == two {
		t.Error("tars with other labels have the same manifest")
	}
}

func TestOpenErrors(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	whole := archive(t, entry{"a.jpg", jpg}, entry{"b.jpg", jpg}, entry{"c.jpg", jpg})
	dir := tree(t, map[string][]byte{
		"empty/readme.txt": nil, "tars/x.tar": whole, "file.jpg": jpg, "set.tar.gz": jpg,
		"cut.tar": whole[:1024+1800], "cutlate.tar": whole[:3*1536-200], "junk.tar": bytes.Repeat([]byte("junk "), 1000),
		"label.tar": archive(t, entry{"a.jpg", jpg}, entry{"a.cls", []byte("16777216")}), "gz.tar": []byte("\x1f\x8b\b\x00"),
		"none.tar": archive(t, entry{"a.txt", jpg}), "minus.tar": archive(t, entry{"a.cls", []byte("-7")}),
	})
	if err := os.Symlink(os.DevNull, filepath.Join(dir, "device.tar")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ uri, want string }{
		{"DIR/device.tar", "device.tar is a pipe or a device, and images are read from their place (try: write it to a file"},
		{"synthetic:10,seed=-1", `seed: "-1" is not a number of at least 0`},
		{"", "open data: no path was given (try: "},
		{"ftp://b/x.tar", "ftp:// is not supported (s3://, gs://, https:// and http:// are) (try: copy or mount the data"},
		{"DIR/t*.tar", "nothing matches DIR/t*.tar (try: list the folder"},
		{"DIR/[.tar", "syntax error in pattern"},
		{"DIR/nowhere", "DIR/nowhere does not exist (try: check the path"},
		{"DIR/t-{0..2}.tar", "DIR/t-0.tar does not exist"},
		{"DIR/t-{0..2.tar", "the pattern is wrong: there is a { without its }"},
		{"DIR/t-{0..x}.tar", "the range {0..x} is not of two numbers"},
		{"DIR/t-{5..2}.tar", "the range {5..2} runs downwards"},
		{"DIR/t-{0..9999999}.tar", "it stands for more than 100000 paths"},
		{"DIR/cut.tar,", "there is an empty name in the list"},
		{"DIR/empty", "there is no image in it, skipped 1: .txt 1 (try: a folder of picture files (.jpg"},
		{"DIR/tars", "there is no image in it, skipped 1: .tar 1 (try: name the archives that lie there: DIR/tars/*.tar"},
		{"DIR/file.jpg", "DIR/file.jpg is neither a folder nor a .tar file (try: the folder it lies in"},
		{"DIR/set.tar.gz", "is neither a folder nor a .tar file"},
		{"DIR/cut.tar", "it is cut short after 1 images, in b.jpg"},
		{"DIR/cutlate.tar", "it is cut short"},
		{"DIR/junk.tar", "it is damaged after 0 images"},
		{"DIR/label.tar", "label a.cls: 16777216 is not from 0 to 1048575 (try: number classes from 0"},
		{"DIR/gz.tar", "it is compressed (gzip)"},
		{"DIR/minus.tar", "label a.cls: -7 is not from 0"},
		{"DIR/none.tar", "there is no image in these tars, skipped 1: samples without an image 1"},
		{"DIR/cut.tar,DIR/empty", "DIR/empty is a folder in a list of tars"},
		{"synthetic:0", "n: 0 is not from 1 to"},
		{"synthetic:10,size=x", `size: "x" is not a number`},
		{"synthetic:10,split=test", `split "test" is neither train nor eval`},
		{"synthetic:10,colour=1", `there is no setting "colour" (try: synthetic:20000,size=32`},
		{"synthetic:10,", `"" is not a setting`},
	} {
		_, err := source.Open(t.Context(), strings.ReplaceAll(c.uri, "DIR", dir), source.Options{})
		var f *failure.Failure
		want := strings.ReplaceAll(c.want, "DIR", dir)
		if !errors.As(err, &f) || !strings.Contains(f.Error()+" (try: "+f.Try, want) || f.Try == "" ||
			f.Code != failure.Data {
			t.Errorf("open %q: %v, want %q", c.uri, err, want)
		}
	}
}

// TestChangedFiles: a file that changes under a source is an error of reading; opened again, it is indexed again.
func TestChangedFiles(t *testing.T) {
	jpg := picture(t, "colour.jpg")
	for _, c := range []struct {
		name, uri, file string
		first, then     []byte
	}{
		{"tar", "x.tar", "x.tar", archive(t, entry{"a.jpg", jpg}), archive(t, entry{"a.jpg", jpg}, entry{"b.jpg", jpg})},
		{"folder", "", "a/1.jpg", jpg, picture(t, "grey.jpg")},
		{"same size", "", "a/1.jpg", jpg, jpg},
	} {
		dir := tree(t, map[string][]byte{c.file: c.first})
		age(t, dir)
		opts := source.Options{CacheDir: t.TempDir()}
		src, err := source.Open(t.Context(), filepath.Join(dir, c.uri), opts)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, c.file)
		if err := os.WriteFile(path, c.then, 0o644); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
		_, err = src.Bytes(t.Context(), 0, nil)
		if !errors.Is(err, source.ErrChanged) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: read after a change: %v, want %v with the path", c.name, err, source.ErrChanged)
		}
		again, err := source.Open(t.Context(), filepath.Join(dir, c.uri), opts)
		if err != nil {
			t.Fatalf("%s: open after a change: %v", c.name, err)
		}
		if _, err := again.Bytes(t.Context(), again.Len()-1, nil); err != nil {
			t.Errorf("%s: read after it was opened again: %v", c.name, err)
		}
	}
}

// TestIndexCache: the second opening takes the index from the cache, a damaged one is made anew, and a file that is
// new in a folder is noticed.
func TestIndexCache(t *testing.T) {
	dir, cache := twoTars(t), t.TempDir()
	age(t, dir)
	open := func(uri string) source.Source {
		t.Helper()
		src, err := source.Open(t.Context(), uri, source.Options{CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		return src
	}
	pattern := filepath.Join(dir, "t-{00..01}.tar")
	want := summary(open(pattern), dir)
	files, _ := filepath.Glob(filepath.Join(cache, "*"))
	if len(files) != 2 {
		t.Fatalf("cache holds %v, want an index for each of 2 tars", files)
	}
	before := times(t, files)
	if got := summary(open(pattern), dir); got != want || !slices.Equal(times(t, files), before) {
		t.Errorf("from the cache:\n%s\nwant:\n%s\nwith the index files as they were", got, want)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(files[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := summary(open(pattern), dir); got != want {
		t.Errorf("with a damaged index:\n%s\nwant:\n%s", got, want)
	}

	set := tree(t, map[string][]byte{"a/1.jpg": picture(t, "grey.jpg")})
	for _, settled := range []bool{false, true} {
		if settled {
			age(t, set)
		}
		if n := open(set).Len(); n != 1 {
			t.Fatalf("folder has %d images, want 1", n)
		}
		files, _ := filepath.Glob(filepath.Join(cache, "*"))
		if kept := len(files) == 3; kept != settled {
			t.Errorf("index of a folder that was changed long ago %v: kept %v", settled, kept)
		}
	}
	if err := os.WriteFile(filepath.Join(set, "a", "2.jpg"), picture(t, "grey.jpg"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n := open(set).Len(); n != 2 {
		t.Errorf("folder has %d images after one was added, want 2", n)
	}
}

func times(t *testing.T, files []string) []time.Time {
	t.Helper()
	var out []time.Time
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, info.ModTime())
	}
	return out
}

// TestUnwritableCache costs nothing but time.
func TestUnwritableCache(t *testing.T) {
	dir := twoTars(t)
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, cache := range []string{file, filepath.Join(file, "below")} {
		if _, err := source.Open(t.Context(), filepath.Join(dir, "t-00.tar"), source.Options{CacheDir: cache}); err != nil {
			t.Errorf("cache in %s: %v", cache, err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	dir := tree(t, map[string][]byte{"a/1.jpg": picture(t, "grey.jpg")})
	src, err := source.Open(t.Context(), dir, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "a", "1.jpg")); err != nil {
		t.Fatal(err)
	}
	if _, err := src.Bytes(t.Context(), 0, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read a removed file: %v, want %v", err, fs.ErrNotExist)
	}
}

// TestRealTars opens the CIFAR-10 tars, if they are there.
func TestRealTars(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "..", "shared", "data", "cifar10")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("needs ../shared/data/cifar10")
	}
	src, err := source.Open(t.Context(), filepath.Join(dir, "test-{000000..000001}.tar"), source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	count := map[int]int{}
	for i := range src.Len() {
		count[src.Label(i)]++
	}
	if src.Len() != 10000 || len(count) != 10 || count[9] != 1000 || src.Classes()[9] != "truck" {
		t.Errorf("%d images, labels %v, classes %v; want 1000 of each of 10", src.Len(), count, src.Classes())
	}
}

func synthetic(t testing.TB, uri string) source.Source {
	t.Helper()
	src, err := source.Open(t.Context(), uri, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func TestSynthetic(t *testing.T) {
	sourcetest.Run(t, func() (source.Source, error) {
		return source.Open(t.Context(), "synthetic:60,size=24,seed=3", source.Options{})
	}, true)
	hash := map[string]string{}
	for _, uri := range []string{"synthetic:60", "synthetic:61", "synthetic:60,size=33", "synthetic:60,seed=2",
		"synthetic:60,split=eval"} {
		src := synthetic(t, uri)
		b, err := src.Bytes(t.Context(), 7, nil)
		if err != nil {
			t.Fatal(err)
		}
		if other, taken := hash[src.Manifest()]; taken {
			t.Errorf("%s and %s have the same manifest", uri, other)
		}
		hash[src.Manifest()] = uri
		if other, taken := hash[string(b)]; taken && uri != "synthetic:61" {
			t.Errorf("%s and %s have the same image 7", uri, other)
		}
		hash[string(b)] = uri
	}
}
