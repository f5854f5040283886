package trace

import (
	"cmp"
	"slices"
	"time"

	pb "byol/proto"
)

const (
	// chartCells is into how many parts a chart cuts a step: as many as a screen shows of it.
	chartCells = 600
	// chartEvery is how often there is another chart at most: drawing one must not cost a short step.
	chartEvery = time.Second
	// stepsGathered is how many steps back a worker may tell of.
	stepsGathered = 4
)

// Chart is one step of all workers, cut into cells of equal time.
type Chart struct {
	Step       int64    `json:"step"`
	Generation int64    `json:"generation"`
	Micros     int64    `json:"micros"`
	Cells      int      `json:"cells"`
	Kinds      []string `json:"kinds"`
	Rows       []Row    `json:"rows"`
}

// Row is a worker's. Main is what the owner of its device did, Beside what went on meanwhile: runs of cells, three
// numbers each: kind, first cell, cells. Spent is the time of each kind, in microseconds.
type Row struct {
	Worker string  `json:"worker"`
	Rank   int     `json:"rank"`
	Main   []int   `json:"main"`
	Beside []int   `json:"beside"`
	Spent  []int64 `json:"spent"`
}

// Gathering makes charts of records as they come. It belongs to one goroutine.
type Gathering struct {
	records []*pb.TraceRecord // of the newest steps
	newest  int64             // step of them
	drawn   time.Time         // when the last chart was made
}

// Add takes up a record that came now, and returns a chart of the newest step of which all workers have told, if there
// is one and the last was long ago; otherwise nil. The end of a step is told with the next one.
func (g *Gathering) Add(r *pb.TraceRecord, now time.Time) *Chart {
	if r.GetStep() < g.newest-stepsGathered { // it was run again, from long before
		g.records = nil
	}
	g.newest = r.GetStep()
	g.records = append(slices.DeleteFunc(g.records, func(o *pb.TraceRecord) bool {
		return o.GetStep() <= r.GetStep()-stepsGathered || o.GetStep() > r.GetStep() ||
			o.GetStep() == r.GetStep() && o.GetGeneration() != r.GetGeneration()
	}), r)
	if now.Sub(g.drawn) < chartEvery && !now.Before(g.drawn) {
		return nil
	}
	told := map[string]int{} // 1: of the step, 2: of the next, 3: of both
	for _, o := range g.records {
		switch {
		case o.GetGeneration() != r.GetGeneration():
		case o.GetStep() == r.GetStep()-1:
			told[o.GetWorker()] |= 1
		case o.GetStep() == r.GetStep():
			told[o.GetWorker()] |= 2
		}
	}
	for _, parts := range told {
		if parts != 3 {
			return nil
		}
	}
	c := draw(distinct(g.records), r.GetStep(), r.GetGeneration())
	if c != nil {
		g.drawn = now
	}
	return c
}

// draw makes the chart of a step, as people count; nil where nothing is known of it.
func draw(spans []Span, step, generation int64) *Chart {
	ofStep := kindOf("evaluate") // what comes after is no part of a step
	spans = slices.DeleteFunc(slices.Clone(spans), func(s Span) bool {
		return s.Step != step || s.Generation != generation || kindOf(s.Name) >= ofStep
	})
	if len(spans) == 0 {
		return nil
	}
	from, until := spans[0].Begin, spans[0].Begin
	for _, s := range spans {
		if end := s.Begin.Add(s.Length); end.After(until) {
			until = end
		}
	}
	c := &Chart{Step: step, Generation: generation, Micros: max(1, until.Sub(from).Microseconds()), Cells: chartCells}
	for _, k := range kinds[:ofStep] {
		c.Kinds = append(c.Kinds, k.title)
	}
	byWorker := map[string][]Span{}
	for _, s := range spans {
		byWorker[s.Worker] = append(byWorker[s.Worker], s)
	}
	for worker, own := range byWorker {
		r := Row{Worker: worker, Rank: own[0].Rank, Spent: make([]int64, ofStep)}
		for _, s := range own {
			r.Spent[kindOf(s.Name)] += s.Length.Microseconds()
		}
		r.Main = runs(own, from, c.Micros, false)
		r.Beside = runs(own, from, c.Micros, true)
		c.Rows = append(c.Rows, r)
	}
	slices.SortFunc(c.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.Worker, b.Worker))
	})
	return c
}

// runs cuts spans into cells, each of the kind that has most of it, and joins neighbours of one kind.
func runs(spans []Span, from time.Time, micros int64, beside bool) []int {
	cell := float64(micros) / chartCells
	var share [chartCells][]float64
	for _, s := range spans {
		k := kindOf(s.Name)
		if kinds[k].beside != beside {
			continue
		}
		begin := float64(s.Begin.Sub(from).Microseconds()) / cell
		end := begin + float64(s.Length.Microseconds())/cell
		for i := max(0, int(begin)); i < chartCells && float64(i) < end; i++ {
			if share[i] == nil {
				share[i] = make([]float64, len(kinds))
			}
			share[i][k] += min(end, float64(i+1)) - max(begin, float64(i))
		}
	}
	out := []int{}
	for i, parts := range share {
		if parts == nil {
			continue
		}
		most := 0
		for k, x := range parts {
			if x > parts[most] {
				most = k
			}
		}
		if n := len(out); n > 0 && out[n-3] == most && out[n-2]+out[n-1] == i {
			out[n-1]++
			continue
		}
		out = append(out, most, i, 1)
	}
	return out
}
