package replica

import (
	"context"

	"byol/internal/network"
	"byol/model"
	"byol/worker/transfer"
)

// Peers is the state that other workers hold. Its error is a *transfer.Error, which says what each of them answered.
type Peers struct {
	Network network.Network
	Peers   []transfer.Peer // in the order in which they are asked
	// Want is what is fetched; its Step is set by Fill.
	Want transfer.Want
	// OnEnd, where set, is told at the end what each peer did.
	OnEnd func(transfer.Report)
}

// Fill implements Source. The learner is left alone until all is there.
func (p Peers) Fill(ctx context.Context, l *model.Learner, step int64) error {
	n, m := l.Parameters(), len(l.Current().Statistics)
	s := transfer.State{Online: make([]float32, n), Momentum: make([]float32, n), Statistics: make([]float32, m),
		Target: make([]float32, n)}
	p.Want.Step = step
	report, err := transfer.Fetch(ctx, p.Network, p.Peers, p.Want, s)
	if p.OnEnd != nil {
		p.OnEnd(report)
	}
	if err != nil {
		return err
	}
	return l.LoadFlat(s.Online, s.Momentum, s.Statistics, s.Target)
}
