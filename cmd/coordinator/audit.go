package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"byol/coordinator/past"
	"byol/coordinator/steplog"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/data"
	"github.com/spf13/cobra"
)

func auditCommand() *cobra.Command {
	var e endpoint
	epoch := int64(-1)
	cmd := &cobra.Command{Use: "audit RUN_DIR", Short: "Prove that each epoch used every image exactly once",
		Long: "Prove from the log of a run that its steps have neither gaps nor doubles, and that each epoch used every\n" +
			"image exactly once, whatever failed meanwhile. It only reads, and may be asked while the run goes on.",
		Args: oneArgument("run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			if cmd.Flags().Changed("epoch") && epoch < 0 {
				return usage(fmt.Sprintf("--epoch cannot be %d", epoch), "epochs are counted from 0", "leave it out for all")
			}
			return audit(cmd, args[0], epoch, &e)
		}}
	e.addOutput(cmd)
	cmd.Flags().Int64Var(&epoch, "epoch", -1, "look at the images of one `EPOCH` only, from 0; default: all")
	return cmd
}

// audit looks at the log of a run directory, says what it found, and fails on the first thing that is wrong.
func audit(cmd *cobra.Command, dir string, epoch int64, e *endpoint) error {
	config, log, err := storedRun(dir)
	if err != nil {
		return err
	}
	images := auditImages(cmd, config)
	if images.wrong != nil {
		return images.wrong
	}
	found, err := steplog.Audit(log, rulesOf(config), epoch)
	if e.structured() {
		if err := e.printAudit(cmd, found, err); err != nil {
			return err
		}
	}
	var wrong *steplog.Wrong
	if errors.As(err, &wrong) {
		why := filepath.Join(dir, steplog.File) + " is not what the promises allow"
		if wrong.Line > 0 {
			why = fmt.Sprintf("line %d of %s", wrong.Line, filepath.Join(dir, steplog.File))
		}
		return &failure.Failure{What: "audit failed: " + wrong.What, Why: why, Code: failure.Training,
			Try: "coordinator replay " + quoted(dir) + " --step N runs a step again and compares its bits"}
	}
	if err != nil {
		return err
	}
	if epoch >= 0 && found.Whole == 0 {
		return &failure.Failure{What: fmt.Sprintf("epoch %d is not in the log from its first image to its last", epoch),
			Why: fmt.Sprintf("the log has steps %d to %d", found.First, found.Next-1), Code: failure.Usage,
			Try: "another --epoch, or none"}
	}
	if e.output != "json" {
		fmt.Fprint(cmd.OutOrStdout(), auditText(found, config, images.note))
	}
	return nil
}

// storedRun reads what a run directory says of its run and of its steps.
func storedRun(dir string) (*pb.RunConfig, steplog.Content, error) {
	config, err := past.Config(dir)
	if err != nil {
		return nil, steplog.Content{}, err
	}
	log, err := steplog.ReadFile(dir)
	if err != nil {
		return nil, steplog.Content{}, &failure.Failure{What: "the log of the run's steps cannot be read", Why: err.Error(),
			Try: "a run that was begun by this version: older ones kept no such log", Code: failure.Data}
	}
	return config, log, nil
}

// rulesOf are what a run promises about its images, by the order that its workers follow.
func rulesOf(c *pb.RunConfig) steplog.Rules {
	order := data.Sampler{Seed: c.Seed, Batch: int(c.BatchSize), Len: int(c.Samples)}
	return steplog.Rules{Images: c.Samples, Batch: int64(c.BatchSize), Shards: int(c.Shards),
		Order: func(step int64, v int) []int {
			positions := order.Shard(step, v, int(c.Shards))
			images := make([]int, len(positions))
			for i, p := range positions {
				images[i], _ = order.Image(p)
			}
			return images
		}}
}

// images are what is known of the images themselves: a note for the person, or why they are the wrong ones.
type images struct {
	note  string
	wrong error
}

// auditImages compares the images that are there with those that the run began with.
func auditImages(cmd *cobra.Command, c *pb.RunConfig) images {
	found, err := inspect(cmd.Context(), "data", c.Data, accessIn(c))
	switch {
	case err != nil:
		return images{note: "not looked at, as they cannot be read here: " + firstLine(err.Error())}
	case found.manifest != c.ManifestHash || found.images != c.Samples:
		return images{wrong: &failure.Failure{What: "the images are not those that the run began with", Code: failure.Data,
			Why: fmt.Sprintf("%s has %s images with manifest %s, the run began with %s and %s", c.Data, grouped(found.images),
				found.manifest, grouped(c.Samples), c.ManifestHash), Try: "bring the files back as they were"}}
	}
	return images{note: fmt.Sprintf("%s, manifest %s as when the run began", grouped(c.Samples), c.ManifestHash)}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// auditText is what a person sees of an audit that found nothing wrong.
func auditText(f steplog.Findings, c *pb.RunConfig, note string) string {
	var b strings.Builder
	line := func(head, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s %s\n", head, fmt.Sprintf(format, args...))
	}
	if f.Next == f.First {
		line("steps", "none was committed yet")
		return b.String()
	}
	line("steps", "%s to %s, each committed once%s", grouped(f.First), grouped(f.Next-1), auditRepeats(f))
	if f.Pending > 0 {
		line("", "%s later ones were committed before a rewind, and wait to be run again", grouped(f.Pending))
	}
	line("images", "%s", note)
	switch {
	case f.Whole == 1:
		line("epochs", "%d used each of %s images exactly once", f.FirstWhole, grouped(c.Samples))
	case f.Whole > 1:
		line("epochs", "%d to %d used each of %s images exactly once", f.FirstWhole, f.FirstWhole+f.Whole-1,
			grouped(c.Samples))
	}
	if f.Partial > 0 {
		line("", "the one that goes on used %s of them, each once", grouped(f.Partial))
	}
	line("audit", "passed: %s images used, as the order of seed %d gives them", grouped(f.Used), c.Seed)
	return b.String()
}

func auditRepeats(f steplog.Findings) string {
	var parts []string
	if f.Restarts > 0 {
		parts = append(parts, count(int64(f.Restarts), "restart"))
	}
	if f.Again > 0 {
		parts = append(parts, count(f.Again, "step")+" run again, with the same bits")
	}
	if f.Skipped > 0 {
		parts = append(parts, count(f.Skipped, "step")+" skipped")
	}
	if f.Torn {
		parts = append(parts, "the last line is torn, as a crash leaves it")
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// count is a number of things.
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return grouped(n) + " " + thing + "s"
}

// printAudit writes what was found as JSON, with what is wrong.
func (e *endpoint) printAudit(cmd *cobra.Command, f steplog.Findings, problem error) error {
	v := struct {
		steplog.Findings
		Problem string `json:"problem,omitempty"`
	}{Findings: f}
	if problem != nil {
		v.Problem = problem.Error()
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return e.printJSON(cmd, text)
}
