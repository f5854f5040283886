package coordinator

import (
	"crypto/rand"
	"fmt"
	"time"

	"byol/coordinator/lead"
	pb "byol/proto"
)

// looks are the pauses before each look for a checkpoint that a worker says it wrote: a network file system may show
// it a little later.
var looks = []time.Duration{0, 300 * time.Millisecond, time.Second, 2 * time.Second}

// inspect looks whether this host sees a checkpoint, without keeping the goroutine of Run, and tells the leader.
func (c *Coordinator) inspect(i lead.Inspect) {
	c.start(func() {
		found := lead.Inspected{Inspect: i}
		if c.opts.Checkpoints != nil {
			found.Problem = c.lookFor(&pb.CheckpointInfo{Step: i.Saved.Step, Path: i.Saved.Path, SizeBytes: i.Saved.Bytes,
				StateSha256: i.Saved.SHA256})
		}
		_ = c.post(c.life, envelope{event: found}) // nobody listens any more when the run is over
	})
}

// lookFor says why a checkpoint is not seen, "" when it is.
func (c *Coordinator) lookFor(k *pb.CheckpointInfo) string {
	problem := ""
	for _, pause := range looks {
		wait := time.NewTimer(pause)
		select {
		case <-wait.C:
		case <-c.ended:
			wait.Stop()
			return problem
		}
		err := c.opts.Checkpoints.Sees(k)
		if err == nil {
			return ""
		}
		problem = err.Error()
	}
	return problem
}

// leaveMark leaves a new word where the checkpoints are, before workers are asked what they find there. It returns ""
// when that cannot be done, and tells so: this coordinator may yet read what others write.
func (c *Coordinator) leaveMark() string {
	if c.opts.Checkpoints == nil {
		return ""
	}
	word := fmt.Sprintf("%s %s", c.opts.Config.RunId, rand.Text())
	if err := c.opts.Checkpoints.Mark(word); err != nil {
		text := "this coordinator cannot write where the checkpoints are: " + err.Error()
		c.tell("checkpoints-not-shared", "", text)
		return ""
	}
	return word
}
