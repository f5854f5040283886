package worker

import (
	"context"
	"slices"
	"sync"
	"testing"

	"byol/model/engine"
	"byol/model/pjrt/share"
	pb "byol/proto"
)

// shelved is a share.Shelf that has every program.
type shelved struct{}

func (shelved) Platform() share.Platform { return share.Platform{1} }

func (shelved) Look(keys []share.Key) []share.Entry {
	entries := make([]share.Entry, len(keys))
	for i := range entries {
		entries[i] = share.Entry{State: share.Stored, Seal: share.SealOf([]byte("program"))}
	}
	return entries
}

func (shelved) Code(share.Key, share.Seal) []byte { return []byte("program") }

// planning is an engine that does something before its first plan.
type planning struct {
	engine.Engine
	once sync.Once
	f    func(ctx context.Context)
}

func (p *planning) Plan(ctx context.Context, n engine.Network, c engine.Cut) (*engine.Stages, error) {
	p.once.Do(func() { p.f(ctx) })
	return p.Engine.Plan(ctx, n, c)
}

// TestSharing: when an engine plans it reaches the workers of the group's other machines, and they give what is on
// their shelf; where programs are not shared there is nobody to ask.
func TestSharing(t *testing.T) {
	for _, shared := range []bool{true, false} {
		var mu sync.Mutex // guards asked
		asked := 0
		elsewhere := func(_ int, m *pb.ToWorker) *pb.ToWorker { // rank 1 is on another machine
			if p := m.GetPlan(); p != nil && p.Peers[1] != nil {
				p.Peers[1].Host = "elsewhere"
			}
			return m
		}
		trained(t, &conductor{workers: 2, until: 1, cfg: tiny(t), hook: elsewhere}, func(rank int, o *Options) {
			o.SharePrograms = shared
			o.OpenEngine = func(o EngineOptions) (engine.Engine, error) {
				e, err := openTestEngine(o)
				if err != nil || (o.Programs == nil) == shared {
					t.Errorf("programs are shared by %v, %v", o.Programs, err)
				}
				switch {
				case o.Programs == nil:
				case rank == 1:
					o.Programs.Offer(shelved{})
				default:
					e = &planning{Engine: e, f: func(ctx context.Context) {
						mu.Lock()
						defer mu.Unlock()
						asked++
						if _, others := o.Programs.Hosts(); !slices.Equal(others, []string{"elsewhere"}) {
							t.Errorf("others are %v", others)
						}
						code, err := o.Programs.Fetch(ctx, "elsewhere", share.Platform{1}, share.Key{}, share.SealOf([]byte("program")))
						if err != nil || string(code) != "program" {
							t.Errorf("got %q, %v", code, err)
						}
					}}
				}
				return e, err
			}
		})
		if (asked == 1) != shared {
			t.Errorf("shared %v: asked %d times", shared, asked)
		}
	}
}
