package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	pb "byol/proto"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.Local)

// someRun is a run of ten workers that is watched for a while.
func someRun() *watched {
	w := &watched{every: time.Second, width: 80, height: 24}
	r := recorded{}
	for step := int64(1); step <= 400; step++ {
		x := float64(step)
		r.loss.add(step, 2+2*math.Exp(-x/80))
		r.std.add(step, 1-math.Exp(-x/40))
		r.speed.add(step, 300+20*math.Sin(x/30))
	}
	for step := int64(0); step <= 400; step += 50 {
		r.knn.add(step, 0.25+float64(step)/1600)
	}
	st := with(whole(), func(st *pb.Status) {
		st.RunId, st.StateReason = "imagenet-r50", ""
		st.Progress.Elapsed = durationpb.New(41 * time.Minute)
		st.Learning.GradientNorm = 0.731
		st.Config.Shards = 20
		st.Cluster.WorkersReady, st.Cluster.WorkersExpected = 9, 10
		st.Workers = nil
		for i := range int32(10) {
			st.Workers = append(st.Workers, &pb.Worker{Id: fmt.Sprintf("worker-%d", i), Rank: i, State: "forward", Step: 500,
				Device: "cpu avx2", ShardBegin: 2 * i, ShardEnd: 2 * (i + 1)})
		}
		st.Workers[3].State, st.Workers[3].WaitingFor = "ring", "rank 4, all-reduce bucket 2, 1.4s"
		st.Workers[4].State, st.Workers[4].Step = "backward", 498
		st.Workers[9].State, st.Workers[9].LastError = "gone", "read: connection reset by peer"
	})
	w.sees(st, noon)
	w.recalls(r)
	var events []*pb.Event
	for i := range 10 {
		events = append(events, &pb.Event{Id: int64(i + 1), Time: timestamppb.New(noon.Add(-time.Hour)),
			Type: "worker-joined", Worker: fmt.Sprintf("worker-%d", i), Text: "joined from host a"})
	}
	events = append(events, &pb.Event{Id: 11, Time: timestamppb.New(noon.Add(-50 * time.Second)),
		Type: "worker-restarting", Worker: "worker-4",
		Text: "worker-4 was killed (signal 9): the machine had no memory left, of which it had taken 3.1 GiB; " +
			"restarting it in 1s (1 of 10)"},
		&pb.Event{Id: 12, Time: timestamppb.New(noon.Add(-45 * time.Second)), Type: "worker-joined", Worker: "worker-4",
			Text: "joined from host a"},
		&pb.Event{Id: 13, Time: timestamppb.New(noon.Add(-2 * time.Second)), Type: "worker-lost", Worker: "worker-9",
			Text: "worker-9 is lost: its stream ended"})
	w.happened(events)
	return w
}

// TestWatchPictures draws what terminals of several sizes show.
func TestWatchPictures(t *testing.T) {
	for name, change := range map[string]func(*watched){
		"80x24":  func(*watched) {},
		"40x12":  func(w *watched) { w.width, w.height = 40, 12 },
		"120x40": func(w *watched) { w.width, w.height = 120, 40 },
		"events": func(w *watched) { w.width, w.height = 60, 14; w.key("tab"); w.key("up") },
		"silent": func(w *watched) {
			w.loses("no coordinator answers at host:7400: connection refused", noon.Add(75*time.Second))
		},
		"asking": func(w *watched) { w.key("p") },
		"help":   func(w *watched) { w.key("?") },
		"answer": func(w *watched) {
			w.answers("pausing", &pb.RunOperation{State: pb.RunState_RUN_STATE_PAUSED, Step: 1234}, nil)
		},
	} {
		w := someRun()
		change(w)
		got := strings.Join(w.draw(), "\n") + "\n"
		file := filepath.Join("testdata", "watch", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s (go test ./cmd/coordinator -run TestWatchPictures -update rewrites it): %v\ngot\n%s\nwant\n%s",
				name, err, got, want)
		}
	}
}

var ownStyles = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// TestWatchFits: whatever a run is called and says, in whatever size, each line fits, there are as many as the terminal
// has, and nothing reaches it that does not print, but for styles of our own.
func TestWatchFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\x1b[2J", "a\nb", "\u202eabc", "世界世界世界", "\x9b31m",
			"a\xffb", "e\u0301e\u0301", strings.Repeat("long ", 200)}))
		w := someRun()
		w.width, w.height = rapid.IntRange(0, 200).Draw(t, "width"), rapid.IntRange(0, 80).Draw(t, "height")
		w.paint = rapid.Bool().Draw(t, "paint")
		st := with(w.status, func(st *pb.Status) {
			st.RunId, st.StateReason, st.LastSaveError = text.Draw(t, "run"), text.Draw(t, "reason"), text.Draw(t, "error")
			st.Warnings = rapid.SliceOfN(text, 0, 5).Draw(t, "warnings")
			st.LastCheckpoint.Path, st.Progress.LastUnreadableImage = text.Draw(t, "path"), text.Draw(t, "image")
			st.Throughput.Phases[0].Phase = text.Draw(t, "phase")
			st.Stale, st.StaleReason = rapid.Bool().Draw(t, "stale"), text.Draw(t, "stale reason")
			st.Workers = st.Workers[:rapid.IntRange(0, len(st.Workers)).Draw(t, "workers")]
			for _, k := range st.Workers {
				k.Id, k.State, k.Device = text.Draw(t, "id"), text.Draw(t, "state"), text.Draw(t, "device")
				k.WaitingFor, k.LastError = text.Draw(t, "waiting"), text.Draw(t, "last error")
			}
		})
		w.sees(st, noon)
		w.happened([]*pb.Event{{Id: 99, Worker: text.Draw(t, "worker"), Text: text.Draw(t, "event")}})
		if rapid.Bool().Draw(t, "lost") {
			w.loses(text.Draw(t, "why"), noon.Add(time.Minute))
		}
		w.answers("done", nil, fmt.Errorf("%s", text.Draw(t, "answer")))
		for _, key := range rapid.SliceOfN(rapid.SampledFrom([]string{"tab", "up", "down", "end", "home", "pgup", "?"}), 0,
			5).Draw(t, "keys") {
			w.key(key)
		}
		lines := w.draw()
		if w.width > 0 && len(lines) != w.height {
			t.Fatalf("%d lines in a height of %d", len(lines), w.height)
		}
		for _, line := range lines {
			if n := ansi.StringWidth(line); n > w.width {
				t.Fatalf("%d columns in a width of %d: %q", n, w.width, line)
			}
			bare := line
			if w.paint {
				bare = ownStyles.ReplaceAllString(line, "")
			}
			for _, r := range bare {
				if !unicode.IsPrint(r) {
					t.Fatalf("%q does not print, in %q", r, line)
				}
			}
		}
	})
}

// TestWatchSilence: a coordinator that says nothing is told of from when it said something last, until it does again.
func TestWatchSilence(t *testing.T) {
	w := someRun()
	for _, c := range []struct {
		name   string
		do     func()
		silent bool
		want   string
	}{
		{"it has just spoken", func() { w.now = noon.Add(2 * time.Second) }, false, ""},
		{"it has not for long", func() { w.now = noon.Add(10 * time.Second) }, true, "it says nothing"},
		{"it is gone", func() { w.loses("refused", noon.Add(20*time.Second)) }, true, "refused"},
		{"and gone again", func() { w.loses("no route", noon.Add(30*time.Second)) }, true, "no route"},
		{"it is back", func() { w.sees(w.status, noon.Add(31*time.Second)) }, false, ""},
	} {
		c.do()
		since, why, silent := w.silent()
		if silent != c.silent || why != c.want || silent && !since.Equal(noon) {
			t.Errorf("%s: %v since %v: %q", c.name, silent, since, why)
		}
	}
	w.sees(with(w.status, func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_COMPLETED }), noon)
	w.now = noon.Add(time.Hour)
	if _, _, silent := w.silent(); silent {
		t.Error("of a run that is over nothing is expected")
	}
}

// TestWatchKeys: what keys ask for, one after the other.
func TestWatchKeys(t *testing.T) {
	w := someRun()
	paused := with(w.status, func(st *pb.Status) { st.State = pb.RunState_RUN_STATE_PAUSED })
	for _, c := range []struct {
		key  string
		want order
		asks order
	}{
		{"x", nothing, nothing}, {"p", nothing, pauseRun}, {"n", nothing, nothing}, {"p", nothing, pauseRun},
		{"y", pauseRun, nothing}, {"y", nothing, nothing}, {"c", save, nothing}, {"p", nothing, pauseRun},
		{"q", nothing, nothing}, {"p", nothing, pauseRun}, {"ctrl+c", quit, nothing}, {"?", nothing, nothing},
		{"p", nothing, nothing}, {"?", nothing, nothing}, {"q", quit, nothing}, {"ctrl+z", suspend, nothing},
		{"q", quit, nothing},
		{"paused", nothing, nothing}, {"p", nothing, resumeRun}, {"enter", resumeRun, nothing},
	} {
		if c.key == "paused" {
			w.sees(paused, noon)
			continue
		}
		w.said = "an old answer"
		if got := w.key(c.key); got != c.want || w.asks != c.asks || w.said != "" {
			t.Errorf("key %s: order %d and question %d, want %d and %d; %q is said", c.key, got, w.asks, c.want, c.asks, w.said)
		}
		if c.key == "q" && c.want == quit {
			w.help = false
		}
	}
}

// TestWatchScrolls to both ends of a part, and no farther: one key back is one line back.
func TestWatchScrolls(t *testing.T) {
	w := someRun()
	w.height = 16 // one part at a time
	first := func() string { p := w.lay(); return p.lines(w)[len(p.top)+len(p.curves)+2] }
	if got := first(); !strings.HasPrefix(got, "worker-0") {
		t.Fatalf("at first %q", got)
	}
	for _, c := range []struct{ keys, want string }{
		{"down", "worker-1"}, {"up up", "worker-0"}, {"j j k", "worker-1"}, {"end", ""}, {"down down up", ""},
		{"g", "worker-0"},
	} {
		for _, k := range strings.Fields(c.keys) {
			w.key(k)
		}
		if got := first(); !strings.HasPrefix(got, c.want) {
			t.Errorf("after %s: %q, want %s", c.keys, got, c.want)
		}
	}
	p := w.lay()
	if w.key("end"); w.scroll[workersPart] != p.reach(workersPart) || p.reach(workersPart) == 0 {
		t.Errorf("the end is at %d of %d", w.scroll[workersPart], p.reach(workersPart))
	}
	if w.key("up"); w.scroll[workersPart] != p.reach(workersPart)-1 {
		t.Errorf("a line before the end is %d of %d", w.scroll[workersPart], p.reach(workersPart))
	}
	w.key("tab")
	if w.key("home"); w.part != eventsPart || w.scroll[eventsPart] != w.lay().reach(eventsPart) {
		t.Errorf("the first events: part %d, %d", w.part, w.scroll[eventsPart])
	}
	before := w.scroll
	w.key("shift+tab")
	w.key("tab")
	if w.scroll != before {
		t.Errorf("parts keep their places: %v, want %v", w.scroll, before)
	}
}

// TestWatchEvents are each taken up once; a worker that came twice was restarted once.
func TestWatchEvents(t *testing.T) {
	w := someRun()
	again := w.events
	w.happened(again)
	if len(w.events) != 13 || w.restarts("worker-4") != 1 || w.restarts("worker-3") != 0 || w.restarts("nobody") != 0 {
		t.Errorf("%d events, restarts %v", len(w.events), w.came)
	}
	for i := range int64(5000) {
		w.happened([]*pb.Event{{Id: 100 + i, Text: "x"}})
	}
	if n := len(w.events); n < eventsHeld || n > 2*eventsHeld || w.events[n-1].Id != 5099 {
		t.Errorf("%d events are held", n)
	}
}
