package features

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"byol/internal/failure"
)

func block(first, n, dim int) Block {
	b := Block{}
	for i := first; i < first+n; i++ {
		b.Images = append(b.Images, int64(i))
		for k := range dim {
			b.Data = append(b.Data, float32(i*dim+k))
		}
	}
	return b
}

// flip and cut damage a file of a store: from a byte on, or its last bytes.
func flip(t *testing.T, at int64) func(dir string) {
	return func(dir string) {
		f, err := os.OpenFile(filepath.Join(dir, "train.f32"), os.O_RDWR, 0)
		if err == nil {
			_, err = f.WriteAt([]byte{7}, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
}

func cut(t *testing.T, name string, bytes int64) func(dir string) {
	return func(dir string) {
		info, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			err = os.Truncate(filepath.Join(dir, name), info.Size()-bytes)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestStoreGoesOn: what was appended is there when the store is opened again; what another identity computed, and what
// is behind damage, is not.
func TestStoreGoesOn(t *testing.T) {
	id := Identity{Encoder: "e", Data: "d", View: "v", Fingerprint: "cpu", Images: 10, Dim: 3}
	other := func(change func(*Identity)) Identity { i := id; change(&i); return i }
	for _, c := range []struct {
		name   string
		damage func(dir string)
		id     Identity
		images int
		note   string
	}{
		{"nothing happened", func(string) {}, id, 7, ""},
		{"the last line is torn", cut(t, "train.jsonl", 2), id, 4, "damaged from image 4 on"},
		{"a row is damaged", flip(t, 12*5), id, 4, "damaged from image 4 on"},
		{"the first row is damaged", flip(t, 1), id, 0, "damaged from image 0 on"},
		{"rows are missing", cut(t, "train.f32", 12), id, 4, "damaged from image 4 on"},
		{"another encoder", func(string) {}, other(func(i *Identity) { i.Encoder = "f" }), 0, "of another encoder"},
		{"other images", func(string) {}, other(func(i *Identity) { i.Data = "f" }), 0, "of other images"},
		{"another device", func(string) {}, other(func(i *Identity) { i.Fingerprint = "gpu" }), 0, "computed by cpu"},
		{"another size", func(string) {}, other(func(i *Identity) { i.View = "f" }), 0, "seen otherwise"},
	} {
		dir := t.TempDir()
		s, _, err := OpenStore(dir, "train", id)
		if err != nil {
			t.Fatal(err)
		}
		second := block(4, 3, 3)
		second.Unreadable = []Unreadable{{At: 1, Name: "x.jpg", Text: "cut short"}}
		if err := errors.Join(s.Append(block(0, 4, 3)), s.Append(second), s.Close()); err != nil {
			t.Fatal(err)
		}
		c.damage(dir)
		s, note, err := OpenStore(dir, "train", c.id)
		if err != nil {
			t.Fatal(err)
		}
		if s.Images() != c.images || !strings.Contains(note, c.note) || (note == "") != (c.note == "") {
			t.Errorf("%s: %d images, note %q; want %d, %q", c.name, s.Images(), note, c.images, c.note)
		}
		if got := s.Unreadable(); c.images == 7 && !maps.Equal(got, map[int]string{5: "x.jpg: cut short"}) {
			t.Errorf("%s: unreadable %v", c.name, got)
		}
		if err := s.Append(block(s.Images(), 10-s.Images(), 3)); err != nil {
			t.Fatal(err)
		}
		rows := make([]float32, 30)
		if err := s.Rows(0, rows); err != nil || !slices.Equal(rows, block(0, 10, 3).Data) {
			t.Errorf("%s: rows %v, %v", c.name, rows, err)
		}
		s.Close()
	}
}

// TestStoreWithoutRoom: a disk that is too small is told before anything is computed.
func TestStoreWithoutRoom(t *testing.T) {
	_, _, err := OpenStore(t.TempDir(), "train", Identity{Images: 1 << 40, Dim: 1 << 15})
	var f *failure.Failure
	if !errors.As(err, &f) || !strings.HasPrefix(f.What, "no space left") || !strings.Contains(f.Why, "MiB are free") {
		t.Errorf("got %v", err)
	}
}
