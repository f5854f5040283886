package main

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	pb "byol/proto"
)

// column is one of the table of workers.
type column struct {
	head string
	cell func(*pb.Worker) string
	// spare says that it is left out where there is little room: the greatest first.
	spare int
}

// waitsRoom is how much room what a worker waits for has at least, before other columns are left out for it.
const waitsRoom = 16

// columnGap is between two columns.
const columnGap = 2

func (w *watched) columns() []column {
	return []column{
		{head: "WORKER", cell: processName},
		{head: "PHASE", cell: (*pb.Worker).GetState},
		{head: "LAG", cell: func(k *pb.Worker) string { return fmt.Sprint(w.lag(k)) }, spare: 1},
		{head: "IMG/S", cell: w.share, spare: 2},
		{head: "RESTARTS", cell: func(k *pb.Worker) string { return fmt.Sprint(w.restarts(k.GetId())) }, spare: 4},
		{head: "DEVICE", cell: (*pb.Worker).GetDevice, spare: 3},
		{head: "WAITS FOR", cell: waitsFor},
	}
}

// workers are the table: what stands above it, its heads, and a line for each worker.
func (w *watched) workers() (heading, heads string, lines []string) {
	st := w.status
	c := st.GetCluster()
	heading = harmless(fmt.Sprintf("WORKERS %d/%d ready%s", c.GetWorkersReady(), c.GetWorkersExpected(), inProcesses(st)))
	columns := w.columns()
	rows := [][]string{nil}
	for _, col := range columns {
		rows[0] = append(rows[0], col.head)
	}
	for _, k := range st.GetWorkers() {
		var row []string
		for _, col := range columns {
			row = append(row, harmless(col.cell(k)))
		}
		rows = append(rows, row)
	}
	widths := w.widths(columns, rows)
	for i, row := range rows {
		var line strings.Builder
		for j, cell := range row {
			switch {
			case widths[j] < 0:
			case j == len(row)-1:
				line.WriteString(cell)
			default:
				line.WriteString(cell + strings.Repeat(" ", widths[j]-ansi.StringWidth(cell)+columnGap))
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if i == 0 {
			heads = text
			continue
		}
		lines = append(lines, w.styled(worry(st.Workers[i-1], w.lag(st.Workers[i-1])), text))
	}
	return heading, heads, lines
}

// widths are those of columns, −1 of one that is left out so that there is room for the last one.
func (w *watched) widths(columns []column, rows [][]string) []int {
	widths := make([]int, len(columns))
	for _, row := range rows {
		for j, cell := range row {
			widths[j] = max(widths[j], ansi.StringWidth(cell))
		}
	}
	last := len(columns) - 1
	used := min(widths[last], waitsRoom)
	for _, n := range widths[:last] {
		used += n + columnGap
	}
	for spare := len(columns); spare > 0 && used > w.width; spare-- {
		for j, c := range columns {
			if c.spare == spare {
				used -= widths[j] + columnGap
				widths[j] = -1
			}
		}
	}
	return widths
}

// takesPart reports whether a worker is one of the group.
func takesPart(k *pb.Worker) bool {
	return k.GetRank() >= 0 && k.GetState() != "gone" && k.GetState() != "left"
}

// lag is how many steps a worker that takes part is behind: it tells of the step that it computes.
func (w *watched) lag(k *pb.Worker) int64 {
	if !takesPart(k) {
		return 0
	}
	return max(0, w.status.GetProgress().GetStep()-k.GetStep())
}

// share is what a worker does of the images: those of its shards, as all go on at one pace.
func (w *watched) share(k *pb.Worker) string {
	shards := w.status.GetConfig().GetShards()
	if !takesPart(k) || shards < 1 || w.status.GetState() != pb.RunState_RUN_STATE_RUNNING || !stepped(w.status) {
		return "-"
	}
	part := float64(k.GetShardEnd()-k.GetShardBegin()) / float64(shards)
	return fmt.Sprintf("%.1f", part*w.status.GetThroughput().GetImagesPerSecond())
}

// waitsFor is what a worker waits for, or what is wrong with it.
func waitsFor(k *pb.Worker) string {
	if k.GetLastError() != "" {
		return "error: " + k.LastError
	}
	return k.GetWaitingFor()
}

// worry is the style of a worker's line.
func worry(k *pb.Worker, lag int64) string {
	switch {
	case k.GetState() == "gone" || k.GetState() == "left" || k.GetLastError() != "":
		return wrong
	case lag > 1:
		return doubtful
	}
	return ""
}
