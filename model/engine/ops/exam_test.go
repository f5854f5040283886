package ops_test

import (
	"errors"
	"testing"

	"byol/model/device"
	"byol/model/device/cpu"
	"byol/model/device/reference"
	"byol/model/engine"
	"byol/model/engine/enginetest"
	"byol/model/engine/ops"
)

func onCPU(threads int) device.Device {
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		panic(err)
	}
	return dev
}

// hidden is a device whose memory the host does not address.
type hidden struct{ device.Device }

func TestExam(t *testing.T) {
	for name, open := range map[string]func() engine.Engine{
		"cpu":       func() engine.Engine { return ops.New(onCPU(2), nil) },
		"reference": func() engine.Engine { return ops.New(reference.New(32), nil) },
		"hidden":    func() engine.Engine { return ops.New(hidden{onCPU(1)}, nil) },
	} {
		t.Run(name, func(t *testing.T) { enginetest.Run(t, open) })
	}
}

// failing is a device whose Sync fails once, after left more of them.
type failing struct {
	device.Device
	left int
}

var errLost = errors.New("the device fell off the bus")

func (f *failing) Sync() error {
	if f.left--; f.left == -1 {
		return errLost
	}
	return f.Device.Sync()
}

func TestDamage(t *testing.T) {
	enginetest.Damage(t, func() (engine.Engine, func(n int)) {
		dev := &failing{reference.New(32), 1 << 30}
		return ops.New(dev, nil), func(n int) { dev.left = n }
	})
}
