package allreduce

import (
	"bytes"
	"testing"
)

// FuzzHello: whatever a stranger sends as his hello is judged or refused, and a hello that was read is what was sent.
func FuzzHello(f *testing.F) {
	var b bytes.Buffer
	mine := hello{role: roleRing, generation: 3, members: 7, rank: 1, want: 2, size: 4, run: "run"}
	if err := mine.send(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes()[4:])
	f.Add(make([]byte, helloBytes))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, err := receiveHello(bytes.NewReader(text))
		if err != nil {
			return
		}
		if v := mine.judge(h); v == welcome && (h.rank < 0 || h.rank >= mine.size || h.run != mine.run) {
			t.Errorf("%+v is welcome", h)
		}
		var again bytes.Buffer
		if err := h.send(&again); err != nil {
			t.Fatal(err)
		}
		if got, err := receiveHello(bytes.NewReader(again.Bytes()[4:])); err != nil || got != h {
			t.Errorf("sent %+v, read %+v, %v", h, got, err)
		}
	})
}
