package cpu

import (
	"errors"
	"slices"
	"testing"

	"byol/model/device"
)

// plain hides what a device can do beside computing.
type plain struct{ device.Device }

// outside is peer memory of 100 elements, handed out to whoever asks.
type outside struct {
	elems       []float32
	asked, back []int
}

func (o *outside) Floats(n int) ([]float32, error) {
	o.asked = append(o.asked, n)
	if n > len(o.elems) {
		return nil, errors.New("no more")
	}
	return o.elems[:n], nil
}

func (o *outside) Free(x []float32) { o.back = append(o.back, len(x)) }

func TestPeerMemoryIsTakenFromItsAllocator(t *testing.T) {
	d, err := New(Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	peers := &outside{elems: make([]float32, 100)}
	lies := func(b device.Buffer) bool { return &d.Host(b)[0] == &peers.elems[0] }
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
		d.UsePeerMemory(peers)
	}
	if !slices.Equal(peers.asked, []int{10, 101}) {
		t.Errorf("the allocator was asked for %v, want for 10 and 101 elements", peers.asked)
	}
	scope := d.Scope()
	if b, err := device.AllocPeer(scope, 20); err != nil || !lies(b) {
		t.Errorf("a scope does not take peer memory: %v", err)
	}
	if err := errors.Join(scope.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(peers.back, []int{20, 10}) {
		t.Errorf("%v elements were given back, want the scope's 20, then the device's 10", peers.back)
	}
}
