package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"byol/internal/failure"
	"byol/internal/network/secure"
	"byol/internal/signals"
	"byol/worker/encoder"
)

// evalFlags are what evaluations and embed are told.
type evalFlags struct {
	endpoint    // for -o
	access      access
	trainData   string
	evalData    string
	classes     string
	out         string
	network     string
	shape       encoder.Shape // what a file does not say of itself
	augment     string
	device      string
	isa         string
	launcher    string
	listen      string
	worker      string
	determinism string
	workers     int
	threads     int
	batch       int
	restarts    int
	untrained   bool
	quiet       bool
	tls         secure.Choice
}

// subjectHelp is what all of these commands judge.
const subjectHelp = `RUN_DIR is a run's directory, whose newest checkpoint is taken; CKPT a checkpoint; ENCODER a
safetensors file with torchvision's names, such as coordinator export writes. Features are computed by workers: of
this machine, or with --launcher none by any that join with worker encode. They do not depend on how many there are.
The same command again goes on where it stopped.`

func evalCommand() *cobra.Command {
	return parent("eval", "Judge an encoder by what it makes of labelled images", evalKNN(), evalLinear(), evalSemi(),
		evalFinetune())
}

// addJob declares what says of whom features are computed, and by whom.
func (e *evalFlags) addJob(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.network, "network", encoder.Online, "online, which BYOL evaluates, or target, its moving average")
	f.BoolVar(&e.untrained, "untrained", false, "judge the weights that the run of RUN_DIR or CKPT began with, instead")
	f.StringVar(&e.shape.Arch, "arch", "", "architecture of an ENCODER that does not say it")
	f.StringVar(&e.shape.Stem, "stem", "", "its stem: imagenet or cifar (default: the architecture's)")
	f.IntVar(&e.shape.Width, "width", 0, "its channel multiplier")
	f.IntVar(&e.shape.ImageSize, "image-size", 0, "side of the images (default: of the training)")
	f.StringVar(&e.augment, "augment", "", "byol: the centre 224/256 of an image; byol-noblur: all of its centre square")
	e.access.addFlags(cmd)
	f.IntVar(&e.batch, "batch-size", 0, "images that a worker encodes at once (default: 8 of 224 pixels, more of smaller)")
	f.IntVar(&e.workers, "workers", 1, "how many workers compute")
	f.IntVar(&e.threads, "threads", 0, "of each worker (default: its share of the machine)")
	f.StringVar(&e.device, "device", "auto", "auto|cpu|pjrt|pjrt:PATH|cuda|rocm|tpu|reference")
	f.StringVar(&e.isa, "isa", "auto", "instructions of the device cpu: auto|avx512|avx2|generic")
	f.StringVar(&e.launcher, "launcher", "local", "local: start the workers; none: wait for workers that join")
	f.StringVar(&e.listen, "listen", "", "`HOST:PORT` where workers join (default: this machine's alone; none: port 7070)")
	f.StringVar(&e.tls.Dir, "tls-dir", os.Getenv("BYOL_TLS_DIR"),
		"`DIR` with ca.pem, cert.pem and key.pem of a coordinator")
	f.StringVar(&e.tls.TokenFile, "token-file", os.Getenv("BYOL_TOKEN_FILE"),
		"`FILE` with the secret word that all parties have, instead of certificates")
	f.BoolVar(&e.tls.Insecure, "insecure", os.Getenv("BYOL_INSECURE") == "true",
		"let other machines reach the evaluation without TLS")
	f.StringVar(&e.worker, "worker-binary", "", "`PATH` of the worker program (default: beside this one)")
	f.StringVar(&e.determinism, "determinism", "strict", "strict, or relaxed: workers whose bits may differ take part")
	f.IntVar(&e.restarts, "max-restarts", 5, "how often in a row a worker is started again")
	f.BoolVarP(&e.quiet, "quiet", "q", false, "no progress")
	offer(cmd, "network", []string{encoder.Online, encoder.Target}, false)
	offer(cmd, "launcher", []string{"local", "none"}, false)
	offer(cmd, "determinism", []string{"strict", "relaxed"}, false)
}

// addSets declares the labelled sets of an evaluation.
func (e *evalFlags) addSets(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&e.trainData, "train-data", "", "`URI` of the labelled images to learn from (default: the run's --data)")
	f.StringVar(&e.evalData, "eval-data", "", "`URI` of the images to judge by (default: the run's --eval-data)")
	f.StringVar(&e.classes, "eval-classes", "exact",
		"exact: both sets have the same classes; intersect: others are left out")
	f.StringVar(&e.out, "out", "", "`DIR` for results and features (default: eval in the run's directory)")
	offer(cmd, "eval-classes", []string{"exact", "intersect"}, false)
	e.addOutput(cmd)
}

// check refuses words and numbers that mean nothing.
func (e *evalFlags) check() error {
	for _, w := range []struct {
		flag, value string
		words       []string
	}{
		{"network", e.network, []string{encoder.Online, encoder.Target}},
		{"launcher", e.launcher, []string{"local", "none"}},
		{"determinism", e.determinism, []string{"strict", "relaxed"}},
		{"eval-classes", e.classes, []string{"", "exact", "intersect"}},
	} {
		if !strings.Contains("\n"+strings.Join(w.words, "\n")+"\n", "\n"+w.value+"\n") {
			return usage(fmt.Sprintf("--%s cannot be %q", w.flag, w.value),
				"it is one of: "+strings.Trim(strings.Join(w.words, ", "), ", "),
				suggestion(w.value, w.words, "--"+w.flag+" "+w.words[len(w.words)-1]))
		}
	}
	for _, n := range []struct {
		flag           string
		value, low, to int
	}{{"workers", e.workers, 1, 1024}, {"threads", e.threads, 0, 4096}, {"batch-size", e.batch, 0, 65536},
		{"width", e.shape.Width, 0, 64}, {"image-size", e.shape.ImageSize, 0, 8192}, {"max-restarts", e.restarts, 0, 1000}} {
		if n.value < n.low || n.value > n.to {
			return usage(fmt.Sprintf("--%s cannot be %d", n.flag, n.value), fmt.Sprintf("it is from %d to %d", n.low, n.to),
				"another value for --"+n.flag)
		}
	}
	return e.checkOutput()
}

// untilAsked is a context that ends with the first signal that asks for it; another one that comes later ends the
// program.
func untilAsked(cmd *cobra.Command, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancelCause(cmd.Context())
	defer cancel(nil)
	stopped := func(sig os.Signal) {
		cancel(&failure.Failure{What: "stopped by " + sig.String(), Why: "what is finished is kept",
			Try: "the same command again goes on from there", Code: failure.Temporary})
	}
	l := signals.Listen(stopped, func(os.Signal) { os.Exit(failure.Interrupted) })
	defer l.Close()
	return f(ctx)
}
