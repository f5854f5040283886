package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestKernelsAreFresh runs the generator as go generate does, and wants the files that are there but for the line that
// names the command.
func TestKernelsAreFresh(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	program := filepath.Join(t.TempDir(), "asm")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, of := range []string{"views", "jpeg"} {
		dir := t.TempDir()
		if out, err := exec.Command(program, "-for", of, "-dir", dir).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", of, err, out)
		}
		for _, name := range []string{"kernels_amd64.s", "kernels_amd64.go"} {
			got, want := body(t, filepath.Join(dir, name)), body(t, filepath.Join("..", of, name))
			if !bytes.Equal(got, want) {
				t.Errorf("%s/%s is not what the generator writes: go generate ./worker/data/%s", of, name, of)
			}
		}
	}
	out, err := exec.Command(program, "-for", "sound").CombinedOutput()
	if err == nil || !strings.Contains(string(out), `-for "sound": it is views or jpeg`) {
		t.Errorf("another package: %v, %s", err, out)
	}
}

// body is a generated file without its first line.
func body(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(b, []byte("\n"))
	return rest
}

// TestTables compares the constants of both passes of the inverse transform, packed in pairs, with the formula of the
// cosine transform: output x gets of coefficient k 8192·√2·c(k)·cos((2x+1)kπ/16), c(0) = √½, others 1, rounded a
// few times.
func TestTables(t *testing.T) {
	want := func(x, k int) float64 {
		c := 1.0
		if k == 0 {
			c = math.Sqrt(0.5)
		}
		return 8192 * math.Sqrt2 * c * math.Cos(float64((2*x+1)*k)*math.Pi/16)
	}
	rows := acrossRows()
	for x := range 8 {
		for k := range 8 {
			got := int16(rows[k/2][x] >> (16 * (k % 2)))
			if math.Abs(float64(got)-want(x, k)) > 3 {
				t.Errorf("output %d gets %d of coefficient %d, want %.1f", x, got, k, want(x, k))
			}
			if x < 4 && basis[x][k] != int(got) {
				t.Errorf("output %d gets %d of coefficient %d across, %d down", x, got, k, basis[x][k])
			}
		}
	}
	for _, c := range []struct {
		lo, hi int
		want   uint32
	}{{1, 2, 0x00020001}, {-1, 0, 0x0000ffff}, {0, -2, 0xfffe0000}, {-32768, 32767, 0x7fff8000}} {
		if got := pair(c.lo, c.hi); got != c.want {
			t.Errorf("pair(%d, %d) is %#x, want %#x", c.lo, c.hi, got, c.want)
		}
	}
	if row := alike(7); row != [8]uint32{7, 7, 7, 7, 7, 7, 7, 7} {
		t.Errorf("alike: %v", row)
	}
}
