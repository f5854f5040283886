package golden

import "byol/model/device"

// Rounded is a device that rounds as the oracle of engines in bfloat16 does, but one kind of numbers: "products",
// "activations", "gradients", "weights", or "" for none.
func Rounded(dev device.Device, but string) device.Device {
	r := &rounded{Device: dev, classes: goldenClasses}
	if but == "" {
		return r
	}
	return &careless{r, but}
}

// goldenClasses is how many classes the golden files have.
const goldenClasses = 5

// careless is rounded but for one kind of numbers.
type careless struct {
	*rounded
	but string
}

func (d *careless) BatchNormApply(a device.BatchNorm) {
	if d.but == "activations" {
		d.Device.BatchNormApply(a)
		return
	}
	d.rounded.BatchNormApply(a)
}

func (d *careless) BatchNormGradApply(a device.BatchNormGrad, sums []float64, count float64) {
	if d.but == "gradients" {
		d.Device.BatchNormGradApply(a, sums, count)
		return
	}
	d.rounded.BatchNormGradApply(a, sums, count)
}

func (d *careless) Conv(s device.ConvShape) (device.Conv, error) {
	c, err := d.rounded.Conv(s)
	if err != nil {
		return nil, err
	}
	return carelessConv{c.(*roundedConv), d.but}, nil
}

type carelessConv struct {
	*roundedConv
	but string
}

func (c carelessConv) Pack(w device.Buffer) {
	if c.but == "weights" {
		c.inner.Pack(w)
		return
	}
	c.roundedConv.Pack(w)
}

func (c carelessConv) Forward(x, y device.Buffer, n int) {
	if c.but == "products" {
		c.inner.Forward(x, y, n)
		return
	}
	c.roundedConv.Forward(x, y, n)
}
