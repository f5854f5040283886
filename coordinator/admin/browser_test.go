package admin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/report"
	"byol/internal/network/web"
)

// TestInBrowser opens the page in Chromium: what it shows, light and dark, narrow and wide, that it goes on by itself,
// by keyboard, and when the coordinator dies and comes back. make page-check sets BYOL_PAGE_CHECK to a folder with
// playwright-core, and BYOL_PAGE_SHOTS to where pictures go.
func TestInBrowser(t *testing.T) {
	modules := os.Getenv("BYOL_PAGE_CHECK")
	if modules == "" {
		t.Skip("make page-check runs this, with playwright-core and Chromium")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium")
	}
	b := trainedBoard(time.Now())
	for i := range int64(7) {
		b.Committed(report.Step{Step: i + 1, Loss: 4 / float64(i+1), Std: 0.9 - 0.05*float64(i), LR: 0.1,
			Tau:             0.99 + 0.001*float64(i),
			ImagesPerSecond: 80 + float64(i), ProbeTop1: 0.1 * float64(i), Epoch: 1})
	}
	for _, step := range []int64{0, 7} {
		b.Evaluated(report.Evaluation{Step: step,
			Measures: []report.Measure{{Name: "knn_top1", Ratio: 0.2 + 0.05*float64(step)}}})
	}
	traceSteps(b, 7)
	place := &scene{t: t, board: b, steering: &asked{}}
	place.begin("127.0.0.1:0")
	defer place.end()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	script, err := filepath.Abs("testdata/page.mjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, node, script, modules, chromium, "http://"+place.address+"/",
		os.Getenv("BYOL_PAGE_SHOTS"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "ASK":
			fmt.Fprintln(in, place.answer(rest))
		case "WRONG":
			t.Error(rest)
		case "END":
			ended = true
		}
	}
	if err := cmd.Wait(); err != nil || !ended {
		t.Errorf("the script did not get to its end: %v", err)
	}
}

// scene is a coordinator that dies and comes back as the script asks.
type scene struct {
	t        *testing.T
	board    *Board
	steering *asked
	address  string
	cancel   context.CancelFunc
	serving  sync.WaitGroup
}

func (s *scene) begin(address string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = l.Addr().String()
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(s.t.Context())
	s.serving.Go(func() {
		h := NewHandler(s.board, Guard{Token: NewToken()}, s.steering)
		port := web.Port{Listener: l, Log: zap.NewNop(), Streams: true}
		if err := port.Serve(ctx, h); err != nil && !errors.Is(err, net.ErrClosed) {
			s.t.Error(err)
		}
	})
}

func (s *scene) end() {
	s.cancel()
	s.serving.Wait()
}

// answer does what the script asks for.
func (s *scene) answer(word string) string {
	if after, ok := strings.CutPrefix(word, "trace "); ok {
		n, err := strconv.ParseInt(after, 10, 64)
		if err != nil {
			s.t.Error(err)
		}
		traceSteps(s.board, n)
		return "done"
	}
	switch word {
	case "step":
		st := trained(time.Now())
		st.Progress.Step = 8
		s.board.Show(st, false)
		s.board.Committed(report.Step{Step: 8, Loss: 0.4})
		s.board.Happened(report.Event{ID: 99, Time: time.Now(), Type: "checkpoint-saved", Text: "something new"})
	case "asked":
		return strings.Join(slices.Clone(s.steering.what), ",")
	case "die":
		s.end()
	case "live":
		s.begin(s.address)
	}
	return "done"
}
