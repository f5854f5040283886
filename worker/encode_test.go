package worker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"byol/internal/failure"
	"byol/internal/network"
)

// TestEncodeGivesUp: something takes connections and ends them at once, as a coordinator with TLS does to a worker
// without. The worker ends with words after its join timeout.
func TestEncodeGivesUp(t *testing.T) {
	l, err := network.System{}.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.Close() // the stranger is not wanted
		}
	}()
	err = Encode(t.Context(), Options{Coordinator: l.Addr().String(), JoinTimeout: 300 * time.Millisecond})
	var f *failure.Failure
	if !errors.As(err, &f) || f.Code != failure.Unreachable || !strings.Contains(f.Try, "it may want TLS") {
		t.Errorf("got %v", err)
	}
}
