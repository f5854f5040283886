package allreduce

import (
	"context"
	"fmt"
	"testing"
)

func TestOneRankWithoutSharedMemoryKeepsAllOnTCP(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(*GroupConfig)
		want string
	}{
		{"rank 0", func(c *GroupConfig) { c.NoSharedMemory = c.Rank == 0 }, "tcp (no shared memory: it is switched off)"},
		{"rank 2", func(c *GroupConfig) { c.NoSharedMemory = c.Rank == 2 }, "tcp (no shared memory: it is switched off)"},
		{"hosts", func(c *GroupConfig) { c.NoSharedMemory = false; c.Peers[1].Host = "there" },
			"tcp (no shared memory: the ranks are on several hosts)"},
		{"unknown hosts", func(c *GroupConfig) {
			c.NoSharedMemory = false
			for r := range c.Peers {
				c.Peers[r].Host = ""
			}
		}, "tcp (no shared memory: the ranks are on several hosts)"},
	} {
		groups := testGroups(t, 3, 3, c.edit)
		all := testShards(4, 3, 50_000)
		want := plain(all)
		errs := onAll(3, func(r int) error {
			if got := groups[r].Transport(); got != c.want {
				return fmt.Errorf("connected by %q, want %q", got, c.want)
			}
			out := make([]float32, len(want))
			if err := groups[r].AllReduce(context.Background(), Key{}, mine(groups[r], all), out); err != nil {
				return err
			}
			if at := differ(out, want); at >= 0 {
				return fmt.Errorf("element %d: got %v, want %v", at, out[at], want[at])
			}
			return nil
		})
		for r, err := range errs {
			if err != nil {
				t.Errorf("%s: rank %d: %v", c.name, r, err)
			}
		}
	}
}
