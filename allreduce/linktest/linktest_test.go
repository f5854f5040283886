package linktest

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"byol/allreduce/link"
	"byol/allreduce/memlink"
)

// plantedVariable makes TestPlanted examine a link with the fault of that name.
const plantedVariable = "BYOL_TEST_PLANTED"

// planted is a link that does one thing wrong.
type planted struct {
	link.Link
	fault string
	held  []func() error // sends that come later
}

func (p *planted) Send(h link.Header, payload []byte) error {
	switch p.fault {
	case "damages":
		payload = bytes.Clone(payload)
		if len(payload) > 40_000 {
			payload[len(payload)/2] ^= 1
		}
	case "forgets the step":
		h.Step = 0
	case "turns frames round":
		kept := bytes.Clone(payload)
		if p.held = append(p.held, func() error { return p.Link.Send(h, kept) }); len(p.held) < 2 {
			return nil
		}
		last, first := p.held[1], p.held[0]
		p.held = nil
		if err := last(); err != nil {
			return err
		}
		return first()
	}
	return p.Link.Send(h, payload)
}

func (p *planted) RecvHeader() (link.Header, error) {
	h, err := p.Link.RecvHeader()
	switch {
	case err == nil:
	case p.fault == "hides the end", p.fault == "hides the deadline" && err == link.ErrTimeout:
		time.Sleep(2 * prompt)
		return h, link.ErrFrame
	}
	return h, err
}

func (p *planted) CloseWith(h link.Header, payload []byte) error {
	if p.fault == "has no last word" {
		return p.Close()
	}
	return p.Link.CloseWith(h, payload)
}

func (p *planted) Close() error {
	if p.fault == "stays open" {
		return nil
	}
	return p.Link.Close()
}

// TestPlanted is the exam of a faulty link; it is run by TestTheExamSeesFaults alone.
func TestPlanted(t *testing.T) {
	fault := os.Getenv(plantedVariable)
	if fault == "" {
		t.Skip("TestTheExamSeesFaults runs it")
	}
	Run(t, func(_ *testing.T, opts link.Options) (link.Link, link.Link) {
		a, b := memlink.Pair(opts)
		return &planted{Link: a, fault: fault}, &planted{Link: b, fault: fault}
	})
}

// TestTheExamSeesFaults: each planted fault fails the case that is about it, and a link without one passes.
func TestTheExamSeesFaults(t *testing.T) {
	for _, c := range []struct{ fault, fails string }{
		{"none", ""},
		{"damages", "frames_arrive_in_order_and_whole"},
		{"forgets the step", "frames_arrive_in_order_and_whole"},
		{"turns frames round", "frames_arrive_in_order_and_whole"},
		{"hides the end", "close_wakes_the_receiver"},
		{"hides the deadline", "receive_has_a_deadline"},
		{"has no last word", "close_with_a_last_word"},
		{"stays open", "close_wakes_the_receiver"},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPlanted$", "-test.failfast", "-test.timeout=20s")
		cmd.Env = append(os.Environ(), plantedVariable+"="+c.fault)
		out, err := cmd.CombinedOutput()
		if c.fails == "" {
			if err != nil || !strings.HasPrefix(string(out), "PASS") {
				t.Errorf("a link without a fault fails: %v\n%s", err, out)
			}
			continue
		}
		if want := "--- FAIL: TestPlanted/" + c.fails; err == nil || !strings.Contains(string(out), want) {
			t.Errorf("a link that %s: got %v, want %q in\n%s", c.fault, err, want, out)
		}
	}
}
