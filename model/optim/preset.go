package optim

// WarmupEpochs is how many epochs the learning rate rises in every preset.
const WarmupEpochs = 10

// Preset is one published setting of BYOL on ImageNet.
type Preset struct {
	Name        string
	Epochs      int
	BaseLR      float64 // learning rate of a batch of 256
	WeightDecay float64
	BaseTau     float64
}

// Presets returns the four settings of the released code, the shortest first.
func Presets() []Preset {
	return []Preset{
		{Name: "byol-40ep", Epochs: 40, BaseLR: 0.45, WeightDecay: 1e-6, BaseTau: 0.97},
		{Name: "byol-100ep", Epochs: 100, BaseLR: 0.45, WeightDecay: 1e-6, BaseTau: 0.99},
		{Name: "byol-300ep", Epochs: 300, BaseLR: 0.3, WeightDecay: 1e-6, BaseTau: 0.99},
		{Name: "byol-1000ep", Epochs: 1000, BaseLR: 0.2, WeightDecay: 1.5e-6, BaseTau: 0.996},
	}
}
