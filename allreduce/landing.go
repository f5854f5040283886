package allreduce

import (
	"sync"

	"byol/allreduce/link"
)

// landing is where the next totals of a peer go: into the vector itself, with no buffer between. The caller of an
// operation expects them, the goroutine in listen takes places for them. A total that comes before it is expected
// goes into a buffer, and so does one with another head, which will be refused.
type landing struct {
	mu     sync.Mutex
	places []berth // of totals that have not come, in their order
	taken  gate    // held while bytes go into a place
}

// berth is where the payload behind one head goes.
type berth struct {
	head link.Header // its checksum aside
	data []byte
}

// expect has the total with that head go into data, once those before it have come. What this rank sends of data must
// have been sent.
func (l *landing) expect(head link.Header, data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places = append(l.places, berth{head, data})
}

// miss forgets the place of the next total, which came into a buffer.
func (l *landing) miss() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.places = l.places[1:]
}

// take is the place for what follows head, which belongs to the caller until leave; nil if nobody expects it.
func (l *landing) take(head link.Header) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	head.Sum = 0
	if len(l.places) == 0 || l.places[0].head != head {
		return nil
	}
	l.taken.lock()
	data := l.places[0].data
	l.places = l.places[1:]
	return data
}

func (l *landing) leave() { l.taken.unlock() }

// clear forgets all places, and waits until nothing is written into one any more. Where something is, the group broke,
// which ends its links.
func (l *landing) clear() {
	l.mu.Lock()
	l.places = nil
	l.mu.Unlock()
	l.taken.lock()
	l.taken.unlock()
}
