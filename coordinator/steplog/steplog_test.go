package steplog

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"byol/coordinator/run"
	"byol/internal/vector"
)

// The run of these tests: 10 images, batches of 4 in 2 shards, in an order that goes back and forth.
const (
	images = 10
	batch  = 4
	shards = 2
)

func order(step int64, v int) []int {
	out := make([]int, batch/shards)
	for i := range out {
		position := step*batch + int64(v*len(out)+i)
		out[i] = int(position % images)
		if position/images%2 == 1 {
			out[i] = images - 1 - out[i]
		}
	}
	return out
}

func rules() Rules { return Rules{Images: images, Batch: batch, Shards: shards, Order: order} }

// record is what a run that keeps its promises commits.
func record(step, generation int64) run.Record {
	var samples []uint64
	for v := range shards {
		samples = append(samples, vector.FoldIndices(order(step, v)))
	}
	u := uint64(step)
	return run.Record{Step: step, Generation: generation, Online: u*3 + 1, Momentum: u*5 + 2, Statistics: u*7 + 3,
		Target: u*11 + 4, Samples: vector.Fold(samples), Loss: 2 / float64(step+1), Images: batch,
		UnixNano: 1e18 + step + 1000*generation}
}

func records(from, to, generation int64) []run.Record {
	var all []run.Record
	for step := from; step < to; step++ {
		all = append(all, record(step, generation))
	}
	return all
}

func open(t *testing.T, dir string, first int64) *Log {
	t.Helper()
	l, err := Open(dir, first)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func follow(t *testing.T, l *Log, all []run.Record) {
	t.Helper()
	if err := l.Follow(all); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// steps are the steps of the lines, −1 for a restart.
func steps(t *testing.T, dir string) []int64 {
	t.Helper()
	c, err := ReadFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []int64
	for _, l := range c.Lines {
		switch {
		case l.Problem != nil:
			t.Fatalf("line %d: %v", l.Number, l.Problem)
		case l.Kind == Restart:
			all = append(all, -1)
		case l.Kind == Committed:
			all = append(all, l.Record.Step)
		}
	}
	return all
}

// TestFollow: what a state remembers comes into the file once, whichever part of it was there before.
func TestFollow(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	follow(t, l, nil)
	follow(t, l, records(0, 1, 1))
	follow(t, l, records(0, 4, 1))
	follow(t, l, records(0, 4, 1))
	closed(t, l)
	l = open(t, dir, 0)
	follow(t, l, records(2, 6, 1))
	follow(t, l, append(records(2, 3, 1), records(3, 5, 2)...)) // rewound to step 3
	follow(t, l, append(records(2, 3, 1), records(3, 8, 2)...))
	closed(t, l)
	want := []int64{0, 1, 2, 3, -1, 4, 5, 3, 4, 5, 6, 7}
	if got := steps(t, dir); !reflect.DeepEqual(got, want) {
		t.Errorf("got steps %v, want %v", got, want)
	}
	c, err := ReadFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := c.Last(4); !ok || got != record(4, 2) {
		t.Errorf("step 4 is %+v, want that of generation 2", got)
	}
	if _, ok := c.Last(8); ok {
		t.Error("step 8 was never committed")
	}
}

// TestBitsSurvive: every record comes back as it was written.
func TestBitsSurvive(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := run.Record{Step: rapid.Int64().Draw(rt, "step"), Generation: rapid.Int64().Draw(rt, "generation"),
			Online: rapid.Uint64().Draw(rt, "θ"), Momentum: rapid.Uint64().Draw(rt, "m"),
			Statistics: rapid.Uint64().Draw(rt, "s"), Target: rapid.Uint64().Draw(rt, "ξ"),
			Samples: rapid.Uint64().Draw(rt, "samples"), Loss: math.Float64frombits(rapid.Uint64().Draw(rt, "loss")),
			Images: rapid.Int64().Draw(rt, "images"), UnixNano: rapid.Int64().Draw(rt, "time"),
			Skipped: rapid.Bool().Draw(rt, "skipped")}
		c := content(lines(r))
		got, ok := c.Last(r.Step)
		bits, wantBits := math.Float64bits(got.Loss), math.Float64bits(r.Loss)
		got.Loss, r.Loss = 0, 0
		if !ok || got != r || bits != wantBits {
			rt.Fatalf("got %+v with loss %016x, want %+v with %016x", got, bits, r, wantBits)
		}
	})
}

// TestPastAfterRewind: a coordinator that is started again after a rewind sees the steps before it once more.
func TestPastAfterRewind(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, 0)
	rewound := append(records(0, 4, 1), records(4, 12, 2)...)
	follow(t, l, records(0, 9, 1))
	follow(t, l, rewound)
	closed(t, l)
	l = open(t, dir, 0)
	follow(t, l, records(0, 6, 1)) // the past
	follow(t, l, append(slices.Clone(rewound), record(12, 2)))
	closed(t, l)
	c, err := ReadFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	if f, err := Audit(c, rules(), -1); err != nil || f.Next != 13 || f.Pending != 0 {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestAnyPast plays random runs with rewinds. Their coordinator is started again at random and sees some of the past
// states once more, as far back as a snapshot: the log passes the audit, and ends with the steps that count.
func TestAnyPast(t *testing.T) {
	for seed := range uint64(100) {
		draw := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		l := open(t, dir, 0)
		states, now, generation := [][]run.Record{nil}, []run.Record(nil), int64(1)
		for range 40 {
			switch draw.IntN(8) {
			case 0:
				generation++
				now = slices.Clone(now[:draw.IntN(len(now)+1)])
			case 1:
				closed(t, l)
				l = open(t, dir, 0)
				for _, past := range states[draw.IntN(len(states)):] {
					if draw.IntN(2) == 0 {
						follow(t, l, past)
					}
				}
			default:
				now = append(slices.Clone(now), record(int64(len(now)), generation))
			}
			states = append(states, now)
			if draw.IntN(3) > 0 {
				follow(t, l, now)
			}
		}
		follow(t, l, now)
		closed(t, l)
		c, err := ReadFile(dir)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := Audit(c, rules(), -1); err != nil {
			t.Fatalf("seed %d: %+v, %v", seed, f, err)
		}
		for _, r := range now {
			if got, ok := c.Last(r.Step); !ok || got != r {
				t.Fatalf("seed %d: the last line of step %d is %+v, want %+v", seed, r.Step, got, r)
			}
		}
	}
}

// TestTornEnd cuts the file after every byte: what is opened again goes on with whole lines, and the records that the
// raft log still has complete it.
func TestTornEnd(t *testing.T) {
	whole := t.TempDir()
	l := open(t, whole, 0)
	follow(t, l, records(0, 5, 1))
	closed(t, l)
	text, err := os.ReadFile(filepath.Join(whole, File))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(text) + 1 {
		dir := t.TempDir()
		torn := append(bytes.Clone(text[:n]), make([]byte, n%3)...) // a crash may leave zeros, too
		if err := os.WriteFile(filepath.Join(dir, File), torn, 0o644); err != nil {
			t.Fatal(err)
		}
		l := open(t, dir, 0)
		follow(t, l, records(0, 6, 1))
		closed(t, l)
		c, err := ReadFile(dir)
		if err != nil || c.Torn {
			t.Fatalf("cut after %d bytes: torn %v, %v", n, c.Torn, err)
		}
		if f, err := Audit(c, rules(), -1); err != nil || f.Next != 6 || f.Again != 0 {
			t.Fatalf("cut after %d bytes: %+v, %v", n, f, err)
		}
	}
}

// content is a log of lines as they would be written.
func content(lines ...string) Content {
	c, err := Read(strings.NewReader(strings.Join(lines, "")))
	if err != nil {
		panic(err)
	}
	return c
}

func begin(first string) string { return string(seal(wordBegin + " " + first)) }

func lines(all ...run.Record) string {
	var text []byte
	for _, r := range all {
		text = append(text, seal(encode(r))...)
	}
	return string(text)
}

// with changes a record.
func with(r run.Record, change func(*run.Record)) run.Record {
	change(&r)
	return r
}

func TestAudit(t *testing.T) {
	restart := string(seal(wordRestart))
	for _, c := range []struct {
		name string
		log  Content
		only int64
		want Findings
	}{
		{"25 steps of 4 images are 10 epochs", content(begin("0"), lines(records(0, 25, 1)...)), -1,
			Findings{Next: 25, Whole: 10, Used: 100}},
		{"an epoch that goes on", content(begin("0"), lines(records(0, 4, 1)...)), -1,
			Findings{Next: 4, Whole: 1, Partial: 6, Used: 16}},
		{"one epoch of many", content(begin("0"), lines(records(0, 25, 1)...)), 3,
			Findings{Next: 25, FirstWhole: 3, Whole: 1, Used: 10}},
		{"an epoch to come", content(begin("0"), lines(records(0, 4, 1)...)), 7, Findings{Next: 4, FirstWhole: -1}},
		{"nothing yet", content(begin("0")), -1, Findings{FirstWhole: -1}},
		{"begun from another run's checkpoint", content(begin("3"), lines(records(3, 10, 1)...)), -1,
			Findings{First: 3, Next: 10, FirstWhole: 2, Whole: 2, Used: 28}},
		{"a restart", content(begin("0"), lines(records(0, 3, 1)...), restart, lines(records(3, 5, 2)...)), -1,
			Findings{Next: 5, Restarts: 1, Whole: 2, Used: 20}},
		{"a restart that goes back, with an empty raft log",
			content(begin("0"), lines(records(0, 4, 5)...), restart, lines(records(2, 5, 2)...)), -1,
			Findings{Next: 5, Again: 2, Restarts: 1, Whole: 2, Used: 20}},
		{"a rewind in mid-run", content(begin("0"), lines(records(0, 4, 1)...), lines(records(1, 5, 2)...)), -1,
			Findings{Next: 5, Again: 3, Whole: 2, Used: 20}},
		{"a rewind that has not caught up", content(begin("0"), lines(records(0, 9, 1)...), lines(records(1, 5, 2)...)), -1,
			Findings{Next: 5, Again: 4, Pending: 4, Whole: 2, Used: 20}},
		{"a torn end", content(begin("0"), lines(records(0, 5, 1)...), "step 5 1 00"), -1,
			Findings{Next: 5, Torn: true, Whole: 2, Used: 20}},
		{"a skipped step", content(begin("0"), lines(with(record(0, 1), func(r *run.Record) { r.Skipped = true })),
			lines(records(1, 5, 1)...)), -1, Findings{Next: 5, Skipped: 1, Whole: 2, Used: 20}},
	} {
		if got, err := Audit(c.log, rules(), c.only); err != nil || got != c.want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.name, got, err, c.want)
		}
	}
}

// TestAuditFinds plants one breach after another: each is named, with the first step that has it.
func TestAuditFinds(t *testing.T) {
	good := records(0, 10, 1)
	swap := func(at int, change func(*run.Record)) []run.Record {
		all := append([]run.Record(nil), good...)
		all[at] = with(all[at], change)
		return all
	}
	damaged := []byte(lines(good...))
	damaged[len(lines(good[:6]...))+30] ^= 1
	unfair := rules()
	unfair.Order = func(step int64, v int) []int {
		all := order(step, v)
		if step == 6 && v == 1 {
			all[0] = order(5, 1)[0] // an image for another
		}
		return all
	}
	for _, c := range []struct {
		name  string
		log   Content
		rules Rules
		step  int64
		what  string
	}{
		{"a step missing", content(begin("0"), lines(good[:4]...), lines(good[5:]...)), rules(), 4, "step 4 is missing"},
		{"the first step missing", content(begin("0"), lines(good[1:]...)), rules(), 0, "step 0 is missing"},
		{"a step doubled", content(begin("0"), lines(good[:4]...), lines(good[3:]...)), rules(), 3,
			"step 3 was committed twice"},
		{"a step of a leader that was deposed", content(begin("0"), lines(records(0, 3, 4)...), lines(records(3, 4, 3)...)),
			rules(), 3, "generation 3 after one of generation 4"},
		{"other images", content(begin("0"), lines(swap(7, func(r *run.Record) { r.Samples ^= 1 })...)), rules(), 7,
			"step 7 did not use the images"},
		{"the images of another step", content(begin("0"),
			lines(swap(7, func(r *run.Record) { r.Samples = good[6].Samples })...)),
			rules(), 7, "step 7 did not use the images"},
		{"an image too few", content(begin("0"), lines(swap(2, func(r *run.Record) { r.Images-- })...)), rules(), 2,
			"step 2 was made of 3 images"},
		{"a run again with another loss", content(begin("0"), lines(good[:5]...), lines(with(record(3, 2),
			func(r *run.Record) { r.Loss = math.Nextafter(r.Loss, 9) }))), rules(), 3, "came out otherwise: loss"},
		{"a run again with another target", content(begin("0"), lines(good[:5]...), lines(with(record(3, 2),
			func(r *run.Record) { r.Target ^= 1 << 63 }))), rules(), 3, "came out otherwise: target network"},
		{"a record changed", content(begin("0"), string(damaged)), rules(), 6, "line 8, where step 6 should be, is damaged"},
		{"an order that is none", content(begin("0"), lines(good...)), unfair, 6, "was used twice in epoch 2"},
		{"a step before the first", content(begin("3"), lines(record(3, 1), record(2, 2))), rules(), 2, "begins with step 3"},
		{"no beginning", content(lines(good...)), rules(), -1, "is not where the log begins"},
		{"two beginnings", content(begin("0"), begin("0")), rules(), -1, "line 2 is not where the log begins"},
		{"nothing", content(), rules(), -1, "empty"},
	} {
		_, err := Audit(c.log, c.rules, -1)
		var w *Wrong
		if !errors.As(err, &w) || w.Step != c.step || !strings.Contains(w.What, c.what) {
			t.Errorf("%s: got %+v, want step %d and %q", c.name, err, c.step, c.what)
		}
	}
}

// TestAuditFindsAnyBit: no bit of a log may be flipped unnoticed.
func TestAuditFindsAnyBit(t *testing.T) {
	text := []byte(begin("0") + lines(records(0, 5, 1)...))
	if _, err := Audit(content(string(text)), rules(), -1); err != nil {
		t.Fatal(err)
	}
	for i := range text {
		for bit := range 8 {
			text[i] ^= 1 << bit
			c := content(string(text))
			if f, err := Audit(c, rules(), -1); err == nil && !f.Torn {
				t.Errorf("bit %d of byte %d was flipped, and the audit passes: %+v", bit, i, f)
			}
			text[i] ^= 1 << bit
		}
	}
}

// TestMissingImage: an epoch whose order leaves an image out is found at its end.
func TestMissingImage(t *testing.T) {
	short := Rules{Images: 11, Batch: batch, Shards: shards, Order: order} // the data have an image that is never used
	good := records(0, 11, 1)
	_, err := Audit(content(begin("0"), lines(good...)), short, -1)
	if err == nil || !strings.Contains(err.Error(), "image ") {
		t.Errorf("got %v, want the image that was not used, or one used twice", err)
	}
}
