package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator/features"
	"byol/internal/disk"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/secure"
	pb "byol/proto"
	"byol/worker/data/views"
)

// blockImages is how many images a task of features has.
const blockImages = 128

// evalJob is one evaluation under way: its workers, and where what they compute is kept.
type evalJob struct {
	*features.Job
	flags       *evalFlags
	subject     *subject
	out         string // directory of results
	batch       int
	dim         int
	fingerprint string
	show        *pace
	began       time.Time
	release     func() // of out
}

// Close ends the workers and lets others have the directory.
func (j *evalJob) Close() {
	if j.Job != nil {
		j.Job.Close()
	}
	j.release()
}

// hold makes the directory of the results this job's. Two at a time would write each other's features.
func (j *evalJob) hold() error {
	err := disk.MkdirAll(disk.System{}, j.out)
	if err == nil {
		j.release, err = disk.Hold(j.out)
	}
	switch {
	case errors.Is(err, disk.ErrHeld):
		return &failure.Failure{What: "another evaluation is at work in " + short(j.out),
			Why: "both would write its features",
			Try: "again when it has ended, or --out with another directory", Code: failure.Temporary}
	case err != nil:
		return &failure.Failure{What: "cannot write the results to " + short(j.out), Why: err.Error(),
			Try: "--out with a directory that you may write to", Code: failure.Checkpoint}
	}
	return nil
}

// outDir is the directory of the results.
func (e *evalFlags) outDir(s *subject) string {
	if e.out != "" {
		return e.out
	}
	return filepath.Join(s.base, "eval", s.name())
}

// startJob makes the job of an evaluation of some sets, starts its workers, and waits for the first.
func (e *evalFlags) startJob(ctx context.Context, show *pace, s *subject, sets ...*imageSet) (*evalJob, error) {
	j := &evalJob{flags: e, subject: s, out: e.outDir(s), batch: e.batch, show: show, began: time.Now()}
	if err := j.hold(); err != nil {
		return nil, err
	}
	if err := j.start(ctx, sets); err != nil {
		j.Close()
		return nil, err
	}
	return j, nil
}

// start starts the workers and waits for the first.
func (j *evalJob) start(ctx context.Context, sets []*imageSet) error {
	e, s, show := j.flags, j.subject, j.show
	if j.batch == 0 {
		j.batch = min(max(8*224*224/(s.ImageSize*s.ImageSize), 1), 64)
	}
	o := features.Options{Config: e.config(s, sets), BatchSize: j.batch, Build: buildName(),
		Relaxed: e.determinism == "relaxed", Listen: e.listen, Threads: e.threads, MaxRestarts: e.restarts,
		Logs: filepath.Join(j.out, "logs"), Say: show.say, Progress: show.progress}
	for _, set := range sets {
		o.Sets = append(o.Sets, features.Set{Name: "--" + set.flag, Manifest: set.manifest})
	}
	var file bytes.Buffer
	if err := s.WriteSafetensors(&file); err != nil {
		return err
	}
	sum := sha256.Sum256(file.Bytes())
	o.Encoder, o.SHA256 = file.Bytes(), hex.EncodeToString(sum[:])
	if e.launcher == "local" {
		var warning string
		var err error
		if o.WorkerBinary, warning, err = findProgram(ctx, e.worker, o.Relaxed); err != nil {
			return err
		}
		if warning != "" {
			show.say("WARN " + warning)
		}
		o.Workers = e.workers
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
		if e.launcher == "none" {
			o.Listen = "0.0.0.0:7070"
		}
	}
	o.Listen = network.HostPort(o.Listen)
	t, err := protectWith(e.tls, "evaluation", e.launcher == "local" && secure.IsLoopback(o.Listen))
	if err != nil {
		return err
	}
	t.protect(&o)
	o.Call = func(address string) string { return pasteable(ctx, address) }
	if j.Job, err = features.Start(ctx, o); err != nil {
		return err
	}
	if j.dim, j.fingerprint, err = j.Ready(ctx); err != nil {
		return err
	}
	j.fingerprint += fmt.Sprintf("; %d at once", j.batch)
	return nil
}

// judging opens an encoder and the two labelled sets, starts workers, and has f judge with them.
func (e *evalFlags) judging(ctx context.Context, cmd *cobra.Command, path string,
	f func(j *evalJob, train, eval *imageSet, warning string) error) error {
	s, err := e.openSubject(path)
	if err != nil {
		return err
	}
	train, eval, warning, err := e.openLabelled(ctx, s)
	if err != nil {
		return err
	}
	defer closeSets(train, eval)
	j, err := e.startJob(ctx, newPace(cmd.ErrOrStderr(), e.quiet), s, train, eval)
	if err != nil {
		return err
	}
	defer j.Close()
	return f(j, train, eval, warning)
}

// config is what workers are told of the network and the images.
func (e *evalFlags) config(s *subject, sets []*imageSet) *pb.RunConfig {
	c := &pb.RunConfig{Arch: s.Arch, Width: int32(s.Width), Stem: s.Stem, Padding: s.Padding,
		ImageSize: int32(s.ImageSize), Augment: s.Augment, Device: e.device, Isa: e.isa, Kernels: "auto",
		Threads: int32(e.threads), Data: sets[0].uri, DataTimeoutSeconds: e.access.timeout.Seconds()}
	if len(sets) > 1 {
		c.EvalData = sets[1].uri
	}
	return c
}

// store computes the features of a set, seen as evaluation does, but for those that are there from before. The result
// is closed by the caller.
func (j *evalJob) store(ctx context.Context, number int, set *imageSet) (*features.Store, error) {
	id := features.Identity{Encoder: j.subject.Digest(), Data: set.manifest, View: viewText(j.subject.Sight),
		Fingerprint: j.fingerprint, Images: set.images.Len(), Dim: j.dim}
	key := sha256.Sum256([]byte(id.Data + "\n" + id.View))
	s, note, err := features.OpenStore(filepath.Join(j.out, "features"), hex.EncodeToString(key[:6]), id)
	if err != nil {
		return nil, err
	}
	if note != "" {
		j.show.say(note)
	}
	from, total := s.Images(), set.images.Len()
	if from > 0 {
		j.show.say(fmt.Sprintf("%s of %s features of --%s are there from before", grouped(int64(from)),
			grouped(int64(total)), set.flag))
	}
	err = j.Features(ctx, features.Request{Doing: "features of --" + set.flag, Set: number,
		Tasks: (total - from + blockImages - 1) / blockImages, Done: int64(from), Total: int64(total),
		Task: func(i int) (images []int64, epoch int64) {
			for k := from + i*blockImages; k < min(from+(i+1)*blockImages, total); k++ {
				images = append(images, int64(k))
			}
			return images, 0
		}}, s.Append)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	unreadable := s.Unreadable()
	for _, i := range slices.Sorted(maps.Keys(unreadable)) {
		j.show.say(fmt.Sprintf("image %d of --%s is left out: %s", i, set.flag, unreadable[i]))
	}
	if len(unreadable) == total {
		_ = s.Close()
		return nil, &failure.Failure{What: fmt.Sprintf("--%s has no picture that can be decoded", set.flag),
			Why: fmt.Sprintf("all %s are left out, the first: %s", grouped(int64(total)), unreadable[0]),
			Try: "coordinator data verify " + quoted(set.uri), Code: failure.Data}
	}
	return s, nil
}

// viewText is how images are looked at, for identities.
func viewText(v views.Evaluation) string { return fmt.Sprintf("%+v", v) }

// rows are those of a store whose images could be decoded, and of these those with a label where labels are given.
func rowsOf(s *features.Store, labels []int32) []int {
	unreadable := s.Unreadable()
	var out []int
	for i := range s.Images() {
		if _, bad := unreadable[i]; !bad && (labels == nil || labels[i] >= 0) {
			out = append(out, i)
		}
	}
	return out
}

// readRows reads rows of a store, neighbours together.
func readRows(s *features.Store, rows []int, dim int, to []float32) error {
	for i := 0; i < len(rows); {
		n := 1
		for i+n < len(rows) && rows[i+n] == rows[i]+n {
			n++
		}
		if err := s.Rows(rows[i], to[i*dim:][:n*dim]); err != nil {
			return err
		}
		i += n
	}
	return nil
}
