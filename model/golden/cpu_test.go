package golden_test

import (
	"testing"

	"byol/model/device/cpu"
)

func TestCPU(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	verifyAll(t, on(dev))
}
