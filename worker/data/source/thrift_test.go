package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// TestWhole walks through structures that are whole, and through such as claim more than they hold.
func TestWhole(t *testing.T) {
	made := format.FileMetaData{Version: 1, NumRows: 1 << 40, CreatedBy: "a test",
		Schema:           []format.SchemaElement{{Name: "a"}},
		RowGroups:        []format.RowGroup{{Columns: make([]format.ColumnChunk, 40)}},
		KeyValueMetadata: []format.KeyValue{{Key: "k", Value: strings.Repeat("v", 300)}}}
	b, err := thrift.Marshal(new(thrift.CompactProtocol), made)
	if err != nil {
		t.Fatal(err)
	}
	if err := whole(b); err != nil {
		t.Errorf("what the library wrote: %v", err)
	}
	for n := range b {
		if whole(b[:n]) == nil {
			t.Errorf("the first %d of %d bytes are taken for whole", n, len(b))
		}
	}
	most := binary.AppendUvarint(nil, 1<<31-1)
	deep := append(bytes.Repeat([]byte{0x1c}, 100), make([]byte, 101)...)
	lists := append([]byte{0x19}, append(bytes.Repeat([]byte{0x19}, 100), 0x03, 0)...)
	for name, text := range map[string][]byte{
		"nothing": nil, "no value": {0x15}, "a list of 2³¹−1 structures": append(append([]byte{0x19, 0xfc}, most...), 0),
		"a set":     append(append([]byte{0x1a, 0xf3}, most...), 0),
		"a map":     append(append([]byte{0x1b}, most...), 0x33, 0),
		"bytes":     append(append([]byte{0x18}, most...), 0),
		"a type":    {0x1e, 0, 0},
		"too deep":  deep,
		"and lists": lists,
	} {
		if err := whole(text); !errors.Is(err, errThrift) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPageIndexesOverlap has two parts of an index that both take the whole file: the library would take memory for
// both, and for as many more as there are.
func TestPageIndexesOverlap(t *testing.T) {
	b := make([]byte, 100) // an empty structure, and what is behind it
	part := format.ColumnChunk{OffsetIndexOffset: 0, OffsetIndexLength: int32(len(b))}
	m := format.FileMetaData{RowGroups: []format.RowGroup{{Columns: []format.ColumnChunk{part}}}}
	if indexed, err := checkPageIndex(bytes.NewReader(b), int64(len(b)), &m); err != nil || !indexed {
		t.Errorf("one part: %v, %v", indexed, err)
	}
	m.RowGroups[0].Columns = append(m.RowGroups[0].Columns, part)
	if _, err := checkPageIndex(bytes.NewReader(b), int64(len(b)), &m); !errors.Is(err, errDamaged) {
		t.Errorf("two parts in the same place: %v", err)
	}
}
