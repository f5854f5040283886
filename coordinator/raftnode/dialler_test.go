package raftnode

import (
	"bytes"
	"testing"
)

// TestDialler: who dialled is told by a whole greeting, whatever follows it, and by nothing less.
func TestDialler(t *testing.T) {
	var greeting bytes.Buffer
	if err := writeFrame(&greeting, hello{Run: "r", From: "b", To: "a"}); err != nil {
		t.Fatal(err)
	}
	text := greeting.Bytes()
	for n := range text {
		if got := Dialler(text[:n]); got != "" {
			t.Fatalf("%q after %d of %d bytes", got, n, len(text))
		}
	}
	if got := Dialler(append(text, "what raft says"...)); got != "b" {
		t.Errorf("got %q, want b", got)
	}
	if got := Dialler([]byte("GET / HTTP/1.1\r\n\r\n and so on")); got != "" {
		t.Errorf("a stranger is called %q", got)
	}
}
