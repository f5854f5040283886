package secure

import (
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/network/memory"
)

// TestStrangersByAddress: each address has so many at once and so many a second; who is known does not count.
func TestStrangersByAddress(t *testing.T) {
	s, now := strangers{}, time.Unix(1000, 0)
	heard := func(from string, tries int) (n int) {
		for range tries {
			if s.came(from, now) {
				n++
			}
		}
		return n
	}
	if got := heard("a", 2*strangersAtOnce); got != strangersAtOnce {
		t.Errorf("%d at once, want %d", got, strangersAtOnce)
	}
	if got := heard("b", 1); got != 1 {
		t.Error("another address is not heard")
	}
	now = now.Add(2 * time.Second)
	if got := heard("a", strangersAtOnce); got != 2*strangersPerSecond {
		t.Errorf("%d in the two seconds after, want %d", got, 2*strangersPerSecond)
	}
	s.known("a", now)
	if got := heard("a", 2); got != 1 {
		t.Errorf("%d in place of one that is known, want 1", got)
	}
	for range 10 * strangersAtOnce { // honest ones are never too many
		if !s.came("c", now) {
			t.Fatal("an honest one is not heard")
		}
		s.known("c", now)
	}
	if _, ok := s["c"]; ok {
		t.Error("what is paid is remembered")
	}
}

// TestStrangersAreForgotten: what is remembered is bounded, and what still counts outlives what is paid.
func TestStrangersAreForgotten(t *testing.T) {
	s, now := strangers{}, time.Unix(1000, 0)
	for range strangersAtOnce {
		s.came("insistent", now)
	}
	for i := range 10 * mostAddresses {
		if !s.came(fmt.Sprint(i), now) {
			t.Fatalf("address %d is not heard", i)
		}
		now = now.Add(time.Millisecond / 4)
		if len(s) > mostAddresses {
			t.Fatalf("%d addresses are remembered", len(s))
		}
	}
	if s["insistent"].left(now) == 0 {
		t.Error("who came most is forgotten")
	}
	for i := range 2 * mostAddresses { // all in debt at once
		s.came(fmt.Sprint("many ", i), now)
	}
	if len(s) > mostAddresses {
		t.Errorf("%d addresses are remembered", len(s))
	}
}

func TestOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"10.0.0.1:7":                    "10.0.0.1",
		"[::ffff:10.0.0.1]:7":           "10.0.0.1",
		"[2001:db8:1:2:3:4:5:6]:7":      "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff:4:5:6]:9":   "2001:db8:1:2::/64",
		"[fe80::1%eth0]:7":              "fe80::/64",
		"host:7":                        "host",
		"what has no port and no colon": "what has no port and no colon",
	} {
		if got := origin(address(text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// address is one that says what it is told.
type address string

func (address) Network() string  { return "test" }
func (a address) String() string { return string(a) }

// TestTooManyStrangers: an address of which too many came is turned away, told of once for each, and heard again later;
// others are heard all the time.
func TestTooManyStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := memory.New()
		p := place(t, m.Host("a"), m.Host("b"), "a:0")
		turned := 0
		p.Listener.(*Network).Refused = func(_ net.Addr, why error) {
			if why == errTooMany {
				turned++
			}
		}
		l, err := p.Listener.Listen(t.Context(), p.Address)
		if err != nil {
			t.Fatal(err)
		}
		for range strangersAtOnce + 100 {
			c, err := m.Host("x").Dial(t.Context(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			_ = c.Close()
		}
		synctest.Wait()
		if turned != 100 {
			t.Errorf("%d were turned away, want 100", turned)
		}
		visit := func(from string) error {
			n := *p.Dialer.(*Network)
			n.Inner = m.Host(from)
			c, err := n.Dial(t.Context(), l.Addr().String())
			if err != nil {
				return err
			}
			defer c.Close()
			far, err := l.Accept()
			if err == nil {
				err = far.Close()
			}
			return err
		}
		if err := visit("b"); err != nil {
			t.Errorf("from another address: %v", err)
		}
		if err := visit("x"); err == nil {
			t.Error("an address of which too many came is heard")
		}
		time.Sleep(time.Second)
		if err := visit("x"); err != nil {
			t.Errorf("a second later: %v", err)
		}
		_ = l.Close()
	})
}
