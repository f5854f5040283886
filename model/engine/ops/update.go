package ops

import (
	"byol/model/device"
	"byol/model/engine"
)

// normColumns is how many partial sums the norm of a gradient is added from.
const normColumns = 256

// Update implements engine.Engine.
func (e *Engine) Update(now, next engine.State, rate float64) (squares float64, err error) {
	if e.broken != nil {
		return 0, e.broken
	}
	p, g, rule := e.plan, buffer(e.Gradient(0)), e.plan.network.Rule
	squares = p.gradientSquares(g)
	for _, q := range p.layout.Params {
		of := func(v engine.Vector) device.Buffer { return buffer(v).Slice(q.Off, q.Len) }
		e.dev.LARS(device.LARS{
			W: of(now.Theta), G: g.Slice(q.Off, q.Len), M: of(now.Momentum), W2: of(next.Theta), M2: of(next.Momentum),
			LR: rate, Momentum: rule.Momentum, Decay: rule.Decay, Eta: rule.Eta, Adapt: q.Adapted(),
		})
	}
	next.Theta.(*vector).stale, next.Momentum.(*vector).stale = true, true
	return squares, e.sync("update the parameters")
}

// Average implements engine.Engine.
func (e *Engine) Average(out, theta, xi engine.Vector, rate float64) {
	if e.broken == nil {
		e.dev.EMA(buffer(xi), buffer(theta), buffer(out), rate)
		out.(*vector).stale = true
	}
}

// gradientSquares adds the squares of a gradient. The device's batch-norm sums do the work: the gradient is a matrix
// of normColumns columns and a rest.
func (p *plan) gradientSquares(g device.Buffer) float64 {
	rows := g.Len / normColumns
	sum := 0.0
	if rows > 0 {
		p.scope.BatchNormSums(g.Slice(0, rows*normColumns), rows, normColumns, p.squares[:2*normColumns])
		for _, x := range p.squares[normColumns : 2*normColumns] {
			sum += x
		}
	}
	if rest := g.Len - rows*normColumns; rest > 0 {
		p.scope.BatchNormSums(g.Slice(rows*normColumns, rest), 1, rest, p.squares[:2*rest])
		for _, x := range p.squares[rest : 2*rest] {
			sum += x
		}
	}
	return sum
}
