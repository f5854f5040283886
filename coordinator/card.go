package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"byol/coordinator/status"
	"byol/internal/atomicfile"
	pb "byol/proto"
)

// CardFile is the file of a run directory in which its coordinator leaves its Card while it lives.
const CardFile = "coordinator.json"

// StatusFile is the file of a run directory in which its coordinator leaves the last Status when it ends.
const StatusFile = "status.json"

// OperatorFile is the file of a run directory that has the keys by which its coordinator's user reaches it.
const OperatorFile = "operator.pem"

// Card tells commands on this machine where the coordinator of a run directory is.
type Card struct {
	Address string    `json:"address"`
	PID     int       `json:"pid"`
	RunID   string    `json:"run_id"`
	Started time.Time `json:"started"`
}

// ReadCard returns the card in a run directory: an error that wraps os.ErrNotExist where no coordinator lives, another
// where there is a file that is no card.
func ReadCard(dir string) (Card, error) {
	text, err := os.ReadFile(filepath.Join(dir, CardFile))
	if err != nil {
		return Card{}, fmt.Errorf("read card: %w", err)
	}
	var card Card
	if err := json.Unmarshal(text, &card); err != nil {
		return Card{}, fmt.Errorf("read card: %w", err)
	}
	if card.Address == "" {
		return Card{}, errors.New("read card: it names no address")
	}
	return card, nil
}

// leaveKeys writes the operator's keys into the run directory, where there are any, for its owner alone; remove takes
// them away again.
func (c *Coordinator) leaveKeys() (remove func(), err error) {
	path := filepath.Join(c.runDir, OperatorFile)
	if c.opts.OperatorKeys == nil {
		_ = os.Remove(path) // of a coordinator that was killed: they open nothing
		return func() {}, nil
	}
	keys, err := c.opts.OperatorKeys()
	if err == nil {
		err = atomicfile.WriteSecret(path, keys)
	}
	if err != nil {
		return nil, fmt.Errorf("leave keys: %w", err)
	}
	return func() { _ = os.Remove(path) }, nil
}

// leave writes the card into a run directory; remove takes it away again.
func (c Card) leave(dir string) (remove func(), err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("leave card: %w", err)
	}
	path := filepath.Join(dir, CardFile)
	if err := atomicfile.Write(path, append(text, '\n')); err != nil {
		return nil, fmt.Errorf("leave card: %w", err)
	}
	return func() { _ = os.Remove(path) }, nil // a card that stays names an address that does not answer
}

// leaveStatus writes down how a run that was served has ended, for those who ask when nobody answers any more.
func (c *Coordinator) leaveStatus() {
	if !c.served {
		return
	}
	last, _ := c.latest.Look()
	if files := c.report.Load(); files != nil { // the last lines may have been written since
		last = proto.Clone(last).(*pb.Status)
		if last.Throughput == nil {
			last.Throughput = &pb.Throughput{}
		}
		steps, seconds := files.Pace()
		status.SetPace(last.Throughput, c.opts.Config, steps, seconds)
	}
	text, err := status.MarshalIndent(last)
	if err == nil {
		err = atomicfile.Write(filepath.Join(c.runDir, StatusFile), append(text, '\n'))
	}
	if err != nil {
		c.opts.Log.Warn("write status", zap.Error(err))
	}
}
