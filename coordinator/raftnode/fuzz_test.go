package raftnode

import (
	"bytes"
	"testing"
)

// FuzzGreeting: what a stranger sends instead of a coordinator's greeting is an error, or a greeting of bounded length,
// and not a byte behind it is read.
func FuzzGreeting(f *testing.F) {
	var b bytes.Buffer
	if err := writeFrame(&b, &hello{Run: "r", From: "a", To: "b"}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(helloMagic + "\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := bytes.NewReader(text)
		var h hello
		if err := readFrame(r, &h); err != nil {
			return
		}
		if read := len(text) - r.Len(); read > helloBytes+len(helloMagic)+4 {
			t.Errorf("%d bytes were read", read)
		}
		if got := Dialler(text); got != h.From {
			t.Errorf("the dialler is %q and %q", got, h.From)
		}
	})
}
