package source

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strconv"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// tables is a Source over Parquet files as Hugging Face writes them: a column of pictures, image{bytes,path}, and
// perhaps one of labels, whose names stand in the file's metadata. Images are rows; they are read from their pages.
type tables struct {
	paths    []string
	parts    []*table
	starts   []int
	classes  []string
	labels   []int32
	manifest string
	files    handles
}

// table is one file.
type table struct {
	key    stamp
	file   *parquet.File
	footer [sha256.Size]byte
	bytes  int   // the column of the pictures
	label  int   // that of the labels; −1: none
	groups []int // the first row of each row group, and the number of rows
	names  []string
}

func openTables(ctx context.Context, files Files, paths []string) (Source, error) {
	t := &tables{paths: paths, starts: []int{0}}
	t.files.init(files, paths, openLimit())
	for k, p := range paths {
		part, err := t.open(ctx, k)
		if err == nil {
			err = t.take(part, p)
		}
		if err != nil {
			_ = t.files.close()
		}
		switch {
		case known(err):
			return nil, err
		case errors.Is(err, errDamaged):
			return nil, failed(fmt.Sprintf("read %q", p), err.Error(), "a whole copy of it, or the others without it", err)
		case err != nil:
			return nil, failed(fmt.Sprintf("read %q", p), err.Error(),
				"a Parquet file with the columns image{bytes, path} and label, as Hugging Face has them", err)
		}
	}
	if t.Len() == 0 {
		return nil, failed(fmt.Sprintf("open data %q", paths[0]), "there is no row in these files", "other files", nil)
	}
	t.manifest = manifest(t.Len()+len(paths), len(t.classes), func(i int) (string, int64, int) {
		if k := i - t.Len(); k >= 0 {
			return string(t.parts[k].footer[:]), t.parts[k].key.size, 0
		}
		return t.Entry(i), 0, t.Label(i)
	})
	return t, nil
}

// errDamaged is what a file is that contradicts itself.
var errDamaged = errors.New("it is damaged")

// safely makes an error of a panic of the library's: a damaged file must not end a run.
func safely(call func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w (%v)", errDamaged, r)
		}
	}()
	return call()
}

// tableReader reads a file that is open while it is read from.
type tableReader struct {
	ctx   context.Context
	files *handles
	i     int
}

// ReadAt implements io.ReaderAt.
func (r tableReader) ReadAt(p []byte, off int64) (int, error) {
	f, err := r.files.take(r.ctx, r.i)
	if err != nil {
		return 0, err
	}
	defer r.files.give(r.i)
	return f.ReadAt(p, off)
}

// open reads what a file says of itself.
func (t *tables) open(ctx context.Context, k int) (*table, error) {
	f, err := t.files.take(ctx, k)
	if err != nil {
		return nil, err
	}
	defer t.files.give(k)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if s, ok := f.(sequential); ok { // its labels lie all over it
		_, end, err := s.Sequential(ctx)
		if err != nil {
			return nil, err
		}
		end()
	}
	part := &table{key: stampOf("", info), label: -1}
	if part.footer, err = footerSum(f, info.Size); err != nil {
		return nil, err
	}
	err = safely(func() error {
		if err := part.read(tableReader{context.WithoutCancel(ctx), &t.files, k}, info.Size); err != nil {
			return err
		}
		if err := part.columns(); err != nil {
			return err
		}
		return part.count(info.Size)
	})
	return part, err
}

// read opens a file whose footer is whole: without its index of pages first, which may be damaged as well.
func (p *table) read(from tableReader, size int64) (err error) {
	p.file, err = parquet.OpenFile(from, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return err
	}
	indexed, err := checkPageIndex(from, size, p.file.Metadata())
	if err != nil || !indexed {
		return err
	}
	p.file, err = parquet.OpenFile(from, size, parquet.SkipBloomFilters(true))
	return err
}

// checkPageIndex looks whether the index of pages is whole, where there is one. Its parts have places of their own, so
// together they are no longer than the file: the library takes memory for all at once.
func checkPageIndex(from io.ReaderAt, size int64, m *format.FileMetaData) (indexed bool, err error) {
	total := int64(0)
	part := func(at, length int64) error {
		if length == 0 {
			return nil
		}
		indexed = true
		total += max(0, length)
		if at < 0 || length < 0 || length > maxBeside || at > size-length || total > size {
			return fmt.Errorf("%w: its index of pages is not within it", errDamaged)
		}
		b := make([]byte, length)
		if n, err := from.ReadAt(b, at); n < len(b) {
			return err
		}
		if err := whole(b); err != nil {
			return fmt.Errorf("%w: its index of pages contradicts itself", errDamaged)
		}
		return nil
	}
	for i := range m.RowGroups {
		for j := range m.RowGroups[i].Columns {
			c := &m.RowGroups[i].Columns[j]
			if err := part(c.OffsetIndexOffset, int64(c.OffsetIndexLength)); err != nil {
				return indexed, err
			}
			if err := part(c.ColumnIndexOffset, int64(c.ColumnIndexLength)); err != nil {
				return indexed, err
			}
		}
	}
	return indexed, nil
}

// footerSum is the digest of a file's description of itself, where all that it holds has its place and size.
func footerSum(f File, size int64) (sum [sha256.Size]byte, err error) {
	var tail [8]byte
	if size < 12 {
		return sum, errors.New("it is no Parquet file")
	}
	if err := readAt(f, tail[:], size-8); err != nil {
		return sum, err
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if string(tail[4:]) != "PAR1" || n > size-12 || n > maxBeside {
		return sum, errors.New("it is no Parquet file, or cut short")
	}
	b := make([]byte, n)
	if err := readAt(f, b, size-8-n); err != nil {
		return sum, err
	}
	if err := whole(b); err != nil {
		return sum, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return sha256.Sum256(b), nil
}

// feature is what Hugging Face says of a column.
type feature struct {
	Type  string   `json:"_type"`
	Names []string `json:"names"`
}

// columns finds the pictures, the labels and their names: by what Hugging Face says of the file, else by their form
// and the name label.
func (p *table) columns() error {
	var said struct {
		Info struct{ Features map[string]json.RawMessage }
	}
	if text, ok := p.file.Lookup("huggingface"); ok {
		_ = json.Unmarshal([]byte(text), &said) // without it, by form
	}
	of := func(name string) (f feature) {
		_ = json.Unmarshal(said.Info.Features[name], &f) // lists and other forms are no class
		return f
	}
	p.bytes = -1
	for _, field := range p.file.Schema().Fields() {
		name := field.Name()
		if leaf, ok := p.file.Schema().Lookup(name, "bytes"); ok && p.bytes < 0 &&
			leaf.Node.Type().Kind() == parquet.ByteArray {
			p.bytes = leaf.ColumnIndex
		}
		leaf, ok := p.file.Schema().Lookup(name)
		if !ok || leaf.Node.Type().Kind() != parquet.Int64 && leaf.Node.Type().Kind() != parquet.Int32 {
			continue
		}
		if f := of(name); f.Type == "ClassLabel" && p.names == nil {
			p.label, p.names = leaf.ColumnIndex, f.Names
		} else if name == "label" && p.label < 0 {
			p.label = leaf.ColumnIndex
		}
	}
	if p.bytes < 0 {
		return fmt.Errorf("it has no column of pictures, but %v", p.file.Schema().Columns())
	}
	return nil
}

// count adds up the rows of a file of so many bytes. A number that it cannot hold is damage, and would ask for memory.
func (p *table) count(size int64) error {
	p.groups = []int{0}
	rows := int64(0)
	for _, g := range p.file.RowGroups() {
		n := g.NumRows()
		if n < 0 || n > size-rows {
			return fmt.Errorf("%w: it has %d bytes, and says that it has %d pictures or more", errDamaged, size, n)
		}
		rows += n
		p.groups = append(p.groups, int(rows))
	}
	return nil
}

// take adds a file to the set, and reads its labels.
func (t *tables) take(p *table, name string) error {
	rows := p.groups[len(p.groups)-1]
	labels := make([]int32, 0, rows)
	err := safely(func() error {
		for _, g := range p.file.RowGroups() {
			if p.label < 0 {
				break
			}
			pages := g.ColumnChunks()[p.label].Pages()
			err := eachValue(pages, func(v parquet.Value) error {
				n := v.Int64()
				if v.Kind() == parquet.Int32 {
					n = int64(v.Int32())
				}
				if v.IsNull() {
					n = -1
				}
				if n < -1 || n > maxLabel {
					return fmt.Errorf("label %d is not from 0 to %d", n, maxLabel)
				}
				if len(labels) == rows {
					return fmt.Errorf("%w: it has more labels than its %d pictures", errDamaged, rows)
				}
				labels = append(labels, int32(n))
				return nil
			})
			if err = errors.Join(err, pages.Close()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for len(labels) < rows {
		labels = append(labels, -1)
	}
	t.parts, t.labels = append(t.parts, p), append(t.labels, labels...)
	t.starts = append(t.starts, t.Len()+rows)
	highest := int32(-1)
	for _, l := range labels {
		highest = max(highest, l)
	}
	names := printables(p.names)
	for len(names) <= int(highest) {
		names = append(names, strconv.Itoa(len(names)))
	}
	for i := range min(len(names), len(t.classes)) {
		if names[i] != t.classes[i] {
			return fmt.Errorf("its label %d is %s, in the files before it %s", i, names[i], t.classes[i])
		}
	}
	if len(names) > len(t.classes) {
		t.classes = names
	}
	return nil
}

func eachValue(pages parquet.Pages, fn func(parquet.Value) error) error {
	var buf [256]parquet.Value
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for values := page.Values(); ; {
			n, err := values.ReadValues(buf[:])
			for _, v := range buf[:n] {
				if err := fn(v); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return err
			}
		}
		parquet.Release(page)
	}
}

func (t *tables) find(i int) (part, row int) {
	part = sort.SearchInts(t.starts, i+1) - 1
	return part, i - t.starts[part]
}

func (t *tables) Len() int          { return t.starts[len(t.starts)-1] }
func (t *tables) Label(i int) int   { return int(t.labels[i]) }
func (t *tables) Classes() []string { return t.classes }
func (*tables) Omitted() []Omission { return nil }
func (t *tables) Manifest() string  { return t.manifest }
func (t *tables) Close() error      { return t.files.close() }

// Name implements Source.
func (t *tables) Name(i int) string {
	part, row := t.find(i)
	return Printable(fmt.Sprintf("%s:row %d", t.paths[part], row))
}

// Entry is the file and the row. Pictures are told by their content; the ending is for tars that are made of them.
func (t *tables) Entry(i int) string {
	part, row := t.find(i)
	return fmt.Sprintf("%s/%09d.jpg", path.Base(t.paths[part]), row)
}

// Bytes implements Source. A row without a picture is an empty one.
func (t *tables) Bytes(ctx context.Context, i int, buf []byte) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	part, row := t.find(i)
	p := t.parts[part]
	f, err := t.files.take(ctx, part)
	if err != nil {
		return nil, about(t.paths[part], err)
	}
	defer t.files.give(part)
	info, err := f.Stat()
	if err != nil {
		return nil, about(t.paths[part], err)
	}
	if stampOf("", info) != p.key {
		return nil, fmt.Errorf("%s: %w (restart the run if this was meant)", Printable(t.paths[part]), ErrChanged)
	}
	err = safely(func() error {
		buf, err = p.picture(row, buf)
		return err
	})
	if err != nil {
		return nil, about(t.Name(i), err)
	}
	return buf, nil
}

// picture reads the page that a row is in.
func (p *table) picture(row int, buf []byte) ([]byte, error) {
	g := sort.SearchInts(p.groups, row+1) - 1
	pages := p.file.RowGroups()[g].ColumnChunks()[p.bytes].Pages()
	defer pages.Close()
	if err := pages.SeekToRow(int64(row - p.groups[g])); err != nil {
		return nil, err
	}
	page, err := pages.ReadPage()
	if err != nil {
		return nil, err
	}
	defer parquet.Release(page)
	var one [1]parquet.Value
	if n, err := page.Values().ReadValues(one[:]); n < 1 {
		return nil, errors.Join(errors.New("there is no such row"), err)
	}
	return append(buf[:0], one[0].ByteArray()...), nil
}
