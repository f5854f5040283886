package coordinator

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"byol/internal/network/memory"
	pb "byol/proto"
)

// TestScribe writes in order and all of it, and keeps nobody waiting while a disk stands still.
func TestScribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScribe()
		var got []int
		s.do(func() { time.Sleep(time.Minute) })
		for i := range linesKept + 7 {
			s.do(func() { got = append(got, i) })
		}
		synctest.Wait() // the first one is under way
		time.Sleep(10 * time.Second)
		if stands, lost := s.stands(time.Now()); stands != 10*time.Second || lost < 7 || lost > 8 {
			t.Errorf("stands for %v, lost %d", stands, lost)
		}
		began := time.Now()
		s.finish()
		if took := time.Since(began); took != 50*time.Second {
			t.Errorf("it finished after %v", took)
		}
		for i, n := range got {
			if n != i {
				t.Fatalf("line %d is %d", i, n)
			}
		}
		if stands, lost := s.stands(time.Now()); stands != 0 || len(got)+lost != linesKept+7 {
			t.Errorf("at the end: stands for %v, lost %d, written %d", stands, lost, len(got))
		}
	})
}

// TestDiskWatch tells once that a disk stands still and once that it does no more, and warns as long as it does.
func TestDiskWatch(t *testing.T) {
	t.Parallel()
	var d diskWatch
	for i, c := range []struct {
		stands         time.Duration
		lost           int
		warning, event string
	}{
		{0, 0, "", ""},
		{2500 * time.Millisecond, 0, "", ""},
		{3200 * time.Millisecond, 0, "the disk under /r has not answered for 3.2 s",
			"the disk under /r has not answered for 3.2 s"},
		{4 * time.Second, 0, "the disk under /r has not answered for 4.0 s", ""},
		{0, 3, "", "the disk under /r answers again after 4.0 s; 3 lines of reports are lost"},
		{0, 3, "", ""},
		{3 * time.Second, 3, "the disk under /r has not answered for 3.0 s", "the disk under /r has not answered for 3.0 s"},
	} {
		warning, event := d.look(c.stands, 2500*time.Millisecond, "/r", c.lost)
		if warning != c.warning || event != c.event {
			t.Errorf("look %d: %q and %q, want %q and %q", i, warning, event, c.warning, c.event)
		}
	}
}

// frozen is a disk that answers some requests late.
type frozen struct {
	*disk
	late time.Duration
}

func (f frozen) Prune(keep int) error {
	time.Sleep(f.late)
	return f.disk.Prune(keep)
}

// TestStalledDisk has the disk stand still for a minute, twelve times the failure timeout: no worker is blamed, the run
// gets on, and the disk is named.
func TestStalledDisk(t *testing.T) {
	opts := options(t, 2)
	opts.Config.Keep, opts.Config.EvalEverySteps = 1, 0
	synctest.Test(t, func(t *testing.T) {
		opts.Network = memory.New().Host("127.0.0.1")
		inner := newDisk()
		opts.Checkpoints = frozen{inner, time.Minute}
		w := begin(t, opts)
		for i := range 2 {
			f := &fake{address: w.c.Addr(), network: opts.Network, disk: inner, deed: deed{step: 8, delay: 30 * time.Second},
				complain: t.Errorf, join: &pb.Join{Index: int32(i), DataAddress: fmt.Sprintf("127.0.0.1:%d", 9000+i),
					Host: "here", Pid: 1, Build: "b1", Incarnation: fmt.Sprint(i)}}
			w.start(i, f)
		}
		began := time.Now()
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < time.Minute {
			t.Errorf("the run and its reports ended after %v", took)
		}
		text := read(t, opts.RunDir+"/events.jsonl")
		if n := strings.Count(text, `"disk-stalled"`); n < 1 || !strings.Contains(text, "has not answered for 2.") ||
			strings.Contains(text, `"worker-lost"`) {
			t.Errorf("%d events of a disk that stands still:\n%s", n, text)
		}
		if n := len(digests(t, opts.RunDir)); n != 20 {
			t.Error(fmt.Sprint(n, " steps are reported, want 20"))
		}
	})
}

// TestStatusOfAStalledLog asks for the status while the log's disk stands still: the answer comes within two seconds,
// and says how old it is and why. When the disk answers again it is new.
func TestStatusOfAStalledLog(t *testing.T) {
	opts := options(t, 1)
	synctest.Test(t, func(t *testing.T) {
		p := newPaper()
		w := onPaper(t, opts, p)
		p.elect()
		time.Sleep(time.Second)
		stuck := make(chan struct{})
		p.mu.Lock()
		p.stuck = stuck
		p.mu.Unlock()
		w.worker(0, deed{step: -1})
		time.Sleep(7 * time.Second)
		began := time.Now()
		st, err := service{c: w.c}.GetStatus(t.Context(), &pb.GetStatusRequest{})
		if took := time.Since(began); err != nil || took > 2*time.Second {
			t.Errorf("it took %v and %v", took, err)
		}
		if age := st.GetAge().AsDuration(); !st.GetStale() || age < 7*time.Second || age > 10*time.Second ||
			!strings.HasPrefix(st.StaleReason, "the log's disk has not answered for 8.") {
			t.Errorf("stale %v, from %v ago: %q", st.Stale, age, st.StaleReason)
		}
		p.mu.Lock()
		p.stuck = nil
		p.mu.Unlock()
		close(stuck)
		time.Sleep(time.Second)
		if st, err = (service{c: w.c}).GetStatus(t.Context(), &pb.GetStatusRequest{}); err != nil || st.Stale {
			t.Errorf("when the disk answers again: stale %v, %v", st.GetStale(), err)
		}
	})
}
