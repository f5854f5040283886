package lead

import (
	"fmt"

	"byol/coordinator/run"
	"byol/internal/failure"
)

// Contents are checksums of images that a worker has read.
type Contents struct{ Images []Content }

// Content is the checksum of one image's bytes.
type Content struct {
	Index int64
	Sum   uint32
	Name  string
}

// known is what was first heard of an image, from whom, and at which step.
type known struct {
	sum, step uint32
	by        string
}

// contentsKept bounds the images that are compared, by the memory that they take.
const contentsKept = 1 << 22

// heard compares with what other workers, or this one, have told. Where bytes differ nobody can say who is right, and
// the run's numbers would depend on who reads what: it ends.
func (c Contents) heard(l *Lead, m *member) {
	for _, i := range c.Images {
		before, seen := l.contents[i.Index]
		switch {
		case !seen && len(l.contents) < contentsKept:
			l.contents[i.Index] = known{sum: i.Sum, step: uint32(l.view.Step), by: string(m.id)}
		case seen && before.sum != i.Sum:
			l.fail(&failure.Failure{
				What: fmt.Sprintf("image %d, %s, is not the same on all machines", i.Index, Plain(i.Name, run.MaxText)),
				Why: fmt.Sprintf("%s reads bytes of CRC-32C %08x there, %s read bytes of %08x by step %d, of the same size", m.id,
					i.Sum, before.by, before.sum, before.step),
				Try: fmt.Sprintf("compare that file on their machines, copy the right one to the others, and start again: the run "+
					"goes on; if %s had the wrong one, --resume a checkpoint of before step %d", before.by, before.step),
				Code: failure.Data})
			return
		}
	}
}
