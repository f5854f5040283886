package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator/report"
	"byol/coordinator/trace"
	"byol/internal/atomicfile"
	"byol/internal/failure"
	pb "byol/proto"
)

func traceCommand() *cobra.Command {
	steps, output := "", "trace.json"
	cmd := &cobra.Command{Use: "trace RUN_DIR --steps FIRST:LAST",
		Short: "Write what each worker did when, for Perfetto",
		Long: "Write what each worker did when, in some of the newest steps of a run, in the Trace Event format: open the\n" +
			"file in https://ui.perfetto.dev or chrome://tracing. Workers are processes, what they do is threads;\n" +
			"commits, generations, losses and checkpoints are marks. The run may go on meanwhile.",
		Args: oneArgument("run directory"), ValidArgsFunction: completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeTrace(cmd, runDirectory(args[0]), steps, output)
		}}
	cmd.Flags().StringVar(&steps, "steps", "", "`FIRST:LAST`, or one step; steps are counted from 1, as on the page")
	cmd.Flags().StringVarP(&output, "output", "o", output, "`FILE` to write; - is standard output")
	return cmd
}

var stepsWord = regexp.MustCompile(`^([0-9]{1,18})(?::([0-9]{1,18}))?$`)

// parseSteps reads FIRST:LAST.
func parseSteps(text string, first, last int64) (trace.Range, error) {
	try := fmt.Sprintf("--steps %d:%d", max(first, last-4), last)
	m := stepsWord.FindStringSubmatch(text)
	switch {
	case text == "":
		return trace.Range{}, usage("trace needs steps", fmt.Sprintf("there are steps %d to %d", first, last), try)
	case m == nil:
		return trace.Range{}, usage(fmt.Sprintf("--steps cannot be %q", plain(text)), "it is FIRST:LAST, or one step", try)
	}
	var r trace.Range
	r.First, _ = strconv.ParseInt(m[1], 10, 64) // these are digits, and few enough
	if r.Last = r.First; m[2] != "" {
		r.Last, _ = strconv.ParseInt(m[2], 10, 64)
	}
	if r.Last < r.First {
		return r, usage(fmt.Sprintf("--steps %s ends before it begins", text), "",
			fmt.Sprintf("--steps %d:%d", r.Last, r.First))
	}
	if r.First > last || r.Last < first {
		return r, usage(fmt.Sprintf("the trace has no steps %s", text), fmt.Sprintf("it has steps %d to %d: only the newest "+
			"are kept, and they are counted from 1", first, last), try)
	}
	return r, nil
}

func writeTrace(cmd *cobra.Command, dir, steps, output string) error {
	if _, err := os.Stat(dir); err != nil {
		return usage("there is no run in "+dir, err.Error(), "coordinator runs ls lists those under runs")
	}
	records, err := trace.Read(dir)
	if err != nil {
		return &failure.Failure{What: "the trace cannot be read", Why: err.Error(), Code: failure.Internal,
			Try: "give back the right to read " + dir}
	}
	first, last, some := trace.Steps(records)
	if !some {
		return usage("there is no trace in "+dir, "no step has been committed there since workers tell what they do "+
			"when, or another coordinator led: each has the steps that it led",
			"the directory of the coordinator that leads, after some steps")
	}
	r, err := parseSteps(steps, first, last)
	if err != nil {
		return err
	}
	marks, err := traceMarks(dir)
	if err != nil {
		return &failure.Failure{What: "the events of the run cannot be read", Why: err.Error(), Code: failure.Internal,
			Try: "give back the right to read " + dir}
	}
	return putTrace(cmd, records, r, marks, output)
}

// putTrace writes the file whole or not at all, and says what is in it.
func putTrace(cmd *cobra.Command, records []*pb.TraceRecord, r trace.Range, marks []trace.Mark, output string) error {
	if output == "-" {
		_, err := trace.Write(cmd.OutOrStdout(), records, r, marks)
		return err
	}
	var text strings.Builder
	shown, err := trace.Write(&text, records, r, marks)
	if err != nil {
		return err
	}
	if err := atomicfile.Write(output, []byte(text.String())); err != nil {
		return usage("the trace cannot be written to "+output, err.Error(), "-o with a file that you may write")
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: steps %d to %d of %s: %s, %s\n", output, r.First, r.Last,
		count(int64(shown.Workers), "worker"), count(int64(shown.Spans), "span"), count(int64(shown.Marks), "mark"))
	if shown.Offset > 0 {
		fmt.Fprintf(out, "clocks differed by up to %v, which is taken out; what is left is below %v\n",
			shown.Offset.Round(time.Millisecond/10), shown.Uncertain.Round(time.Millisecond/10))
	}
	if shown.Lost > 0 {
		fmt.Fprintf(out, "%s are missing: there was no room for them\n", count(shown.Lost, "span"))
	}
	fmt.Fprintln(out, "open it in https://ui.perfetto.dev (it stays on this machine) or chrome://tracing")
	return nil
}

// traceMarks are what the files of the run tell of moments: commits, and events.
func traceMarks(dir string) ([]trace.Mark, error) {
	h, err := report.Read(dir)
	var marks []trace.Mark
	for i := range h.Steps {
		if s := &h.Steps[i]; !s.Time.Time().IsZero() {
			marks = append(marks, trace.Mark{Time: s.Time.Time(), Name: fmt.Sprintf("commit of step %d", s.Step.Step),
				Text: fmt.Sprintf("loss %.4f", s.Loss)})
		}
	}
	for _, e := range h.Events {
		text := e.Text
		if e.Worker != "" && !strings.HasPrefix(text, e.Worker) {
			text = e.Worker + ": " + text
		}
		marks = append(marks, trace.Mark{Time: e.Time, Name: e.Type, Text: text})
	}
	return marks, err
}
