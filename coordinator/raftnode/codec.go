package raftnode

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"byol/coordinator/run"
)

// The format of log entries: a version byte and JSON {"kind": …, "command": …}. Of snapshots: a version byte, the
// length of the JSON of the State as 8 little-endian bytes, its SHA-256, and the JSON.
const (
	codecVersion   = 1
	entryBytes     = 64 << 10
	snapshotBytes  = 16 << 20
	snapshotHeader = 1 + 8 + sha256.Size
)

// ErrFormat is wrapped by errors about bytes that this version doesn't understand.
var ErrFormat = errors.New("raftnode: unknown format")

// kinds names each command in the log, for good: a name is never used again for something else.
var kinds = []struct {
	name    string
	command run.Command
}{
	{"create", run.Create{}}, {"join", run.Join{}}, {"leave", run.Leave{}}, {"started", run.Started{}},
	{"commit", run.Commit{}}, {"pause", run.Pause{}}, {"resume", run.Resume{}}, {"request-save", run.RequestSave{}},
	{"saved", run.Saved{}}, {"eval-done", run.EvalDone{}}, {"stop", run.Stop{}}, {"fail", run.Fail{}},
	{"rewind", run.Rewind{}},
}

type envelope struct {
	Kind    string          `json:"kind"`
	Command json.RawMessage `json:"command"`
}

// encode returns the log entry of c.
func encode(c run.Command) ([]byte, error) {
	for _, k := range kinds {
		if reflect.TypeOf(c) != reflect.TypeOf(k.command) {
			continue
		}
		body, err := json.Marshal(c)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", k.name, err)
		}
		entry, err := json.Marshal(envelope{k.name, body})
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", k.name, err)
		}
		if len(entry) >= entryBytes {
			return nil, fmt.Errorf("encode %s: %d bytes, at most %d fit the log", k.name, len(entry), entryBytes)
		}
		return append([]byte{codecVersion}, entry...), nil
	}
	panic(fmt.Sprintf("raftnode: command %T has no name", c))
}

// decode reads a log entry. Whatever it doesn't know is an error: skipping it would let coordinators differ.
func decode(entry []byte) (run.Command, error) {
	if len(entry) == 0 || len(entry) > entryBytes || entry[0] != codecVersion {
		return nil, fmt.Errorf("%w: entry of %d bytes, version %d", ErrFormat, len(entry), first(entry))
	}
	var e envelope
	if err := strict(entry[1:], &e); err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if k.name != e.Kind {
			continue
		}
		c := reflect.New(reflect.TypeOf(k.command))
		if err := strict(e.Command, c.Interface()); err != nil {
			return nil, err
		}
		return c.Elem().Interface().(run.Command), nil
	}
	return nil, fmt.Errorf("%w: command %q", ErrFormat, e.Kind)
}

func first(b []byte) int {
	if len(b) == 0 {
		return -1
	}
	return int(b[0])
}

func strict(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %v", ErrFormat, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: bytes after the end", ErrFormat)
	}
	return nil
}

func writeSnapshot(w io.Writer, s *run.State) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode snapshot: %w", err)
	}
	sum := sha256.Sum256(body)
	header := binary.LittleEndian.AppendUint64([]byte{codecVersion}, uint64(len(body)))
	for _, part := range [][]byte{header, sum[:], body} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("write snapshot: %w", err)
		}
	}
	return nil
}

func readSnapshot(r io.Reader) (run.State, error) {
	var header [snapshotHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return run.State{}, fmt.Errorf("read snapshot: %w", err)
	}
	n := binary.LittleEndian.Uint64(header[1:])
	if header[0] != codecVersion || n > snapshotBytes {
		return run.State{}, fmt.Errorf("%w: snapshot version %d of %d bytes", ErrFormat, header[0], n)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n)+1))
	if err != nil {
		return run.State{}, fmt.Errorf("read snapshot: %w", err)
	}
	if sum := sha256.Sum256(body); uint64(len(body)) != n || !bytes.Equal(sum[:], header[9:]) {
		return run.State{}, fmt.Errorf("%w: snapshot of %d bytes is damaged", ErrFormat, len(body))
	}
	var s run.State
	if err := strict(body, &s); err != nil {
		return run.State{}, err
	}
	if err := s.Check(); err != nil {
		return run.State{}, fmt.Errorf("%w: snapshot: %v", ErrFormat, err)
	}
	return s, nil
}
