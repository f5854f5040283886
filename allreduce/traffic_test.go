package allreduce

import (
	"errors"
	"testing"

	"byol/allreduce/link"
	"byol/allreduce/memlink"
)

// TestTraffic counts the bytes of payloads both ways, and not those that could not be sent.
func TestTraffic(t *testing.T) {
	var ours, theirs Traffic
	a, b := memlink.Pair(link.Options{})
	from, to := ours.over(a), theirs.over(b)
	payload := []byte("gradients")
	h := link.Header{Kind: link.Node, Length: uint32(len(payload)), Sum: link.Checksum(payload)}
	sent := make(chan error, 1)
	go func() { sent <- from.Send(h, payload) }()
	got, err := to.RecvHeader()
	if err != nil {
		t.Fatal(err)
	}
	if err := to.RecvPayload(make([]byte, got.Length)); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if ours.Sent() != 9 || ours.Received() != 0 || theirs.Received() != 9 || theirs.Sent() != 0 {
		t.Errorf("sent %d, received %d", ours.Sent(), theirs.Received())
	}
	if err := errors.Join(from.Close(), to.Close()); err != nil {
		t.Fatal(err)
	}
	if err := from.Send(h, payload); err == nil || ours.Sent() != 9 {
		t.Errorf("%v on a closed link; %d bytes are counted", err, ours.Sent())
	}
	var none *Traffic
	if none.over(a) != link.Link(a) || ours.over(nil) != nil {
		t.Error("nobody counts, or nothing is carried, and the link is another")
	}
}
