// Package trace keeps what workers did when, step by step, and shows it: as a file for Perfetto (Write), and as one
// step of all workers on the live page (Chart).
//
// A Log is two files of the run directory, trace.log and trace.1.log, of 16 MiB each at most: the newest steps, some
// thousands of one worker's, or hundreds of eight. It is written by whoever leads. A record is its length and its
// CRC-32C, four little-endian bytes each, and a TraceRecord of proto/worker.proto.
//
// Steps are counted as people do, as in metrics.jsonl: step 1 is the first. Times are the coordinator's; each record
// says how far the worker's clock is off, as far as the times of messages between them tell.
//
// A Log belongs to one goroutine; everything else is a function of its operands.
//
// # When it fails
//
// Nothing depends on a trace. A record that a crash tore is cut off when the files are opened again, and passed over
// when they are read; a step of which not all is there is shown as far as it is.
package trace

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	pb "byol/proto"
)

// File is the name of the newer file in a run directory, Older that of the one before.
const (
	File  = "trace.log"
	Older = "trace.1.log"
)

const (
	headBytes = 8
	// mostRecord bounds one record: a worker says no more than fits a message.
	mostRecord = 2 << 20
	// mostBytes bounds a file.
	mostBytes = 16 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Log writes records.
type Log struct {
	dir  string
	most int64 // bytes of a file
	file *os.File
	end  int64
}

// Open goes on with the files in dir, or begins them.
func Open(dir string) (*Log, error) {
	l := &Log{dir: dir, most: mostBytes}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("open trace: %w", err)
	}
	return l, nil
}

func (l *Log) open() error {
	file, err := os.OpenFile(filepath.Join(l.dir, File), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	l.file, l.end = file, 0
	if err := scan(file, func(r []byte) { l.end += headBytes + int64(len(r)) }); err != nil {
		return errors.Join(err, file.Close())
	}
	return nil
}

// Add appends a record. What an attempt that failed has left is written over.
func (l *Log) Add(r *pb.TraceRecord) error {
	body, err := proto.Marshal(r)
	if err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	text := binary.LittleEndian.AppendUint32(nil, uint32(len(body)))
	text = binary.LittleEndian.AppendUint32(text, crc32.Checksum(body, castagnoli))
	text = append(text, body...)
	if l.end > 0 && l.end+int64(len(text)) > l.most {
		if err := l.turn(); err != nil {
			return fmt.Errorf("turn trace over: %w", err)
		}
	}
	if err := l.file.Truncate(l.end); err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	n, err := l.file.WriteAt(text, l.end)
	if err != nil {
		return fmt.Errorf("write trace: %w", err)
	}
	l.end += int64(n)
	return nil
}

// turn begins another file; the one before the last is forgotten.
func (l *Log) turn() error {
	if err := os.Rename(filepath.Join(l.dir, File), filepath.Join(l.dir, Older)); err != nil {
		return err
	}
	old := l.file
	if err := l.open(); err != nil {
		l.file = old // it is written to until the next one can be opened
		return err
	}
	return old.Close()
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// scan calls f for each whole record. A torn or damaged one is the end.
func scan(r io.Reader, f func(record []byte)) error {
	in := bufio.NewReaderSize(r, 1<<20)
	var head [headBytes]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return unlessEnd(err)
		}
		n := binary.LittleEndian.Uint32(head[:4])
		if n > mostRecord {
			return nil
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(in, body); err != nil {
			return unlessEnd(err)
		}
		if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(head[4:]) {
			return nil
		}
		f(body)
	}
}

func unlessEnd(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Read gives the records in dir, oldest first. There are none where nothing was traced.
func Read(dir string) ([]*pb.TraceRecord, error) {
	var all []*pb.TraceRecord
	for _, name := range []string{Older, File} {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read trace: %w", err)
		}
		err = scan(f, func(body []byte) {
			r := &pb.TraceRecord{}
			if proto.Unmarshal(body, r) == nil && Whole(r.GetTrace()) {
				all = append(all, r)
			}
		})
		_ = f.Close() // it was read
		if err != nil {
			return nil, fmt.Errorf("read trace: %w", err)
		}
	}
	return all, nil
}

// What a trace of a worker may hold.
const (
	mostSpans  = 4096
	mostNames  = 256
	mostMicros = 1 << 50 // of a begin or a length: thirty years
)

// Whole reports whether a trace says what can be understood: it comes from elsewhere.
func Whole(t *pb.Trace) bool {
	if t == nil || len(t.GetNames()) > mostNames || len(t.GetSpans()) > mostSpans || t.GetBeginUnixNanos() < 0 {
		return false
	}
	for _, s := range t.GetSpans() {
		if int(s.GetName()) >= len(t.GetNames()) || s.GetBeginMicros() < 0 || s.GetBeginMicros() > mostMicros ||
			s.GetMicros() < 0 || s.GetMicros() > mostMicros {
			return false
		}
	}
	return true
}
