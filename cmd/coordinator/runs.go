package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator"
	"byol/coordinator/past"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

// maybeRun lets a command take a run directory, or none.
func maybeRun(cmd *cobra.Command, args []string) error {
	if len(args) < 2 {
		return nil
	}
	return usage(cmd.CommandPath()+" takes one run directory", "", cmd.CommandPath()+" --help")
}

// completeRuns offers the runs under ./runs; a shell that gets none offers files.
func completeRuns(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	names, err := filepath.Glob(filepath.Join(runsDir, "*", coordinator.SettingsFile))
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	for i, name := range names {
		names[i] = filepath.Dir(name)
	}
	return names, cobra.ShellCompDirectiveDefault
}

// past is the status of the run in the directory that was named, if it is over. Otherwise, or when none was named, it
// is nil, and the run's coordinator is to be asked.
func (e *endpoint) past(args []string) (*pb.Status, error) {
	if err := e.checkOutput(); err != nil || len(args) == 0 {
		return nil, err
	}
	if e.server != "" || e.runDir != "" {
		return nil, usage("both a run directory and --server or --run-dir say which run is meant", "", "one of them")
	}
	e.runDir = args[0]
	if past.InHand(args[0]) {
		return nil, nil
	}
	return pastStatus(args[0])
}

// pastStatus is the status of a run that is over.
func pastStatus(dir string) (*pb.Status, error) {
	st, err := past.Status(dir)
	if err == nil && st.LastCheckpoint.GetPath() == "" {
		st.LastCheckpoint = newestIn(dir)
	}
	return st, err
}

// newestIn is the newest checkpoint in a run directory, as its name and size say; nil where there is none.
func newestIn(dir string) *pb.CheckpointInfo {
	infos, err := checkpoint.List(filepath.Join(dir, "checkpoints"))
	if err != nil || len(infos) == 0 {
		return nil
	}
	return checkpointInfo(infos[len(infos)-1])
}

// tryFiles says, where a run is over, which commands tell of it.
func tryFiles(dir string) string {
	if !past.IsRun(dir) {
		return ""
	}
	return fmt.Sprintf("; coordinator status %s, and events %s, tell of it as it is", quoted(dir), quoted(dir))
}

// tryList says, where runs lie that are over, which command lists them.
func tryList(dir string) string {
	if runs, err := past.List(dir); err != nil || len(runs) == 0 {
		return ""
	}
	return "; coordinator runs ls lists those that are over"
}

// runsDir is where runs are that nobody gave another place.
const runsDir = "runs"

func runsCommand() *cobra.Command {
	return parent("runs", "List, show or remove runs", runsLs(), runsShow(), runsRm())
}

// listedRun is a run as runs ls -o json prints it.
type listedRun struct {
	Name        string     `json:"name"`
	Dir         string     `json:"dir"`
	State       past.State `json:"state"`
	Reason      string     `json:"reason,omitempty"`
	Step        int64      `json:"step"`
	TargetSteps int64      `json:"target_steps"`
	Epoch       float64    `json:"epoch"`
	Loss        float64    `json:"loss"`
	KNNTop1     *float64   `json:"knn_top1"` // null while it is not known
	Seen        time.Time  `json:"seen"`
	SizeBytes   int64      `json:"size_bytes"`
}

func runsLs() *cobra.Command {
	var e endpoint
	dir := runsDir
	cmd := &cobra.Command{Use: "ls", Short: "List the runs under a directory, the newest first",
		Long: "List the runs under a directory, the newest first, and what became of each: running, stopped (the same\n" +
			"command goes on with it), finished, failed, or damaged.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			runs, err := past.List(dir)
			if err != nil {
				return err
			}
			list := make([]listedRun, len(runs))
			for i := range runs {
				list[i] = e.listRun(cmd.Context(), &runs[i])
			}
			return printRuns(cmd, &e, dir, list)
		}}
	cmd.Flags().StringVar(&dir, "dir", dir, "`DIR` that the runs lie in")
	e.addOutput(cmd)
	return cmd
}

// listRun is a line of the list. A run that goes on is asked how far it is.
func (e *endpoint) listRun(ctx context.Context, r *past.Run) listedRun {
	if r.State == past.Running {
		r.Status = liveStatus(ctx, r.Dir)
	}
	l := listedRun{Name: r.Name, Dir: r.Dir, State: r.State, Reason: r.Reason, Seen: r.Seen, SizeBytes: r.Bytes}
	if st := r.Status; st != nil {
		p := st.GetProgress()
		l.Step, l.TargetSteps, l.Epoch, l.Loss = p.GetStep(), p.GetTargetSteps(), p.GetEpoch(), st.GetLearning().GetLoss()
		if st.GetLearning().GetKnnKnown() {
			l.KNNTop1 = &st.Learning.KnnTop1Ratio
		}
	}
	return l
}

// liveTimeout bounds the question to each run of a list.
const liveTimeout = 2 * time.Second

// liveStatus asks the coordinator of a run directory, and is nil when it does not answer.
func liveStatus(ctx context.Context, dir string) (st *pb.Status) {
	var quiet cobra.Command
	quiet.SetContext(ctx)
	e := endpoint{runDir: dir, output: "json"}
	_ = e.call(&quiet, liveTimeout, func(ctx context.Context, c pb.CoordinatorClient) (err error) {
		st, err = c.GetStatus(ctx, &pb.GetStatusRequest{})
		return err
	})
	return st
}

func printRuns(cmd *cobra.Command, e *endpoint, dir string, list []listedRun) error {
	if e.structured() {
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		return e.printJSON(cmd, text)
	}
	if len(list) == 0 {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "no runs in %s\n", dir)
		return err
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tSTEP\tEPOCH\tLOSS\tK-NN\tSIZE\tLAST SEEN\tWHY")
	for _, l := range list {
		step, epoch, loss, knn := "-", "-", "-", "-"
		if l.TargetSteps > 0 {
			step = grouped(l.Step) + "/" + grouped(l.TargetSteps)
			epoch, loss = fmt.Sprintf("%.2f", l.Epoch), fmt.Sprintf("%.4f", l.Loss)
		}
		if l.KNNTop1 != nil {
			knn = percent(*l.KNNTop1)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", plain(l.Name), l.State, step, epoch, loss, knn,
			size(uint64(l.SizeBytes)), l.Seen.Local().Format(time.DateTime), plain(l.Reason))
	}
	return table.Flush()
}

// plain is text from a directory as a terminal may show it.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// runDirectory is the directory that a person means by a name: a path, or a name under runs.
func runDirectory(name string) string {
	if !past.IsRun(name) && !strings.ContainsRune(name, filepath.Separator) && past.IsRun(filepath.Join(runsDir, name)) {
		return filepath.Join(runsDir, name)
	}
	return name
}

func runsShow() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "show RUN_DIR", Short: "Show what a run has come to, and what of it is there",
		ValidArgsFunction: completeRuns,
		Args:              oneArgument("run directory, or its name under runs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			dir := runDirectory(args[0])
			if !past.IsRun(dir) {
				return usage(dir+" is not the directory of a run", "none of the files is there that every run has",
					"coordinator runs ls shows what there is")
			}
			return e.showRun(cmd, dir)
		}}
	e.addOutput(cmd)
	return cmd
}

func (e *endpoint) showRun(cmd *cobra.Command, dir string) error {
	r := past.Look(dir)
	line := e.listRun(cmd.Context(), &r)
	if e.structured() {
		text, err := json.Marshal(line)
		if err != nil {
			return err
		}
		return e.printJSON(cmd, text)
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "%s is %s%s; %s in %s, last written %s\n", plain(line.Name), line.State, because(plain(line.Reason)),
		size(uint64(line.SizeBytes)), dir, line.Seen.Local().Format(time.DateTime))
	if r.Status == nil {
		return nil
	}
	printStatus(w, r.Status)
	infos, _ := checkpoint.List(filepath.Join(dir, "checkpoints")) // none is none
	fmt.Fprintf(w, "CHECKPOINTS %d (coordinator checkpoints ls %s)\n", len(infos), quoted(dir))
	for _, f := range [][2]string{{"REPORT", reportFile}, {"EVALUATIONS", "eval"}, {"ENCODER", "encoder.safetensors"}} {
		if _, err := os.Stat(filepath.Join(dir, f[1])); err == nil {
			fmt.Fprintf(w, "%s %s\n", f[0], filepath.Join(dir, f[1]))
		}
	}
	return nil
}

func runsRm() *cobra.Command {
	yes := false
	cmd := &cobra.Command{Use: "rm RUN_DIR...", Short: "Remove runs that are not going on, with all their files",
		Long: "Remove runs that are not going on, with everything in their directories: checkpoints, curves, logs.\n" +
			"Links in them are removed, and not what they name. It asks first, unless --yes says that it need not.",
		ValidArgsFunction: completeRuns,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return nil
			}
			return usage(cmd.CommandPath()+" wants at least one run directory", "", cmd.CommandPath()+" --help")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			var dirs []string
			for _, name := range args {
				dir := runDirectory(name)
				if err := past.Removable(dir); err != nil {
					return err
				}
				dirs = append(dirs, dir)
			}
			if err := agreeToRemove(cmd, dirs, yes); err != nil {
				return err
			}
			for _, dir := range dirs {
				if err := removeRun(cmd, dir); err != nil {
					return err
				}
			}
			return nil
		}}
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// agreeToRemove shows what would go, and asks.
func agreeToRemove(cmd *cobra.Command, dirs []string, yes bool) error {
	if yes {
		return nil
	}
	out := cmd.ErrOrStderr()
	for _, dir := range dirs {
		r := past.Look(dir)
		fmt.Fprintf(out, "%s: %s, %s\n", dir, r.State, size(uint64(r.Bytes)))
	}
	fmt.Fprintf(out, "remove %s for good? [y/N] ", count(int64(len(dirs)), "run"))
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	case "":
		if errors.Is(err, io.EOF) {
			fmt.Fprintln(out)
			return usage("nobody said that the runs may go", "there is nobody to ask", "--yes")
		}
	}
	return usage("nothing was removed", "the answer was not yes", "y, or --yes")
}

func removeRun(cmd *cobra.Command, dir string) error {
	config, configErr := past.Config(dir)
	r := past.Look(dir)
	err := past.Remove(dir)
	var known *failure.Failure
	if err != nil && !errors.As(err, &known) {
		return &failure.Failure{What: "cannot remove " + dir, Why: err.Error(), Try: "check the permissions, and try again",
			Code: failure.Usage}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "removed %s (%s)\n", dir, size(uint64(r.Bytes)))
	if configErr == nil && isDir(config.CheckpointDir) {
		fmt.Fprintf(cmd.OutOrStdout(), "its checkpoints lie elsewhere and are left: %s\n", config.CheckpointDir)
	}
	return nil
}
