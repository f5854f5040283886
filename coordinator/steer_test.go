package coordinator

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"byol/coordinator/admin"
	"byol/coordinator/report"
	"byol/internal/network/secure"
	pb "byol/proto"
)

// TestSteer pauses a run from the admin port and ends it: as an operator may, not as an observer or a worker may, and
// the audit says who it was. The board has seen all of it.
func TestSteer(t *testing.T) {
	t.Parallel()
	opts := options(t, 2)
	opts.Board = admin.NewBoard("v1")
	opts.Config.TotalSteps, opts.Config.SaveEverySteps, opts.Config.EvalData = 1_000_000, 0, ""
	w := full(t, opts, -1, deed{})
	c := w.client()
	w.until(c, "step 3", func(s *pb.Status) bool { return s.Progress.Step >= 3 })
	as := func(role secure.Role) admin.Caller {
		return admin.Caller{Known: true, From: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4},
			Who: secure.Identity{Run: secure.DefaultRun, Role: role, Name: "ann"}}
	}
	for _, role := range []secure.Role{secure.Observer, secure.Worker} {
		for _, what := range append([]string{"drain"}, admin.Actions...) {
			err := w.c.Steer(t.Context(), as(role), what, "worker-0")
			if err == nil || !strings.Contains(err.Error(), string(role)+"/ann may not call") {
				t.Errorf("%s by %s: %v", what, role, err)
			}
		}
	}
	if err := w.c.Steer(t.Context(), as(secure.Operator), "explode", ""); err == nil {
		t.Error("it can be asked to explode")
	}
	if err := w.c.Steer(t.Context(), as(secure.Operator), "drain", "worker-9"); err == nil {
		t.Error("a worker that does not exist can be drained")
	}
	for _, what := range []string{"pause", "checkpoint", "resume", "stop"} {
		if err := w.c.Steer(t.Context(), as(secure.Operator), what, ""); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if what == "pause" {
			w.until(c, "the pause", func(s *pb.Status) bool { return s.State == pb.RunState_RUN_STATE_PAUSED })
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	h, err := report.Read(opts.RunDir)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, e := range h.Events {
		if strings.Contains(e.Text, "asked by operator/ann at 127.0.0.1:4") {
			said = append(said, e.Type)
		}
	}
	if d := cmp.Diff([]string{"paused", "checkpoint-asked", "resumed", "stop-asked"}, said); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if why := opts.Board.NotReady(time.Now()); why != "" {
		t.Errorf("a run that has ended is not ready: %s", why)
	}
	if got := opts.Board.Status().GetState(); got != pb.RunState_RUN_STATE_STOPPED {
		t.Errorf("the board has %v", got)
	}
	text, err := os.ReadFile(filepath.Join(opts.RunDir, report.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	images := countedImages(t, opts.Board)
	if want := float64(8 * bytes.Count(text, []byte("\n"))); images != want {
		t.Errorf("%v images are counted, and steps in the report are of %v", images, want)
	}
}

func countedImages(t *testing.T, b *admin.Board) float64 {
	t.Helper()
	families, err := b.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "byol_training_images_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return -1
}

// TestSteerEarly is refused in words before there is a log.
func TestSteerEarly(t *testing.T) {
	opts := options(t, 1)
	c, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer c.listener.Close()
	if err := c.Steer(t.Context(), admin.Caller{}, "stop", ""); err == nil || !strings.Contains(err.Error(), "try again") {
		t.Errorf("got %v", err)
	}
}
