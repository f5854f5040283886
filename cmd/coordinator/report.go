package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator"
	"byol/coordinator/page"
	"byol/coordinator/past"
	"byol/coordinator/report"
	"byol/coordinator/settings"
	"byol/internal/atomicfile"
	"byol/internal/disk"
	"byol/internal/failure"
	pb "byol/proto"
)

// reportFile is where the page of a run goes that is written at its end.
const reportFile = "report.html"

// How long pictures of a page may take: at the end of a run nobody has asked for, and by hand.
const (
	reportPatience = 30 * time.Second
	askedPatience  = 5 * time.Minute
)

// reportOptions say what goes into a page.
type reportOptions struct {
	worker   string        // the program that computes embeddings; "": the one beside this
	patience time.Duration // for embeddings; 0: none are computed
	hurried  bool          // no images are looked at at all
	where    access
}

func reportCommand() *cobra.Command {
	var output, pictures string
	o := reportOptions{patience: askedPatience}
	cmd := &cobra.Command{Use: "report RUN_DIR -o report.html",
		Short: "Make one page of a run: curves, events, settings, evaluations, views, embeddings",
		Long: "Make one HTML page of a run, going on or over: curves with events on them, evaluations, settings, data,\n" +
			"pairs of views, a map of embeddings and nearest neighbours. It is one file that asks nobody for anything.\n" +
			"Training writes it to RUN_DIR/report.html at its end.",
		Args: oneArgument("run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := runDirectory(args[0])
			if !past.IsRun(dir) {
				return usage(dir+" is not the directory of a run", "none of the files is there that every run has",
					"coordinator runs ls shows what there is")
			}
			if output == "" {
				output = filepath.Join(dir, reportFile)
			}
			if err := checkPlace(output); err != nil {
				return err
			}
			p := makePage(cmd.Context(), dir, o)
			size, err := writePage(output, p)
			if err == nil && pictures != "" {
				err = paintPage(cmd.OutOrStdout(), pictures, p)
			}
			if err != nil {
				return &failure.Failure{What: "cannot write the report", Why: err.Error(), Try: "-o with a place that has room",
					Code: failure.Usage}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", output, grouped(size)+" bytes", reportParts(p))
			return err
		}}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "`FILE` to write (default: report.html in the run's directory)")
	f.StringVar(&pictures, "png", "", "`DIR` for the curves and the map as PNG files, too")
	f.StringVar(&o.worker, "worker-binary", "", "`PATH` of the worker program (default: beside this one)")
	f.DurationVar(&o.patience, "embed-timeout", askedPatience,
		"how long embeddings may take to compute; 0: leave them out")
	o.where.addFlags(cmd)
	return cmd
}

// reportParts says what a page has.
func reportParts(p *page.Page) string {
	parts := []string{count(int64(len(p.Charts)), "chart"), count(int64(len(p.Pairs)), "pair") + " of views"}
	if p.Map != nil {
		parts = append(parts, count(int64(len(p.Map.At)), "embedding"))
	} else if p.MapNote != "" {
		parts = append(parts, plain(p.MapNote))
	}
	return strings.Join(parts, ", ")
}

// endReport writes the page of a run that has ended, and says where in a line. It never fails the run.
func endReport(ctx context.Context, p *plan, st *pb.Status) string {
	o := reportOptions{worker: p.worker, patience: reportPatience, where: accessOf(p.settings)}
	o.hurried = ctx.Err() != nil // whoever waits for the end waits for no pictures
	if st.GetState() != pb.RunState_RUN_STATE_COMPLETED || p.launcher != coordinator.LauncherLocal {
		o.patience = 0
	}
	path := filepath.Join(p.settings.RunDir, reportFile)
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*reportPatience)
	defer cancel()
	if _, err := writePage(path, makePage(bounded, p.settings.RunDir, o)); err != nil {
		return fmt.Sprintf("  %-9s not written: %v\n", "report", err)
	}
	return fmt.Sprintf("  %-9s %s\n", "report", short(path))
}

func writePage(path string, p *page.Page) (size int64, err error) {
	var text bytes.Buffer
	if err := page.Render(&text, p); err != nil {
		return 0, err
	}
	return int64(text.Len()), atomicfile.Write(path, text.Bytes())
}

var notInFiles = regexp.MustCompile(`[^a-z0-9]+`)

// paintPage writes the curves and the map as pictures.
func paintPage(out io.Writer, dir string, p *page.Page) error {
	if err := disk.MkdirAll(disk.System{}, dir); err != nil {
		return err
	}
	paint := func(name string, m image.Image) error {
		path := filepath.Join(dir, name+".png")
		if err := atomicfile.Replace(path, func(w io.Writer) error { return png.Encode(w, m) }); err != nil {
			return err
		}
		_, err := fmt.Fprintln(out, path)
		return err
	}
	for i := range p.Charts {
		c := &p.Charts[i]
		name := strings.Trim(notInFiles.ReplaceAllString(strings.ToLower(c.Title), "-"), "-")
		if err := paint(name, c.Paint(page.BySteps, p.Marks)); err != nil {
			return err
		}
	}
	if p.Map == nil {
		return nil
	}
	return paint("map", p.Map.Paint())
}

// makePage collects what is known of a run, whatever state its directory is in.
func makePage(ctx context.Context, dir string, o reportOptions) *page.Page {
	r := past.Look(dir)
	if r.State == past.Running {
		r.Status = liveStatus(ctx, dir)
	}
	h, historyErr := report.Read(dir)
	config, configErr := past.Config(dir)
	if configErr != nil {
		config = &pb.RunConfig{}
	}
	if r.Status == nil {
		r.Status = past.Rebuild(dir, config, &h)
	}
	p := &page.Page{Title: r.Name, State: string(r.State), Lead: leadOf(&r, config, configErr),
		Made: fmt.Sprintf("made by byol %s on %s from %s", buildName(), time.Now().Format(time.DateTime), short(dir))}
	p.Facts = pageFacts(r.Status, config)
	addCurves(p, config, &h)
	if historyErr != nil {
		p.ChartsNote = "some files cannot be read: " + historyErr.Error()
	}
	addEvents(p, &h)
	addEvaluations(p, dir, &h)
	addSettings(p, dir)
	pictures{p, dir, config, o}.addData(ctx, r.Status)
	return p
}

// leadOf is a sentence about a run.
func leadOf(r *past.Run, c *pb.RunConfig, err error) string {
	var known *failure.Failure
	switch {
	case errors.As(err, &known):
		return "its configuration cannot be read: " + known.Why
	case r.Reason != "":
		return r.Reason
	}
	return fmt.Sprintf("%s at %d pixels, %g epochs of %s images, batch %d, on %s", c.Arch, c.ImageSize, c.Epochs,
		grouped(c.Samples), c.BatchSize, c.Data)
}

// pageFacts are the figures that are looked at first.
func pageFacts(st *pb.Status, c *pb.RunConfig) []page.Fact {
	p, l, t := st.GetProgress(), st.GetLearning(), st.GetThroughput()
	facts := []page.Fact{{Name: "steps", Value: grouped(p.GetStep()), More: "of " + grouped(p.GetTargetSteps())}}
	if c.Samples > 0 {
		facts = append(facts, page.Fact{Name: "epochs", Value: fmt.Sprintf("%.2f", p.GetEpoch()),
			More: fmt.Sprintf("of %.4g", p.GetTargetEpochs())})
	}
	if l.GetKnnKnown() {
		facts = append(facts, page.Fact{Name: "k-NN top-1", Value: percent(l.KnnTop1Ratio),
			More: strings.TrimPrefix(comparisons(l, ", "), ", ")})
	}
	if p.GetStep() > 0 {
		std := l.GetEmbeddingStdRatio()
		facts = append(facts, page.Fact{Name: "loss", Value: fmt.Sprintf("%.4f", l.GetLoss())},
			page.Fact{Name: "embedding std", Value: fmt.Sprintf("%.2f", std), More: health(std), Bad: std < collapsed})
	}
	if t.GetMeanSteps() > 0 {
		facts = append(facts, page.Fact{Name: "speed", Value: fmt.Sprintf("%.0f images/s", t.MeanImagesPerSecond),
			More: "mean of " + count(t.MeanSteps, "step")})
	}
	facts = append(facts, page.Fact{Name: "time", Value: spell(p.GetElapsed().AsDuration()),
		More: "since it was last begun"})
	if st.GetFaults().GetRestarts() > 0 {
		facts = append(facts, page.Fact{Name: "broken groups", Value: grouped(st.Faults.Restarts),
			More: count(st.Faults.RerunSteps, "step") + " run again"})
	}
	if n := p.GetUnreadableImages(); n > 0 {
		facts = append(facts, page.Fact{Name: "unreadable images", Value: grouped(n), More: "replaced", Bad: true})
	}
	return facts
}

// readStored reads the settings that a run directory keeps; none where there are none.
func readStored(dir string) map[string]string {
	text, err := os.ReadFile(filepath.Join(dir, coordinator.SettingsFile))
	if err != nil {
		return nil
	}
	values, err := parseYAML(coordinator.SettingsFile, text, newFlags(&settings.Values{}))
	if err != nil {
		return nil
	}
	return values
}
