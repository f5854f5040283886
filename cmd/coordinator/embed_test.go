package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parquet-go/parquet-go"

	"byol/coordinator/features"
	"byol/internal/safetensors"
	"byol/internal/vector"
	"byol/worker/encoder"
)

// embeddingOf is an embedding of so many images of dim features, the third of which has no label, and all its rows.
func embeddingOf(t *testing.T, n, dim int) (*embedding, []float32) {
	t.Helper()
	e := &embedding{dim: dim, classes: []string{"cat", "dog"}, of: &subject{Encoder: &encoder.Encoder{}}}
	var b features.Block
	for i := range n {
		e.rows, e.labels = append(e.rows, i), append(e.labels, int64(i%2))
		e.names = append(e.names, "a \xff\"{b}")
		b.Images = append(b.Images, int64(i))
		for j := range dim {
			b.Data = append(b.Data, float32(i)-float32(j)/3)
		}
	}
	e.labels[2] = -1
	var err error
	if e.store, _, err = features.OpenStore(t.TempDir(), "x", features.Identity{Images: n, Dim: dim}); err == nil {
		err = e.store.Append(b)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.store.Close() })
	return e, b.Data
}

// TestEmbedFiles: what is written comes back, by readers that know the formats: more rows than are read at a time.
func TestEmbedFiles(t *testing.T) {
	e, want := embeddingOf(t, 2500, 3)
	e.rows, e.labels, e.names = append(e.rows[:1], e.rows[2:]...), append(e.labels[:1], e.labels[2:]...), e.names[1:]
	want = slices.Concat(want[:3], want[6:]) // the second one cannot be decoded
	const name = "a \uFFFD\"{b}"
	dir := t.TempDir()
	path := func(ext string) string { return filepath.Join(dir, "x"+ext) }
	for ext, write := range embedFormats() {
		if err := write(path(ext), e); err != nil {
			t.Fatalf("%s: %v", ext, err)
		}
	}
	text, err := os.ReadFile(path(".npy"))
	if err != nil || !bytes.HasSuffix(text, vector.Bytes(want)) {
		t.Errorf("npy: %d bytes, %v", len(text), err)
	}
	if text, err = os.ReadFile(path(".safetensors")); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.Read(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	x, errX := f.Tensor("features")
	labels, errL := f.Tensor("labels")
	if errX != nil || errL != nil || !bytes.Equal(x.Data, vector.Bytes(want)) ||
		!bytes.Equal(labels.Data, safetensors.FromInt64s(e.labels)) || x.Shape[0] != 2499 || x.Shape[1] != 3 {
		t.Errorf("safetensors: %v, %v: features %v, labels %v", errX, errL, x.Shape, labels.Shape)
	}
	rows, err := parquet.ReadFile[imageRow](path(".parquet"))
	if err != nil || len(rows) != len(e.rows) {
		t.Fatalf("parquet: %d rows, %v", len(rows), err)
	}
	for i, r := range rows {
		none := r.Label == nil
		if none != (e.labels[i] < 0) || !none && *r.Label != e.labels[i] || r.Name != name ||
			!slices.Equal(r.Features, want[3*i:3*i+3]) {
			t.Fatalf("parquet: row %d is %+v", i, r)
		}
	}
	file, err := os.Open(path(".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	table, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	said, _ := table.Lookup("huggingface")
	if digest, ok := table.Lookup("byol.weights_sha256"); !ok || digest != e.of.Digest() ||
		!bytes.Contains([]byte(said), []byte(`"label":{"_type":"ClassLabel","names":["cat","dog"]}`)) {
		t.Errorf("it says %s of its columns, and %s of the weights", said, digest)
	}
}
