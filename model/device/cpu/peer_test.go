package cpu

import (
	"errors"
	"testing"

	"byol/model/device"
)

// plain hides what a device can do beside computing.
type plain struct{ device.Device }

func TestPeerMemoryIsTakenFromItsAllocator(t *testing.T) {
	d, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	outside := make([]float32, 100)
	var asked []int
	alloc := func(n int) ([]float32, error) {
		asked = append(asked, n)
		if n > len(outside) {
			return nil, errors.New("no more")
		}
		return outside[:n], nil
	}
	lies := func(b device.Buffer) bool { return &d.Host(b)[0] == &outside[0] }
	for _, c := range []struct {
		name string
		dev  device.Device
		n    int
		want bool // it lies outside
	}{
		{"a device that was given none", d, 10, false},
		{"a device that was given some", d, 10, true},
		{"more than there is", d, 101, false},
		{"a device that cannot", plain{d}, 10, false},
	} {
		b, err := device.AllocPeer(c.dev, c.n)
		if err != nil || b.Len != c.n || lies(b) != c.want {
			t.Errorf("%s: got %d elements, in peer memory %v (error %v); want %d, %v", c.name, b.Len, lies(b), err, c.n, c.want)
		}
		d.Fill(b, 3)
		if d.Host(b)[c.n-1] != 3 {
			t.Errorf("%s: an operation does not reach the memory", c.name)
		}
		d.UsePeerMemory(alloc)
	}
	if len(asked) != 2 {
		t.Errorf("the allocator was asked for %v, want for 10 and 101 elements", asked)
	}
}
