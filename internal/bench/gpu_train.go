package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What a training needs besides its steps: to start, to evaluate, and to save.
const (
	trainOverhead = 25 * time.Second
	trainSpare    = 0.8 // of the time left that is planned for
)

// train trains for the time that is left, and says how k-NN accuracy went with it. A few steps of the same training
// tell how many epochs that is.
func (c *gpuCheck) train(ctx context.Context) error {
	flags, err := c.trainingFlags()
	if err != nil {
		return err
	}
	epochs := c.size.trainEpochs
	if c.taken.isGPU() {
		r, err := c.e.measure(ctx, &side{read: readMetrics(c.size.trainBatch), argv: append(flags, "--epochs",
			strconv.Itoa(epochs), "--max-steps", "16", "--run-dir", "{tmp}/run")}, nil, false)
		if err != nil {
			return err
		}
		speed := r.figures["images_per_second"]
		if epochs = epochsIn(time.Until(c.end), speed, c.size.trainImages, epochs); epochs < 1 {
			return skipped(fmt.Sprintf("at %s images/s an epoch takes longer than what is left", significant(speed)))
		}
		c.table.row(c.size.trainName+", 16 steps first", significant(speed)+" images/s: "+strconv.Itoa(epochs)+" epochs")
	}
	dir := filepath.Join(c.e.places["tmp"], "training")
	_, err = c.tell(ctx, append(flags, "--epochs", strconv.Itoa(epochs), "--eval-every",
		strconv.Itoa(max(1, epochs/8))+"ep", "--run-dir", dir)...)
	points, reading := readCurve(dir) // also of a training that was cut off
	for _, p := range points {
		c.table.row(fmt.Sprintf("%s, %.0f s of training, epoch %.1f", c.size.trainName, p.seconds, p.epoch),
			fmt.Sprintf("k-NN %.1f %%", 100*p.accuracy))
	}
	if err != nil {
		return err
	}
	return reading
}

// trainingFlags are those of the training but its length.
func (c *gpuCheck) trainingFlags() ([]string, error) {
	flags := append([]string{"{bin}/coordinator", "--workers", "1", "--launcher", "local", "--device", c.taken.device(),
		"--save-interval", "0", "--resume", "never", "--quiet"}, c.size.training...)
	if !c.taken.isGPU() {
		return flags, nil
	}
	dir := c.data
	if dir == "" {
		dir = filepath.Join(c.e.places["shared"], "data", "cifar10")
	}
	if !exists(filepath.Join(dir, "train-000009.tar")) || !exists(filepath.Join(dir, "test-000001.tar")) {
		return nil, skipped("CIFAR-10 is not in " + dir)
	}
	return append(flags, "--data", filepath.Join(dir, "train-{000000..000009}.tar"), "--eval-data",
		filepath.Join(dir, "test-{000000..000001}.tar")), nil
}

// epochsIn is how many epochs of so many images fit into the time that is left, and at most so many.
func epochsIn(left time.Duration, speed float64, images, most int) int {
	return min(most, int(trainSpare*(left-trainOverhead).Seconds()*speed/float64(images)))
}

// point is one evaluation.
type point struct {
	seconds, epoch, accuracy float64
}

// readCurve reads a run's evaluations, with how long the steps before each took.
func readCurve(dir string) ([]point, error) {
	metrics, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("read the training: %w", err)
	}
	type at struct{ seconds, epoch float64 }
	steps := []at{{}}
	for line := range bytes.Lines(metrics) {
		var step struct{ Seconds, Epoch float64 }
		if err := json.Unmarshal(line, &step); err != nil {
			return nil, fmt.Errorf("read the training: metrics.jsonl: %w", err)
		}
		steps = append(steps, at{steps[len(steps)-1].seconds + step.Seconds, step.Epoch})
	}
	evaluations, err := os.ReadFile(filepath.Join(dir, "evaluations.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("read the training: %w", err)
	}
	var points []point
	for line := range strings.Lines(string(evaluations)) {
		e := struct {
			Step     int
			Accuracy *float64 `json:"knn_top1"`
		}{}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("read the training: evaluations.jsonl: %w", err)
		}
		if e.Accuracy != nil && e.Step < len(steps) {
			points = append(points, point{steps[e.Step].seconds, steps[e.Step].epoch, *e.Accuracy})
		}
	}
	return points, nil
}
