// Package steplog keeps every committed step of a run in a file of the run directory, steps.log, for as long as the
// directory lives: which images were used, digests of the state after the step, the bits of its loss. The raft log
// remembers the last thousand only; this file is what an audit of a whole epoch, and a replay of any step, stand on.
//
// The file is text, and only grows. Its first line says with which step the run began; each later one is a step, in
// the order in which they were committed, or a restart of the coordinator:
//
//	begin 0 4af3c2d1
//	step 0 2 ONLINE MOMENTUM STATISTICS TARGET SAMPLES LOSS 256 1764300000000000000 9f1d2c3b
//	restart 77c01a2e
//
// Digests and the bits of the loss (a float64) are 16 hexadecimal digits, the other numbers are decimal: step,
// generation, images, nanoseconds since 1970. skip instead of step is a step that changed nothing. The last word is the
// CRC-32C of the line before it. A step that was run again after a rewind is there twice, and the last line counts.
//
// Log is the writer: it belongs to one goroutine. Read and Audit are functions of their operands.
//
// # When it fails
//
// A line that a crash tore is cut off when the file is opened again; what it said is still in the raft log, and is
// written once more. Damage before the end is left as it is, for Audit to name. Errors of the disk are returned, and
// the same records may be offered again.
package steplog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"byol/coordinator/run"
)

// File is the name of the file in a run directory.
const File = "steps.log"

// Record is what is kept of a step.
type Record = run.Record

// Words that begin a line.
const (
	wordBegin   = "begin"
	wordRestart = "restart"
	wordStep    = "step"
	wordSkip    = "skip"
)

const (
	syncEvery = 256                // lines; raft keeps more than that
	remember  = 2 * run.MaxRecords // steps whose lines the writer knows
)

// identity is what tells the record of a step from that of the same step in another attempt.
type identity struct{ generation, unixNano int64 }

// Log writes the file.
type Log struct {
	file    *os.File
	end     int64              // of the last whole line
	written map[int64]identity // by step: the last line of it
	newest  int64              // the step written last
	dirty   int                // lines since the last sync
}

// Open goes on with the file of dir, or begins it: first is the step that is the first of this run.
func Open(dir string, first int64) (*Log, error) {
	file, err := os.OpenFile(filepath.Join(dir, File), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open step log: %w", err)
	}
	l := &Log{file: file, written: map[int64]identity{}}
	if err := l.begin(first); err != nil {
		return nil, errors.Join(fmt.Errorf("open step log: %w", err), file.Close())
	}
	return l, nil
}

// begin reads what there is, cuts a torn end, and marks that another coordinator writes from here on.
func (l *Log) begin(first int64) error {
	err := scan(l.file, func(line Line, end int64) {
		if line.Problem == nil {
			l.end = end
		}
		if line.Kind == Committed && line.Problem == nil {
			l.know(line.Record)
		}
	})
	if err != nil {
		return err
	}
	if l.end == 0 {
		return l.write(seal(fmt.Sprintf("%s %d", wordBegin, first)))
	}
	return l.write(seal(wordRestart))
}

// know remembers a line. One of an earlier step than the last takes back what came after it: those steps are to be
// written again, also where their records are the same as before. A coordinator that is started again sees the past as
// its raft log tells it, with what was rewound.
func (l *Log) know(r run.Record) {
	for step := l.newest; step > r.Step; step-- {
		delete(l.written, step)
	}
	l.written[r.Step], l.newest = identity{r.Generation, r.UnixNano}, r.Step
	if len(l.written) > 2*remember {
		for step := range l.written {
			if step < r.Step-remember {
				delete(l.written, step)
			}
		}
	}
}

// Follow writes the records that are not there yet. They are those of a run.State, ascending: all that come before one
// that was written were, too.
func (l *Log) Follow(records []run.Record) error {
	from := len(records)
	for from > 0 && l.written[records[from-1].Step] != (identity{records[from-1].Generation, records[from-1].UnixNano}) {
		from--
	}
	if from == len(records) {
		return nil
	}
	var text bytes.Buffer
	for _, r := range records[from:] {
		text.Write(seal(encode(r)))
	}
	if err := l.write(text.Bytes()); err != nil {
		return fmt.Errorf("write step log: %w", err)
	}
	for _, r := range records[from:] {
		l.know(r)
	}
	if l.dirty += len(records) - from; l.dirty >= syncEvery {
		l.dirty = 0
		if err := l.file.Sync(); err != nil {
			return fmt.Errorf("write step log: %w", err)
		}
	}
	return nil
}

// write appends whole lines. What an attempt that failed has left is written over.
func (l *Log) write(lines []byte) error {
	if err := l.file.Truncate(l.end); err != nil {
		return err
	}
	n, err := l.file.WriteAt(lines, l.end)
	if err != nil {
		return err
	}
	l.end += int64(n)
	return nil
}

// Close syncs the file.
func (l *Log) Close() error { return errors.Join(l.file.Sync(), l.file.Close()) }

func encode(r run.Record) string {
	word := wordStep
	if r.Skipped {
		word = wordSkip
	}
	return fmt.Sprintf("%s %d %d %016x %016x %016x %016x %016x %016x %d %d", word, r.Step, r.Generation, r.Online,
		r.Momentum, r.Statistics, r.Target, r.Samples, math.Float64bits(r.Loss), r.Images, r.UnixNano)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seal makes a line of text: its checksum at the end.
func seal(text string) []byte {
	return fmt.Appendf(nil, "%s %08x\n", text, crc32.Checksum([]byte(text), castagnoli))
}

// Kind is what a line says.
type Kind int

// The kinds of lines.
const (
	Unknown   Kind = iota // it cannot be read
	Begin                 // the first line
	Restart               // another coordinator process goes on from here
	Committed             // a step
)

// Line is one of the file.
type Line struct {
	Number  int // from 1
	Kind    Kind
	First   int64      // of Begin
	Record  run.Record // of Committed
	Problem error      // why it cannot be read
}

// Content is what a file holds.
type Content struct {
	Lines []Line
	// Torn says that the last line has no end, as a crash leaves it. It is not among Lines.
	Torn bool
}

// First is the step that the run began with: not 0 where it went on from a checkpoint of another directory.
func (c Content) First() int64 {
	if len(c.Lines) == 0 || c.Lines[0].Kind != Begin {
		return 0
	}
	return c.Lines[0].First
}

// Read reads a step log.
func Read(r io.Reader) (Content, error) {
	var c Content
	err := scan(r, func(l Line, _ int64) { c.Lines = append(c.Lines, l) })
	if n := len(c.Lines); n > 0 && errors.Is(c.Lines[n-1].Problem, errTorn) {
		c.Lines, c.Torn = c.Lines[:n-1], true
	}
	if err != nil {
		return Content{}, fmt.Errorf("read step log: %w", err)
	}
	return c, nil
}

// ReadFile reads the step log of a run directory.
func ReadFile(dir string) (Content, error) {
	f, err := os.Open(filepath.Join(dir, File))
	if err != nil {
		return Content{}, fmt.Errorf("read step log: %w", err)
	}
	defer f.Close()
	return Read(f)
}

// Last returns the line of a step that counts: the last one.
func (c Content) Last(step int64) (run.Record, bool) {
	for i := len(c.Lines) - 1; i >= 0; i-- {
		if l := c.Lines[i]; l.Kind == Committed && l.Record.Step == step {
			return l.Record, true
		}
	}
	return run.Record{}, false
}

// errTorn is of a line without an end.
var errTorn = errors.New("it is torn")

// scan calls f for each line, with the offset behind it.
func scan(r io.Reader, f func(l Line, end int64)) error {
	lines := bufio.NewReaderSize(r, 1<<20)
	end := int64(0)
	for number := 1; ; number++ {
		text, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return err
		}
		end += int64(len(text))
		if err == io.EOF {
			if len(text) > 0 {
				f(Line{Number: number, Problem: errTorn}, end)
			}
			return nil
		}
		l := parse(string(text[:len(text)-1]))
		l.Number = number
		f(l, end)
	}
}

func parse(line string) Line {
	text, sum, ok := cutLast(line)
	if !ok || fmt.Sprintf("%08x", crc32.Checksum([]byte(text), castagnoli)) != sum {
		return Line{Problem: errors.New("its checksum is not that of its text")}
	}
	words := strings.Split(text, " ")
	p := parser{words: words[1:]}
	var l Line
	switch words[0] {
	case wordBegin:
		l = Line{Kind: Begin, First: p.decimal()}
	case wordRestart:
		l = Line{Kind: Restart}
	case wordStep, wordSkip:
		l = Line{Kind: Committed, Record: run.Record{Skipped: words[0] == wordSkip, Step: p.decimal(),
			Generation: p.decimal(),
			Online:     p.hex(), Momentum: p.hex(), Statistics: p.hex(), Target: p.hex(), Samples: p.hex(),
			Loss: math.Float64frombits(p.hex()), Images: p.decimal(), UnixNano: p.decimal()}}
	default:
		p.err = fmt.Errorf("it begins with %q", words[0])
	}
	if p.err == nil && len(p.words) > 0 {
		p.err = fmt.Errorf("it goes on with %q", p.words[0])
	}
	if p.err != nil {
		return Line{Problem: p.err}
	}
	return l
}

func cutLast(line string) (before, last string, ok bool) {
	i := strings.LastIndexByte(line, ' ')
	if i < 0 {
		return "", "", false
	}
	return line[:i], line[i+1:], true
}

// parser takes numbers off a list of words; the first that is none is its error.
type parser struct {
	words []string
	err   error
}

func (p *parser) next() string {
	if len(p.words) == 0 {
		if p.err == nil {
			p.err = errors.New("it is too short")
		}
		return "0"
	}
	word := p.words[0]
	p.words = p.words[1:]
	return word
}

func (p *parser) keep(err error) {
	if err != nil && p.err == nil {
		p.err = err
	}
}

func (p *parser) decimal() int64 {
	x, err := strconv.ParseInt(p.next(), 10, 64)
	p.keep(err)
	return x
}

func (p *parser) hex() uint64 {
	x, err := strconv.ParseUint(p.next(), 16, 64)
	p.keep(err)
	return x
}
