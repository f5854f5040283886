package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// gpuTable is the table of a check, printed row by row. Its file is written anew with every row, so that a check that
// is cut off leaves what it has.
type gpuTable struct {
	out    io.Writer
	file   string // "": none yet
	dry    bool   // what it is of is no GPU
	facts  []string
	rows   []string
	item   gpuItem
	since  time.Time // the row before
	failed error     // the first that kept a row from being written
}

const gpuHead = "| item | what | result | seconds |\n|---|---|---|---|\n"

func newGPUTable(out io.Writer, facts []string) *gpuTable {
	t := &gpuTable{out: out, facts: facts, since: time.Now()}
	_, t.failed = io.WriteString(out, gpuHead)
	return t
}

// begin says which item the rows to come are of.
func (t *gpuTable) begin(item gpuItem) { t.item, t.since = item, time.Now() }

// row adds a row. The seconds are those since the one before.
func (t *gpuTable) row(what, result string) {
	now := time.Now()
	line := fmt.Sprintf("| %d | %s | %s | %.1f |\n", t.item.number, what, result, now.Sub(t.since).Seconds())
	t.since = now
	t.rows = append(t.rows, line)
	_, err := io.WriteString(t.out, line)
	if err := errors.Join(err, t.write("The check was cut off behind the last row.\n\n")); t.failed == nil {
		t.failed = err
	}
}

// close writes the table as a whole.
func (t *gpuTable) close() error { return errors.Join(t.failed, t.write("")) }

var gpuNotes = []string{
	"Written by `make gpu-check`, which docs/gpu.md explains: (1) what is there, (2) golden files, (3) equal bits, (4) " +
		"speed beside PyTorch's on the same device, (5) a training.",
	"Speed: one worker, one shard, generated input that is sent to the device in every step; a whole step with both " +
		"networks, heads of 4096 and 256 units, synchronised batch norm, LARS and moving average. \"Programs alone\" is a " +
		"pass, without the update, in which nobody waits for sums: a step cannot be shorter. The shares are the host's: " +
		"while it waits for sums, programs run. PyTorch has its input on the device, channels_last, bf16 autocast, the " +
		"same networks and update, and does not wait between steps. A ratio above 1 is faster than PyTorch.",
	"Training: lightly's network, batch, augmentation and k-NN (k 200, T 0.1) for CIFAR-10, as many epochs as the time " +
		"allows with a schedule of that length, and LARS in place of its SGD. lightly reports 86.8 % after 200 epochs.",
}

const gpuDry = "**A dry run** on a plugin for processors, with tiny sizes and generated pictures: it shows that " +
	"everything runs, and its times mean nothing."

// write replaces the file.
func (t *gpuTable) write(remark string) error {
	if t.file == "" {
		return nil
	}
	var b strings.Builder
	b.WriteString("# The check of an accelerator\n\n")
	if t.dry {
		b.WriteString(gpuDry + "\n\n")
	}
	b.WriteString(strings.Join(gpuNotes, "\n\n") + "\n\n")
	for _, f := range t.facts {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	b.WriteString("\n" + remark + gpuHead + strings.Join(t.rows, ""))
	if err := os.MkdirAll(filepath.Dir(t.file), 0o755); err != nil {
		return fmt.Errorf("make folder of the table: %w", err)
	}
	if err := os.WriteFile(t.file, []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	return nil
}
