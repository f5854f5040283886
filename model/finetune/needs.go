package finetune

import "byol/model/device"

// hostVectors are parameters, momentum, gradient and that of a pass on the host, and the first two once more in a state
// that is saved.
const hostVectors = 6

// Needs is about how many bytes a training on n images takes on a device of the host; what that needs for convolutions
// is not in it.
func Needs(c Config, n int) (int64, error) {
	t := &tally{}
	net, err := newNetwork(t, c.Fitted(n))
	if err != nil {
		return 0, err
	}
	return 4 * (t.elements + hostVectors*int64(net.layout.Size)), nil
}

// tally is a device that only counts what is asked of it. It computes nothing.
type tally struct {
	device.Device
	elements int64
}

// Name implements device.Device.
func (*tally) Name() string { return "tally" }

// Alloc implements device.Device.
func (t *tally) Alloc(n int) (device.Buffer, error) {
	t.elements += int64(n)
	return device.Buffer{Mem: counted(n), Len: n}, nil
}

// Conv implements device.Device.
func (*tally) Conv(device.ConvShape) (device.Conv, error) { return nil, nil }

// counted is memory that is not there.
type counted int

// Elements implements device.Memory.
func (n counted) Elements() int { return int(n) }
