package report

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// A TensorBoard event file is a sequence of records: the length of the event as 8 little-endian bytes, the masked
// CRC-32C of these, the event, and the masked CRC-32C of the event. Fields of the messages, by number:
//
//	Event      1 wall_time double, 2 step int64, 3 file_version string, 5 summary Summary, 7 session_log SessionLog
//	Summary    1 value repeated Value
//	Value      1 tag string, 2 simple_value float
//	SessionLog 1 status enum (1: START)
const (
	fileVersion  = "brain.Event:2"
	sessionStart = 1
	crcMask      = 0xa282ead8
)

// eventFile is TensorBoard's view of the run.
type eventFile struct {
	file *os.File
	buf  []byte
}

type scalar struct {
	tag   string
	value float64
}

// openEventFile makes a new event file, which says that what was written before for step and later steps is void.
func openEventFile(dir string, step int64, now time.Time) (*eventFile, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	for n := 0; ; n++ {
		name := fmt.Sprintf("events.out.tfevents.%d.%s.%d", now.Unix(), host, n)
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if os.IsExist(err) && n < 1000 {
			continue
		}
		if err != nil {
			return nil, err
		}
		b := &eventFile{file: file}
		version := protowire.AppendString(protowire.AppendTag(nil, 3, protowire.BytesType), fileVersion)
		start := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), sessionStart)
		session := protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), start)
		b.event(now, 0, version)
		b.event(now, step, session)
		return b, b.flush()
	}
}

// event appends the record of an event with the given field.
func (b *eventFile) event(now time.Time, step int64, field []byte) {
	e := protowire.AppendTag(nil, 1, protowire.Fixed64Type)
	e = protowire.AppendFixed64(e, math.Float64bits(float64(now.UnixNano())/1e9))
	if step != 0 {
		e = protowire.AppendVarint(protowire.AppendTag(e, 2, protowire.VarintType), uint64(step))
	}
	e = append(e, field...)
	length := binary.LittleEndian.AppendUint64(nil, uint64(len(e)))
	b.buf = append(b.buf, length...)
	b.buf = binary.LittleEndian.AppendUint32(b.buf, maskedCRC(length))
	b.buf = append(b.buf, e...)
	b.buf = binary.LittleEndian.AppendUint32(b.buf, maskedCRC(e))
}

// maskedCRC rotates and shifts the checksum, so that checksums of data that hold checksums stay good.
func maskedCRC(data []byte) uint32 {
	c := crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli))
	return (c>>15 | c<<17) + crcMask
}

func (b *eventFile) scalars(now time.Time, step int64, values []scalar) error {
	var summary []byte
	for _, s := range values {
		v := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), s.tag)
		v = protowire.AppendFixed32(protowire.AppendTag(v, 2, protowire.Fixed32Type), math.Float32bits(float32(s.value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, 1, protowire.BytesType), v)
	}
	b.event(now, step, protowire.AppendBytes(protowire.AppendTag(nil, 5, protowire.BytesType), summary))
	return b.flush()
}

func (b *eventFile) flush() error {
	_, err := b.file.Write(b.buf)
	b.buf = b.buf[:0]
	return err
}

func (b *eventFile) close() error {
	if err := b.file.Sync(); err != nil {
		return err
	}
	return b.file.Close()
}
