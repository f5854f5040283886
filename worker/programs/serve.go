package programs

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"byol/model/pjrt/share"
)

// request is what one connection asks for.
type request struct {
	what     what
	run      string
	platform share.Platform
	keys     []share.Key
	seal     share.Seal // of what is fetched
}

func (q request) encode() []byte {
	b := make([]byte, requestBytes, requestBytes+len(q.run)+len(q.keys)*keyBytes+sealBytes)
	binary.LittleEndian.PutUint32(b, Magic)
	binary.LittleEndian.PutUint16(b[4:], version)
	b[6], b[7] = byte(q.what), byte(len(q.run))
	copy(b[8:], q.platform[:])
	binary.LittleEndian.PutUint16(b[40:], uint16(len(q.keys)))
	b = append(b, q.run...)
	for _, k := range q.keys {
		b = append(b, k[:]...)
	}
	if q.what == fetch {
		b = append(b, q.seal[:]...)
	}
	return b
}

// receiveRequest reads what follows Magic.
func receiveRequest(r io.Reader) (request, error) {
	var head [requestBytes]byte
	if _, err := io.ReadFull(r, head[4:]); err != nil {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	q := request{what: what(head[6]), platform: share.Platform(head[8:40])}
	v, n := binary.LittleEndian.Uint16(head[4:]), int(binary.LittleEndian.Uint16(head[40:]))
	if v != version || q.what != look && q.what != fetch || n > mostKeys || q.what == fetch && n != 1 {
		return request{}, fmt.Errorf("read request: version %d, asks for %d, %d keys", v, q.what, n)
	}
	rest := int(head[7]) + n*keyBytes
	if q.what == fetch {
		rest += sealBytes
	}
	b := make([]byte, rest)
	if _, err := io.ReadFull(r, b); err != nil {
		return request{}, fmt.Errorf("read request: %w", err)
	}
	q.run, b = string(b[:head[7]]), b[head[7]:]
	q.keys = make([]share.Key, n)
	for i := range q.keys {
		q.keys[i], b = share.Key(b[:keyBytes]), b[keyBytes:]
	}
	if q.what == fetch {
		q.seal = share.Seal(b)
	}
	return q, nil
}

// Serve answers one connection, whose Magic has been read. It returns when the peer has its answer, has gone or is too
// slow, or ctx has ended.
func (x *Exchange) Serve(ctx context.Context, conn net.Conn) {
	detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer detach()
	l := &line{conn: conn, silence: x.silence, end: time.Now().Add(whole)}
	q, err := receiveRequest(l)
	if err != nil {
		return
	}
	v, body := busy, []byte(nil)
	select {
	case x.served <- struct{}{}:
		defer func() { <-x.served }()
		v, body = x.answer(q)
	default:
	}
	head := make([]byte, answerBytes)
	binary.LittleEndian.PutUint32(head, Magic)
	head[4] = byte(v)
	binary.LittleEndian.PutUint64(head[8:], uint64(len(body)))
	if l.write(head) == nil {
		_ = l.write(body) // the peer notices
	}
}

// answer is what a request gets.
func (x *Exchange) answer(q request) (verdict, []byte) {
	x.mu.Lock()
	shelf := x.shelf
	x.mu.Unlock()
	switch {
	case q.run != x.run:
		return otherRun, nil
	case shelf == nil || q.platform != shelf.Platform(): // without a shelf, its engine compiles nothing
		return other, nil
	case q.what == fetch:
		if code := shelf.Code(q.keys[0], q.seal); code != nil && len(code) <= mostCode {
			return granted, code
		}
		return missing, nil
	}
	var body []byte
	for _, e := range shelf.Look(q.keys) {
		body = append(append(body, byte(e.State)), e.Seal[:]...)
	}
	return granted, body
}
