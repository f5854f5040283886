package lead

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestLedger: what is lost lies between a break and the next step, less the time of that step; who leads from now on
// begins with the time since another was heard last; and a pause is nobody's fault.
func TestLedger(t *testing.T) {
	t.Parallel()
	at := func(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }
	step := func(b *ledger, end int) string { // of one second
		if r := b.works(at(end), time.Second); !r.Began.IsZero() {
			return fmt.Sprintf("%s since %v", r.Cause, r.Began.Sub(epoch))
		}
		return "well"
	}
	for _, c := range []struct {
		name, want string
		play       func(b *ledger) []string
	}{
		{"the first break counts", "well, worker-lost since 2s, well; recovery 5s, [{worker-lost 4s}], goodput 0.30",
			func(b *ledger) []string {
				first := step(b, 1)
				b.breaks(at(2), "worker-lost")
				b.breaks(at(3), "group-broken")
				return []string{first, step(b, 7), step(b, 8)}
			}},
		{"another leader was heard last at 2s", "leader-changed since 2s; recovery 6s, [{leader-changed 5s}], goodput 0.12",
			func(b *ledger) []string {
				b.inherits(at(5), at(2))
				b.breaks(at(5), "group-broken") // the group is formed again for that
				return []string{step(b, 8)}
			}},
		{"another leader was never heard", "leader-changed since 5s; recovery 3s, [{leader-changed 2s}], goodput 0.20",
			func(b *ledger) []string {
				b.inherits(at(5), time.Time{})
				return []string{step(b, 8)}
			}},
		{"a clock that was set back", "leader-changed since 5s; recovery 3s, [{leader-changed 2s}], goodput 0.20",
			func(b *ledger) []string {
				b.inherits(at(5), at(50))
				return []string{step(b, 8)}
			}},
		{"another leader, and a pause", "well; recovery 2s, [{leader-changed 2s}], goodput 0.14",
			func(b *ledger) []string {
				b.inherits(at(3), at(3))
				b.rests(at(5))
				b.rests(at(6))
				return []string{step(b, 9)}
			}},
	} {
		b := newLedger()
		said := c.play(&b)
		f := b.faults(at(10))
		got := fmt.Sprintf("%s; recovery %v, %v, goodput %.2f", strings.Join(said, ", "), f.Recovery, f.Lost, f.Goodput)
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, got, c.want)
		}
	}
}
