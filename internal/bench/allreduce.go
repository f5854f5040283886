package main

import (
	"fmt"
	"strconv"
	"strings"
)

var allreduceNotes = []string{
	"The sum of one float32 vector per rank, on every rank, onto the vector itself. Ranks are processes of this " +
		"machine, and rank 0 times: the median of its repetitions, all ranks set off together. A vector of 4 KiB is " +
		"summed 50 times in a row. With more ranks than cores, ratios say what a byte costs, not what so many hosts " +
		"would reach.",
	"\"byol, shared memory\" is how workers of one host sum gradients: the vectors lie in memory that all ranks map. " +
		"\"byol, TCP\" is how workers of several hosts do, here over loopback. Both give the same bits with any number " +
		"of ranks. Gloo is PyTorch's, by torch.distributed, one thread per rank, over TCP: it has no transport by " +
		"shared memory.",
}

var lineNotes = []string{
	"Each rank is in a network namespace of its own, a switch joins them, and every line is limited to 1 Gbit/s in both " +
		"directions (tbf). \"Of line rate\" is 2(n−1)/n times the vector's bits, which each of n ranks must send at " +
		"least, by the seconds and the 10⁹ bits of the line; headers leave 94 % of a line for data. byol adds shards in " +
		"their order from rank to rank, which takes twice the vector's bits where ranks are more than two.",
}

// vector is a length of what is summed.
type vector struct {
	bytes int
	title string
}

func (v vector) seconds() figure {
	return figure{key: fmt.Sprintf("seconds_%d", v.bytes), title: v.title, unit: "ms", scale: 1e3, less: true}
}

var summed = []vector{{4 << 10, "4 KiB"}, {25 << 20, "25 MiB"}, {128 << 20, "128 MiB"}}

const summedBytes = "4096,26214400,134217728"

func allreduceCases() []comparison {
	var sizes []figure
	for _, v := range summed {
		sizes = append(sizes, v.seconds())
	}
	var list []comparison
	for _, n := range []int{2, 4, 8} {
		ours := []string{"{bin}/arbench", "-np", strconv.Itoa(n), "-bytes", summedBytes, "-reps", "{3:2}"}
		list = append(list, comparison{name: fmt.Sprintf("ranks-%d", n), title: fmt.Sprintf("%d ranks", n), figures: sizes,
			sides: []side{
				{name: "byol, shared memory", argv: ours, read: readRing("shared memory, in place")},
				{name: "byol, TCP", argv: append(ours[:len(ours):len(ours)], "-tcp"), read: readRing("tcp")},
				{name: "Gloo", peer: true, needs: []string{"python:torch"}, ranks: n,
					argv: []string{"{python}", "{scripts}/gloo.py", "--bytes", summedBytes, "--reps", "{3:2}"}},
			}})
	}
	return list
}

// lineRate is what the lines of link.sh carry, in bits per second.
const lineRate = 1e9

func lineCases() []comparison {
	var list []comparison
	for _, n := range []int{2, 4} {
		vectors := summed
		if n > 2 { // a vector of 128 MiB takes seconds
			vectors = summed[:2]
		}
		list = append(list, lineCase(n, vectors))
	}
	return list
}

// lineCase is the sum of vectors over lines of 1 Gbit/s.
func lineCase(n int, vectors []vector) comparison {
	var figures []figure
	var lengths []string
	for _, v := range vectors {
		figures = append(figures, v.seconds())
		lengths = append(lengths, strconv.Itoa(v.bytes))
	}
	for _, v := range vectors[1:] {
		figures = append(figures, figure{key: fmt.Sprintf("line_%d", v.bytes), title: v.title + ", of line rate", unit: "%",
			scale: 100})
	}
	bytes := strings.Join(lengths, ",")
	link := []string{"sh", "{scripts}/link.sh", strconv.Itoa(n)}
	title := fmt.Sprintf("%d ranks, lines of 1 Gbit/s", n)
	return comparison{name: fmt.Sprintf("line-%d", n), title: title, figures: figures,
		sides: []side{
			{name: "byol, TCP", needs: []string{"lines"}, read: ofLine(n, readRing("tcp")),
				argv: append(link[:len(link):len(link)], "{bin}/arbench", "-rank", "@rank@", "-peers", "@peers@", "-bytes",
					bytes, "-reps", "{3:1}")},
			{name: "Gloo", peer: true, needs: []string{"lines", "python:torch"}, read: ofLine(n, readJSON),
				argv: append(link[:len(link):len(link)], "{python}", "{scripts}/gloo.py", "--bytes", bytes, "--reps",
					"{3:1}")},
		}}
}

// ofLine adds the fractions of line rate to a reading of n ranks.
func ofLine(n int, read func([]byte, string) (*reading, error)) func([]byte, string) (*reading, error) {
	return func(stdout []byte, tmp string) (*reading, error) {
		r, err := read(stdout, tmp)
		if err != nil {
			return nil, err
		}
		for _, v := range summed {
			if s := r.figures[fmt.Sprintf("seconds_%d", v.bytes)]; s > 0 {
				bits := 8 * float64(v.bytes) * 2 * float64(n-1) / float64(n)
				r.figures[fmt.Sprintf("line_%d", v.bytes)] = bits / lineRate / s
			}
		}
		return r, nil
	}
}
