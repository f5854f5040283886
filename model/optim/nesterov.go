package optim

// Nesterov makes a step of gradient descent with Nesterov's momentum: v' = momentum·v + g and
// w' = w − rate·(g + momentum·v'), as PyTorch's SGD does. Products and sums are rounded each by itself, so that the
// bits are the same on all machines.
func Nesterov(w, v, g []float32, rate, momentum float32) {
	for i := range w {
		v[i] = float32(momentum*v[i]) + g[i]
		along := float32(momentum*v[i]) + g[i]
		w[i] -= float32(rate * along)
	}
}
