package coordinator

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"byol/internal/vector"
	pb "byol/proto"
)

// disk is where fake workers keep checkpoints; it is the Catalogue of the runs that share it.
type disk struct {
	mu     sync.Mutex // guards what follows
	states map[string]fakeState
	infos  []*pb.CheckpointInfo
	broken string // error of the next writes
	mark   string
	alive  map[*fake]string // workers that run, by the address that peers know, and what they hold
	held   map[string]fakeState
}

type fakeState struct {
	step            int64
	theta, momentum []float32
	xi              []float32
}

func newDisk() *disk {
	return &disk{states: map[string]fakeState{}, alive: map[*fake]string{}, held: map[string]fakeState{}}
}

// enter and exit say that a worker runs and that it ended: the others notice that a ring with it broke.
func (d *disk) enter(f *fake) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alive[f] = f.join.DataAddress
}

func (d *disk) exit(f *fake) {
	d.mu.Lock()
	defer d.mu.Unlock()
	address := d.alive[f]
	delete(d.alive, f)
	delete(d.held, address)
	for o := range d.alive {
		select {
		case o.lost <- address:
		default: // it does not listen
		}
	}
}

// hold offers a committed state to peers.
func (d *disk) hold(address string, s fakeState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held[address] = s
}

// peer returns a state of the step that one of the peers holds.
func (d *disk) peer(p *pb.Plan) (fakeState, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, peer := range p.Peers {
		if s, ok := d.held[peer.Address]; ok && s.step == p.CommittedStep &&
			vector.Digest(s.xi) == p.GetCommitted().GetTarget() {
			return s, true
		}
	}
	return fakeState{}, false
}

func (d *disk) save(s fakeState) *pb.CheckpointSaved {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := filepath.Join("/ckpt", fmt.Sprintf("step-%09d", s.step))
	if d.broken != "" {
		return &pb.CheckpointSaved{Step: s.step, Error: d.broken}
	}
	d.states[path] = s
	d.infos = slices.DeleteFunc(d.infos, func(k *pb.CheckpointInfo) bool { return k.Step >= s.step })
	d.infos = append(d.infos, &pb.CheckpointInfo{Step: s.step, Path: path, SizeBytes: 10, StateSha256: "ab"})
	return &pb.CheckpointSaved{Step: s.step, Path: path, SizeBytes: 10, StateSha256: "ab"}
}

func (d *disk) load(path string) (fakeState, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.states[path]
	return s, ok
}

func (d *disk) Newest() (*pb.CheckpointInfo, []string, error) {
	list, _ := d.List()
	if len(list) == 0 {
		return nil, nil, nil
	}
	return list[len(list)-1], nil, nil
}

func (d *disk) Open(path string) (*pb.CheckpointInfo, error) {
	list, _ := d.List()
	for _, k := range list {
		if k.Path == path {
			return k, nil
		}
	}
	return nil, errors.New("open " + path + ": no such file")
}

func (d *disk) List() ([]*pb.CheckpointInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.infos), nil
}

func (d *disk) Prune(keep int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.infos = d.infos[max(0, len(d.infos)-keep):]
	return nil
}

func (d *disk) Sees(k *pb.CheckpointInfo) error {
	_, err := d.Open(k.Path)
	return err
}

func (d *disk) Mark(word string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mark = word
	return nil
}

func (d *disk) marked() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mark
}
