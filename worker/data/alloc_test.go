package data

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"byol/worker/data/source"
	"byol/worker/data/views"
)

// allocationSets writes the same pictures as a folder and as a tar; large ones have 9 times the pixels of the others.
func allocationSets(t *testing.T) map[string]string {
	t.Helper()
	sets := map[string]string{}
	for _, name := range []string{"colour.jpg", "c444.jpg", "grey.jpg"} {
		picture, err := os.ReadFile(filepath.Join("jpeg", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "images")
		if err := os.MkdirAll(filepath.Join(dir, "class"), 0o755); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for i := range 64 {
			file := fmt.Sprintf("%04d.jpg", i)
			if err := os.WriteFile(filepath.Join(dir, "class", file), picture, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(picture))}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(picture); err != nil {
				t.Fatal(err)
			}
		}
		archive := filepath.Join(filepath.Dir(dir), "images.tar")
		if err := os.WriteFile(archive, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		sets["folder of "+name], sets["tar of "+name] = dir, archive
	}
	return sets
}

// TestLoaderAllocatesNothing: once warm, an image costs no memory from a tar, and from a folder its name alone, for the
// operating system.
func TestLoaderAllocatesNothing(t *testing.T) {
	for name, uri := range allocationSets(t) {
		src, err := source.Open(t.Context(), uri, source.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		a, err := views.ParseAugment("byol", 32)
		if err != nil {
			t.Fatal(err)
		}
		const batch = 32
		l := NewLoader(src, LoaderConfig{Sampler: Sampler{Seed: 1, Batch: batch, Len: src.Len()}, Shards: 1, ShardEnd: 1,
			Augment: a, Threads: 2})
		step := func() {
			b, err := l.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			l.Recycle(b)
		}
		for range 20 {
			step()
		}
		perImage := testing.AllocsPerRun(20, step) / batch
		l.Close()
		want := 0.0
		if name[:3] != "tar" {
			want = 1
		}
		if perImage > want+0.2 { // the memory of a goroutine that had no large image yet may still grow
			t.Errorf("%s: %.2f allocations for an image, want %v", name, perImage, want)
		}
	}
}
