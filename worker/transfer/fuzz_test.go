package transfer

import (
	"bytes"
	"testing"
)

// FuzzRequest: a request that is read names a vector that there is, and is what was sent.
func FuzzRequest(f *testing.F) {
	var b bytes.Buffer
	if err := (request{blocks: true, step: 7, vector: 1, block: 3, run: "run"}).send(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes()[4:])
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := receiveRequest(bytes.NewReader(text))
		if err != nil {
			return
		}
		if q.vector < 0 || q.vector >= vectors || q.block < 0 {
			t.Errorf("vector %d, block %d", q.vector, q.block)
		}
		var again bytes.Buffer
		if err := q.send(&again); err != nil {
			t.Fatal(err)
		}
		if got, err := receiveRequest(bytes.NewReader(again.Bytes()[4:])); err != nil || got != q {
			t.Errorf("sent %+v, read %+v, %v", q, got, err)
		}
	})
}

// FuzzAnswer: what comes instead of an answer, or of a piece's head, is an error or a value.
func FuzzAnswer(f *testing.F) {
	var b bytes.Buffer
	if err := (answer{verdict: granted, held: 3}).send(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		if a, err := receiveAnswer(bytes.NewReader(text)); err == nil && (a.verdict < granted || a.verdict > lastVerdict) {
			t.Errorf("verdict %d", a.verdict)
		}
		if len(text) >= headBytes {
			if h, err := decodeHead(text); err == nil {
				b := make([]byte, headBytes)
				h.encode(b)
				if got, err := decodeHead(b); err != nil || got != h {
					t.Errorf("wrote %+v, read %+v, %v", h, got, err)
				}
			}
		}
	})
}
