package source_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"byol/internal/failure"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// huggingFace is a file of five pictures of four pixels in three row groups, with the labels 2, 0, 1, 2 and none, as
// pyarrow 26 wrote it, with Hugging Face's description of its columns.
const huggingFace = "" +
	"UEFSMRUEFSAVJEwVBBUAEgAAEDwCAAAAAAAAAAAAAAAAAAAAFQAVEhUWLBUEFRAVBhUGHAAAAAkgAgAAAAQBAQMCFQQVbBVYTBUE" +
	"FQASAAA2HBcAAABQNiAyAQI4NTUKAAECAwQFBgcICQoLOhsALAoLDA0ODxAREhMUFRUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAE" +
	"AgEDAhUEFSgVLEwVBBUAEgAAFEwGAAAAcDAucHBtBgAAAHAxLnBwbRUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAEAgEDAhUEFSAV" +
	"JEwVBBUAEgAAEDwBAAAAAAAAAAIAAAAAAAAAFQAVEhUWLBUEFRAVBhUGHAAAAAkgAgAAAAQBAQMCFQQVbBVYTBUEFQASAAA2HBcA" +
	"AABQNiAyAQI4NTUKFBUWFxgZGhscHR4fOhsALB4fICEiIyQlJicoKRUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAEAgEDAhUEFSgV" +
	"LEwVBBUAEgAAFEwGAAAAcDIucHBtBgAAAHAzLnBwbRUAFRIVFiwVBBUQFQYVBhwAAAAJIAIAAAAEAgEDAhUEFQAVAkwVABUAEgAA" +
	"ABUAFQ4VEiwVAhUQFQYVBhwAAAAHGAIAAAACAAAVBBU2FThMFQIVABIAABscFwAAAFA2IDIBAjg1NQooKSorLC0uLzAxMjMVABUS" +
	"FRYsFQIVEBUGFQYcAAAACSACAAAAAgIBAgAVBBUUFRhMFQIVABIAAAokBgAAAHA0LnBwbRUAFRIVFiwVAhUQFQYVBhwAAAAJIAIA" +
	"AAACAgECABUEGVw1ABgGc2NoZW1hFQQAFQQlAhgFbGFiZWwANQIYBWltYWdlFQQAFQwlAhgFYnl0ZXMAFQwlAhgEcGF0aCUATBwA" +
	"AAAWChk8GTwmABwVBBk1AAYQGRgFbGFiZWwVAhYEFnQWfCZIJggpLBUEFQAVAgAVABUQFQIAPCkGGSYABAAAACYAHBUMGTUABhAZ" +
	"KAVpbWFnZQVieXRlcxUCFgQWwAEWsAEm+AEmhAEpLBUEFQAVAgAVABUQFQIAPBZcGQYZNgAABAAAACYAHBUMGTUABhAZKAVpbWFn" +
	"ZQRwYXRoFQIWBBZ8FoQBJvwCJrQCKSwVBBUAFQIAFQAVEBUCADwWGBkGGTYAAAQAAAAWsAMWBCYIFrADABk8JgAcFQQZNQAGEBkY" +
	"BWxhYmVsFQIWBBZ0Fnwm+AMmuAMpLBUEFQAVAgAVABUQFQIAPCkGGSYABAAAACYAHBUMGTUABhAZKAVpbWFnZQVieXRlcxUCFgQW" +
	"wAEWsAEmqAUmtAQpLBUEFQAVAgAVABUQFQIAPBZcGQYZNgAABAAAACYAHBUMGTUABhAZKAVpbWFnZQRwYXRoFQIWBBZ8FoQBJqwG" +
	"JuQFKSwVBBUAFQIAFQAVEBUCADwWGBkGGTYAAAQAAAAWsAMWBCa4AxawAwAZPCYAHBUEGTUABhAZGAVsYWJlbBUCFgIWUBZWJoYH" +
	"JugGKSwVBBUAFQIAFQAVEBUCADwpBhkmAgAAAAAmABwVDBk1AAYQGSgFaW1hZ2UFYnl0ZXMVAhYCFooBFpABJpIIJr4HKSwVBBUA" +
	"FQIAFQAVEBUCADwWLhkGGTYAAAIAAAAmABwVDBk1AAYQGSgFaW1hZ2UEcGF0aBUCFgIWaBZwJoIJJs4IKSwVBBUAFQIAFQAVEBUC" +
	"ADwWDBkGGTYAAAIAAAAWwgIWAiboBhbWAgAZLBgLaHVnZ2luZ2ZhY2UYd3siaW5mbyI6IHsiZmVhdHVyZXMiOiB7ImltYWdlIjog" +
	"eyJfdHlwZSI6ICJJbWFnZSJ9LCAibGFiZWwiOiB7Im5hbWVzIjogWyJjYXQiLCAiZG9nIiwgImVsayJdLCAiX3R5cGUiOiAiQ2xh" +
	"c3NMYWJlbCJ9fX19ABgMQVJST1c6c2NoZW1hGNgELy8vLy83Z0JBQUFRQUFBQUFBQUtBQTRBQmdBRkFBZ0FDZ0FBQUFBQkJBQVFB" +
	"QUFBQUFBS0FBd0FBQUFFQUFnQUNnQUFBTEFBQUFBRUFBQUFBUUFBQUF3QUFBQUlBQXdBQkFBSUFBZ0FBQUNFQUFBQUJBQUFBSGNB" +
	"QUFCN0ltbHVabThpT2lCN0ltWmxZWFIxY21Weklqb2dleUpwYldGblpTSTZJSHNpWDNSNWNHVWlPaUFpU1cxaFoyVWlmU3dnSW14" +
	"aFltVnNJam9nZXlKdVlXMWxjeUk2SUZzaVkyRjBJaXdnSW1Sdlp5SXNJQ0psYkdzaVhTd2dJbDkwZVhCbElqb2dJa05zWVhOelRH" +
	"RmlaV3dpZlgxOWZRQUxBQUFBYUhWbloybHVaMlpoWTJVQUFnQUFBSndBQUFBRUFBQUFmUC8vL3dBQUFRMFlBQUFBSUFBQUFBUUFB" +
	"QUFDQUFBQVFBQUFBQlFBQUFBRkFBQUFhVzFoWjJVQUFBQ3cvLy8vclAvLy93QUFBUVVRQUFBQUdBQUFBQVFBQUFBQUFBQUFCQUFB" +
	"QUhCaGRHZ0FBQUFBMlAvLy85VC8vLzhBQUFFRUVBQUFBQndBQUFBRUFBQUFBQUFBQUFVQUFBQmllWFJsY3dBQUFBUUFCQUFFQUFB" +
	"QUVBQVVBQWdBQmdBSEFBd0FBQUFRQUJBQUFBQUFBQUVDRUFBQUFDQUFBQUFFQUFBQUFBQUFBQVVBQUFCc1lXSmxiQUFBQUFnQURB" +
	"QUlBQWNBQ0FBQUFBQUFBQUZBQUFBQUFBQUFBQT09ABggcGFycXVldC1jcHAtYXJyb3cgdmVyc2lvbiAyNi4wLjEZPBwAABwAABwA" +
	"AADXBQAAUEFSMQ=="

// TestHuggingFace reads what another program wrote.
func TestHuggingFace(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString(huggingFace)
	if err != nil {
		t.Fatal(err)
	}
	m := &sourcetest.Memory{}
	m.Write("set/train-00000-of-00002.parquet", b)
	m.Write("set/train-00001-of-00002.parquet", b)
	const uri = "set/train-*.parquet"
	src := opened(t, m, uri)
	var got strings.Builder
	for i := range src.Len() {
		picture, err := src.Bytes(t.Context(), i, nil)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&got, "%d:%d ", src.Label(i), picture[len(picture)-1])
		if k := i % 5; !bytes.HasPrefix(picture, []byte("P6 2 2 255\n")) || int(picture[len(picture)-1]) != 10*k+11 {
			t.Errorf("image %d is %q", i, picture)
		}
	}
	if want := "2:11 0:21 1:31 2:41 -1:51 2:11 0:21 1:31 2:41 -1:51 "; got.String() != want {
		t.Errorf("labels and pictures %s, want %s", got.String(), want)
	}
	if c := strings.Join(src.Classes(), " "); c != "cat dog elk" {
		t.Errorf("classes %s", c)
	}
	if n := src.Name(6); n != "set/train-00001-of-00002.parquet:row 1" {
		t.Errorf("row 1 of the second file is %s", n)
	}
	for n := 0; n < len(b); n += 7 {
		m.Write("cut.parquet", b[:n])
		if _, err := source.OpenIn(t.Context(), m, "cut.parquet", source.Options{}); err == nil {
			t.Fatalf("the first %d of %d bytes are taken for whole", n, len(b))
		}
	}
}

// TestParquetClaims: a file that says it has more rows than bytes, fewer than labels or less than none is told so.
func TestParquetClaims(t *testing.T) {
	b, err := base64.StdEncoding.DecodeString(huggingFace)
	if err != nil {
		t.Fatal(err)
	}
	// The first row group ends with its size, 216, and its rows, 2, in zigzag.
	group := []byte{0x16, 0xb0, 0x03, 0x16, 4, 0x26, 0x08}
	if bytes.Count(b, group) != 1 {
		t.Fatal("the row group is not where it was")
	}
	for want, claim := range map[string][]byte{
		"more labels than its":    {0x16, 0xb0, 0x03, 0x16, 2, 0x26, 0x08}, // 1 row
		"it has 8191 pictures":    {0x16, 0x02, 0x16, 0xfe, 0x7f, 0x26, 0x08},
		"num_rows=-2 is negative": {0x16, 0xb0, 0x03, 0x16, 3, 0x26, 0x08}, // parquet-go says so
	} {
		m := &sourcetest.Memory{}
		m.Write("claim.parquet", bytes.Replace(b, group, claim, 1))
		_, err := source.OpenIn(t.Context(), m, "claim.parquet", source.Options{})
		var f *failure.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Why, want) {
			t.Errorf("%+v, want %q", err, want)
		}
	}
}

// TestParquetLists has files whose description, or whose index of pages, claims lists that would take all memory.
func TestParquetLists(t *testing.T) {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b)
	if _, err := w.Write(make([]row, 9)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	good := b.Bytes()
	f, err := parquet.OpenFile(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	at := f.Metadata().RowGroups[0].Columns[0].OffsetIndexOffset
	claim := append([]byte{0x19, 0xfc}, binary.AppendUvarint(nil, 1<<31-1)...)
	end := len(good) - 8
	footer := end - int(binary.LittleEndian.Uint32(good[end:]))
	for name, where := range map[string]int{"description of itself": footer, "index of pages": int(at)} {
		bad := bytes.Clone(good)
		copy(bad[where:], claim)
		m := &sourcetest.Memory{}
		m.Write("x.parquet", bad)
		if _, err := source.OpenIn(t.Context(), m, "x.parquet", source.Options{}); err == nil ||
			!strings.Contains(err.Error(), "it is damaged: its "+name+" ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParquet: whatever stands in a file, opening and reading it ends.
func FuzzParquet(f *testing.F) {
	b, err := base64.StdEncoding.DecodeString(huggingFace)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := &sourcetest.Memory{}
		m.Write("x.parquet", b)
		src, err := source.OpenIn(t.Context(), m, "x.parquet", source.Options{})
		if err != nil {
			return
		}
		for i := range min(src.Len(), 10) {
			_, _ = src.Bytes(t.Context(), i, nil)
		}
	})
}

type row struct {
	Image struct {
		Bytes []byte  `parquet:"bytes"`
		Path  *string `parquet:"path,optional"`
	} `parquet:"image"`
	Label int64 `parquet:"label"`
}

// TestParquet reads large files in any order, from several goroutines, with and without compression; a file of other
// columns says which it has.
func TestParquet(t *testing.T) {
	jpg := picture(t, "grey.jpg")
	for name, option := range map[string]parquet.WriterOption{"plain": parquet.Compression(&parquet.Uncompressed),
		"snappy": parquet.Compression(&parquet.Snappy), "zstd": parquet.Compression(&parquet.Zstd)} {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[row](&b, option, parquet.PageBufferSize(8<<10), parquet.MaxRowsPerRowGroup(50))
		for i := range 130 {
			r := row{Label: int64(i % 7)}
			r.Image.Bytes = append(bytes.Clone(jpg), byte(i))
			if _, err := w.Write([]row{r}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		m := &sourcetest.Memory{}
		m.Write(name+".parquet", b.Bytes())
		src := opened(t, m, name+".parquet")
		for i := src.Len() - 1; i >= 0; i-- {
			if b, err := src.Bytes(t.Context(), i, nil); err != nil || b[len(b)-1] != byte(i) || src.Label(i) != i%7 {
				t.Errorf("%s: image %d of class %d, %v", name, i, src.Label(i), err)
			}
		}
		sourcetest.Run(t, func() (source.Source, error) {
			return source.OpenIn(t.Context(), m, name+".parquet", source.Options{})
		}, true)
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[struct {
		Text string `parquet:"text"`
	}](&b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m := &sourcetest.Memory{}
	m.Write("x.parquet", b.Bytes())
	if _, err := source.OpenIn(t.Context(), m, "x.parquet", source.Options{}); err == nil ||
		!strings.Contains(err.Error(), "it has no column of pictures, but [[text]]") {
		t.Errorf("other columns: %v", err)
	}
}
