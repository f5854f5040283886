package raftnode

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"byol/coordinator/run"
	pb "byol/proto"
)

// The format of log entries: a version byte, a CRC-32C as 4 little-endian bytes, and a LogEntry (proto/log.proto). Of
// snapshots: a version byte, the length of the LogState as 8 little-endian bytes, a SHA-256, and the LogState. The sums
// are of the version byte and the message.
//
// Version is that of both as they are written. Version 4, which knew no LogStop.code and whose sums were of the message
// alone, is read, too: a run is taken up by a newer program. Version 1 was JSON, version 2 had no checksums, version 3
// no LogSurpass; they are not read any more.
const (
	Version        = 5
	oldest         = 4 // that is read
	entryHeader    = 1 + 4
	entryBytes     = 64 << 10
	snapshotBytes  = 16 << 20
	snapshotHeader = 1 + 8 + sha256.Size
)

// ErrFormat is wrapped by errors about bytes that this version doesn't understand.
var ErrFormat = errors.New("raftnode: unknown format")

// VersionError refuses what a coordinator of another version wrote.
type VersionError struct {
	What string // entry or snapshot
	Have int    // its version
}

// Error says both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("the %s has version %d, this coordinator reads versions %d to %d", e.What, e.Have, oldest, Version)
}

// Unwrap makes it an ErrFormat.
func (e *VersionError) Unwrap() error { return ErrFormat }

// summed is what a sum begins with.
func summed(version byte) []byte {
	if version <= 4 {
		return nil
	}
	return []byte{version}
}

func entrySum(version byte, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(summed(version), castagnoli), castagnoli, body)
}

func snapshotSum(version byte, body []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write(summed(version))
	h.Write(body)
	return [sha256.Size]byte(h.Sum(nil))
}

// encode returns the log entry of c.
func encode(c run.Command) ([]byte, error) {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(entryMessage(c))
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w: %v", c, run.ErrInvalid, err)
	}
	if len(body) > entryBytes-entryHeader {
		return nil, fmt.Errorf("encode %T: %w: %d bytes, at most %d fit the log", c, run.ErrInvalid, len(body), entryBytes)
	}
	entry := binary.LittleEndian.AppendUint32([]byte{Version}, entrySum(Version, body))
	return append(entry, body...), nil
}

// decode reads a log entry. Whatever it doesn't know is an error: skipping it would let coordinators differ.
func decode(entry []byte) (run.Command, error) {
	if len(entry) == 0 || len(entry) > entryBytes {
		return nil, fmt.Errorf("%w: entry of %d bytes", ErrFormat, len(entry))
	}
	if entry[0] < oldest || entry[0] > Version {
		return nil, &VersionError{What: "entry", Have: int(entry[0])}
	}
	if len(entry) < entryHeader ||
		binary.LittleEndian.Uint32(entry[1:]) != entrySum(entry[0], entry[entryHeader:]) {
		return nil, fmt.Errorf("%w: entry of %d bytes is damaged", ErrFormat, len(entry))
	}
	var e pb.LogEntry
	if err := strict(entry[entryHeader:], &e); err != nil {
		return nil, err
	}
	c := command(&e)
	if c == nil {
		return nil, fmt.Errorf("%w: an entry without a command", ErrFormat)
	}
	return c, nil
}

// strict reads m and refuses fields it doesn't know, at any depth.
func strict(text []byte, m proto.Message) error {
	if err := proto.Unmarshal(text, m); err != nil {
		return fmt.Errorf("%w: %v", ErrFormat, err)
	}
	if name := unknown(m.ProtoReflect()); name != "" {
		return fmt.Errorf("%w: %s has fields that this version does not know", ErrFormat, name)
	}
	return nil
}

// unknown names the first message in m that has unknown fields, "" if there is none.
func unknown(m protoreflect.Message) string {
	if len(m.GetUnknown()) > 0 {
		return string(m.Descriptor().Name())
	}
	found := ""
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				if found = unknown(v.List().Get(i).Message()); found != "" {
					break
				}
			}
		default:
			found = unknown(v.Message())
		}
		return found == ""
	})
	return found
}

func writeSnapshot(w io.Writer, s *run.State) error {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(stateMessage(s))
	if err != nil {
		return fmt.Errorf("encode snapshot: %w", err)
	}
	if len(body) > snapshotBytes {
		return fmt.Errorf("encode snapshot: %d bytes, at most %d are read", len(body), snapshotBytes)
	}
	sum := snapshotSum(Version, body)
	header := binary.LittleEndian.AppendUint64([]byte{Version}, uint64(len(body)))
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
	if header[0] < oldest || header[0] > Version {
		return run.State{}, &VersionError{What: "snapshot", Have: int(header[0])}
	}
	n := binary.LittleEndian.Uint64(header[1:])
	if n > snapshotBytes {
		return run.State{}, fmt.Errorf("%w: snapshot of %d bytes", ErrFormat, n)
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(n)+1))
	if err != nil {
		return run.State{}, fmt.Errorf("read snapshot: %w", err)
	}
	if sum := snapshotSum(header[0], body); uint64(len(body)) != n || !bytes.Equal(sum[:], header[9:]) {
		return run.State{}, fmt.Errorf("%w: snapshot of %d bytes is damaged", ErrFormat, len(body))
	}
	var m pb.LogState
	if err := strict(body, &m); err != nil {
		return run.State{}, err
	}
	s := state(&m)
	if err := s.Check(); err != nil {
		return run.State{}, fmt.Errorf("%w: snapshot: %v", ErrFormat, err)
	}
	return s, nil
}
