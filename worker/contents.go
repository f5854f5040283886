package worker

import (
	"fmt"
	"slices"
	"sync"

	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/data/source"
)

// contents are the checksums of the images that this worker has read. They are taken as images are read, and told to
// the coordinator, which compares them with those of other workers. Safe for concurrent use.
type contents struct {
	mu     sync.Mutex // guards all below
	sums   map[int]uint32
	said   map[int]bool // to the coordinator, in this generation
	unsaid []*pb.ImageContent
}

// again forgets what was told: another coordinator may lead, which has heard nothing.
func (c *contents) again() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said, c.unsaid = map[int]bool{}, nil
}

// read takes an image's checksum, and fails if it had another one before.
func (c *contents) read(i int, images source.Source, sum uint32) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sums == nil {
		c.sums = map[int]uint32{}
	}
	before, known := c.sums[i]
	if known && before != sum {
		return &failure.Failure{What: "read image " + images.Name(i), Code: failure.Data, Err: source.ErrChanged,
			Why: fmt.Sprintf("its bytes are others than before: CRC-32C %08x, it was %08x, at the same size and time", sum,
				before),
			Try: "bring the file back as it was, look at the disk, and start again: the run goes on"}
	}
	c.sums[i] = sum
	if !c.said[i] {
		c.said[i] = true
		c.unsaid = append(c.unsaid, &pb.ImageContent{Index: int64(i), Crc32C: sum, Name: control.Text(images.Name(i))})
	}
	return nil
}

// mostContents is how many are told at once.
const mostContents = 1024

// take gives what is to be told.
func (c *contents) take() [][]*pb.ImageContent {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := slices.Collect(slices.Chunk(c.unsaid, mostContents))
	c.unsaid = nil
	return all
}

// tellContents tells the coordinator what was read since it was told last.
func (w *worker) tellContents() {
	for _, some := range w.equipment.contents.take() {
		w.line.Tell(&pb.FromWorker{Message: &pb.FromWorker_ImageContents{ImageContents: &pb.ImageContents{Images: some}}})
	}
}
