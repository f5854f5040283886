package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

func statusCommand() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "status [RUN_DIR]", Short: "Show a run: progress, learning, workers",
		Long: "Show a run as its coordinator sees it. With a run directory: also how one ended that is over, from its files.",
		Args: maybeRun, ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			if st, err := e.past(args); st != nil || err != nil {
				return show(cmd, &e, st, err)
			}
			return e.call(cmd, callTimeout, func(ctx context.Context, c pb.CoordinatorClient) error {
				st, err := c.GetStatus(ctx, &pb.GetStatusRequest{})
				return show(cmd, &e, st, err)
			})
		}}
	e.addFlags(cmd)
	return cmd
}

// show prints a status, if there is one.
func show(cmd *cobra.Command, e *endpoint, st *pb.Status, err error) error {
	switch {
	case err != nil:
		return err
	case e.structured():
		return e.printMessage(cmd, st)
	}
	printStatus(cmd.OutOrStdout(), st)
	return nil
}

// printStatus writes the screen of coordinator status.
func printStatus(w io.Writer, st *pb.Status) {
	p, l, t := st.GetProgress(), st.GetLearning(), st.GetThroughput()
	fmt.Fprintf(w, "RUN %s   %s   step %s/%s (%s)   epoch %.2f/%s   up %s   ETA %s\n", st.RunId, stateName(st.State),
		grouped(p.GetStep()), grouped(p.GetTargetSteps()), percent(p.GetFraction()), p.GetEpoch(),
		hundredths(p.GetTargetEpochs()), spell(p.GetElapsed().AsDuration()), eta(st))
	if st.StateReason != "" {
		fmt.Fprintf(w, "    %s\n", st.StateReason)
	}
	if st.Stale {
		fmt.Fprintf(w, "STALE: %s\n", staleness(st))
	}
	if isDemo(st.GetConfig()) {
		fmt.Fprintln(w, "DEMO DATA: generated pictures, not photographs")
	}
	if stepped(st) {
		fmt.Fprintf(w, "loss %.4f   std %.2f %s   lr %.4g   tau %.5f   %.0f images/s%s\n", l.GetLoss(),
			l.GetEmbeddingStdRatio(), health(l.GetEmbeddingStdRatio()), l.GetLearningRate(), l.GetTargetTau(),
			t.GetImagesPerSecond(), phaseShares(t))
	}
	if l.GetKnnKnown() {
		fmt.Fprintf(w, "k-NN %s at step %s%s%s\n", percent(l.KnnTop1Ratio), grouped(l.KnnStep), probed(l),
			comparisons(l, "   "))
	}
	if done := p.GetEvaluationFraction(); done > 0 {
		fmt.Fprintf(w, "evaluating: %.0f %%, %s to go\n", 100*done, spell(p.GetEvaluationEta().AsDuration()))
	}
	if ck := st.GetLastCheckpoint(); ck.GetPath() != "" {
		fmt.Fprintf(w, "last save step %s, %s: %s\n", grouped(ck.Step), savedWhen(st), ck.Path)
	}
	if st.LastSaveError != "" {
		fmt.Fprintf(w, "NOT SAVED: %s\n", saveProblem(st))
	}
	for _, warning := range st.Warnings {
		fmt.Fprintf(w, "WARN %s\n", warning)
	}
	if p.GetUnreadableImages() > 0 {
		fmt.Fprintf(w, "%s unreadable images replaced, the last one %s\n", grouped(p.UnreadableImages), p.LastUnreadableImage)
	}
	printWorkers(w, st)
}

// savedWhen says when the last checkpoint was written: how long ago, or, of a run that is over, at which moment.
func savedWhen(st *pb.Status) string {
	at := st.GetLastCheckpoint().GetCreated().AsTime()
	if ended(st.State) {
		return at.Local().Format(time.DateTime)
	}
	return spell(st.GetAsOf().AsTime().Sub(at)) + " ago"
}

func printWorkers(w io.Writer, st *pb.Status) {
	c := st.GetCluster()
	fmt.Fprintf(w, "WORKERS %d/%d ready%s, launcher %s, generation %d\n", c.GetWorkersReady(), c.GetWorkersExpected(),
		inProcesses(st), c.GetLauncher(), st.Generation)
	if len(st.Workers) == 0 {
		return
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WORKER\tRANK\tSTATE\tSTEP\tLAST SEEN\tMEMORY\tPEAK\tDEVICE\tHOST\tWAITING FOR")
	for _, k := range st.Workers {
		seen := "-"
		if k.LastSeen.IsValid() {
			seen = fmt.Sprintf("%.1fs", max(0, st.GetAsOf().AsTime().Sub(k.LastSeen.AsTime()).Seconds()))
		}
		waiting := k.WaitingFor
		if k.LastError != "" {
			waiting = "error: " + k.LastError
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", processName(k), k.Rank, k.State, k.Step, seen,
			size(k.ResidentBytes), size(k.PeakResidentBytes), k.Device, k.Host, waiting)
	}
	_ = table.Flush()
}

// inProcesses says in how many processes the workers are that are there, "" where each is one.
func inProcesses(st *pb.Status) string {
	there := slices.DeleteFunc(slices.Clone(st.Workers), func(w *pb.Worker) bool { return w.State == "gone" })
	switch n := len(there); {
	case workersIn(there) == n:
		return ""
	case n == 1:
		return " in 1 process"
	default:
		return fmt.Sprintf(" in %d processes", n)
	}
}

// staleness says how old a status is, and why.
func staleness(st *pb.Status) string {
	if st.StaleReason != "" {
		return fmt.Sprintf("%s; what follows is from %.1f s ago", st.StaleReason, st.GetAge().AsDuration().Seconds())
	}
	return "this coordinator does not lead; " + ledBy(st)
}

// ledBy says who leads, as a coordinator knows that doesn't.
func ledBy(st *pb.Status) string {
	leader := st.GetCluster().GetLeaderId()
	switch {
	case leader == "":
		return "it knows of nobody who does"
	case !st.Age.IsValid():
		return leader + " does"
	}
	return fmt.Sprintf("%s does, heard %.1f s ago", leader, st.Age.AsDuration().Seconds())
}
