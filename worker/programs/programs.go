// Package programs carries compiled programs from one machine's worker to another's, over the port at which peers reach
// each other: it is the share.Exchange of a worker.
//
// On the wire, all little-endian. Who asks sends one request and reads its answer:
//
//	request  0 Magic u32 · 4 version u16 · 6 what u8 (1 look, 2 fetch) · 7 length of the run id u8 · 8 platform [32] ·
//	         40 keys u16 · 42 zero [6] · 48 run id · the keys [16]; to fetch, one key and its seal [32]
//	answer   0 Magic u32 · 4 verdict u8 · 5 zero [3] · 8 bytes u64 that follow
//	look     for each key: state u8 · seal [32]
//	fetch    the compiled program
//
// What is trusted. A program is code that runs in the worker. Its seal says that it arrived as it was sent, and nothing
// of who made it; that is for the network to say. So a worker has an Exchange only where its peers show certificates.
//
// Ownership. An Exchange belongs to its worker; whoever accepts connections calls Serve, in goroutines of its own. It
// starts none.
//
// When it fails: Look and Fetch return what kept them; share.ErrOther and share.ErrDamaged are of machines that need
// not be asked again. All that is read is bounded, in bytes and in time. Serve only closes the connection.
package programs

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"byol/internal/network"
	"byol/model/pjrt/share"
)

// Magic is how connections begin that ask for programs.
const Magic = 0x50594F42

const (
	version      = 1
	requestBytes = 48
	answerBytes  = 16
	keyBytes     = len(share.Key{})
	sealBytes    = len(share.Seal{})
	entryBytes   = 1 + sealBytes
	// mostKeys, mostCode and whole bound one exchange, and mostServed how many are served at a time.
	mostKeys   = 4096
	mostCode   = 256 << 20
	whole      = 2 * time.Minute
	mostServed = 8
	// strokeBytes is what is written or read at once. Some of it must get through within the silence that is allowed.
	strokeBytes = 64 << 10
)

// what a request asks for.
type what uint8

const (
	look  what = 1
	fetch what = 2
)

// verdict is the answer to a request.
type verdict uint8

const (
	granted  verdict = 1
	otherRun verdict = 2
	other    verdict = 3 // another platform
	missing  verdict = 4
	busy     verdict = 5
)

// Peer is a worker of another machine.
type Peer struct{ Host, Address string }

// Exchange implements share.Exchange.
type Exchange struct {
	network network.Network
	run     string
	silence time.Duration
	served  chan struct{} // a token for each that is served

	mu    sync.Mutex // guards the rest
	shelf share.Shelf
	self  string
	peers []Peer
}

// New is an exchange of one run's workers, of which none is known yet. A peer that gives nothing for as long as silence
// is given up.
func New(n network.Network, run string, silence time.Duration) *Exchange {
	return &Exchange{network: n, run: run, silence: silence, served: make(chan struct{}, mostServed)}
}

// Among says who the others are. Those of this machine share a folder with it, and are not asked.
func (x *Exchange) Among(self string, peers []Peer) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.self, x.peers = self, nil
	for _, p := range peers {
		if p.Host != self && p.Host != "" {
			x.peers = append(x.peers, p)
		}
	}
}

// Offer implements share.Exchange.
func (x *Exchange) Offer(s share.Shelf) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.shelf = s
}

// Hosts implements share.Exchange.
func (x *Exchange) Hosts() (self string, others []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.peers {
		if !slices.Contains(others, p.Host) {
			others = append(others, p.Host)
		}
	}
	return x.self, others
}

// Look implements share.Exchange.
func (x *Exchange) Look(ctx context.Context, host string, p share.Platform, keys []share.Key) ([]share.Entry, error) {
	if len(keys) > mostKeys {
		return nil, fmt.Errorf("look for programs: %d of them, at most %d are asked for", len(keys), mostKeys)
	}
	b, err := x.ask(ctx, host, request{what: look, run: x.run, platform: p, keys: keys})
	if err == nil && len(b) != entryBytes*len(keys) {
		err = fmt.Errorf("%d bytes for %d programs: %w", len(b), len(keys), share.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("look for programs at %s: %w", host, err)
	}
	entries := make([]share.Entry, len(keys))
	for i := range entries {
		e := b[i*entryBytes:]
		entries[i] = share.Entry{State: share.State(e[0]), Seal: share.Seal(e[1:entryBytes])}
		if !entries[i].State.Known() {
			return nil, fmt.Errorf("look for programs at %s: state %d: %w", host, e[0], share.ErrDamaged)
		}
	}
	return entries, nil
}

// Fetch implements share.Exchange.
func (x *Exchange) Fetch(ctx context.Context, host string, p share.Platform, k share.Key,
	seal share.Seal) ([]byte, error) {
	b, err := x.ask(ctx, host, request{what: fetch, run: x.run, platform: p, keys: []share.Key{k}, seal: seal})
	if err == nil && share.SealOf(b) != seal {
		err = fmt.Errorf("%d bytes that are not those it named: %w", len(b), share.ErrDamaged)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch program from %s: %w", host, err)
	}
	return b, nil
}

// ask asks the workers of a machine, until one answers.
func (x *Exchange) ask(ctx context.Context, host string, q request) ([]byte, error) {
	x.mu.Lock()
	peers := slices.Clone(x.peers)
	x.mu.Unlock()
	err := errors.New("it is no machine of this run")
	for _, p := range peers {
		if p.Host != host {
			continue
		}
		var b []byte
		b, err = x.askOne(ctx, p.Address, q)
		if err == nil || ctx.Err() != nil || errors.Is(err, share.ErrDamaged) {
			return b, err
		}
	}
	return nil, err
}

func (x *Exchange) askOne(ctx context.Context, address string, q request) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, x.silence)
	conn, err := x.network.Dial(limited, address)
	cancel()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	detach := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer detach()
	l := &line{conn: conn, silence: x.silence, end: time.Now().Add(whole)}
	if err := l.write(q.encode()); err != nil {
		return nil, fmt.Errorf("send request: %w", err)
	}
	var a [answerBytes]byte
	if _, err := io.ReadFull(l, a[:]); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if binary.LittleEndian.Uint32(a[:]) != Magic {
		return nil, fmt.Errorf("read answer: not this protocol: %w", share.ErrDamaged)
	}
	switch verdict(a[4]) {
	case granted:
	case otherRun:
		return nil, errors.New("it belongs to another run")
	case other:
		return nil, share.ErrOther
	case missing:
		return nil, errors.New("it has it no more")
	case busy:
		return nil, errors.New("it serves others")
	default:
		return nil, fmt.Errorf("read answer: verdict %d: %w", a[4], share.ErrDamaged)
	}
	size, most := binary.LittleEndian.Uint64(a[8:]), uint64(mostCode)
	if q.what == look {
		most = uint64(entryBytes * len(q.keys))
	}
	if size > most {
		return nil, fmt.Errorf("read answer: %d bytes, at most %d are taken: %w", size, most, share.ErrDamaged)
	}
	var b bytes.Buffer // grows by what comes, not by what is announced
	if _, err := io.CopyN(&b, l, int64(size)); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return b.Bytes(), nil
}

// line is a connection whose every stroke has its time, and all of them together.
type line struct {
	conn    net.Conn
	silence time.Duration
	end     time.Time
}

func (l *line) patient() {
	until := time.Now().Add(l.silence)
	if until.After(l.end) {
		until = l.end
	}
	_ = l.conn.SetDeadline(until)
}

// Read implements io.Reader.
func (l *line) Read(b []byte) (int, error) {
	l.patient()
	return l.conn.Read(b[:min(len(b), strokeBytes)])
}

func (l *line) write(b []byte) error {
	for len(b) > 0 {
		l.patient()
		n, err := l.conn.Write(b[:min(len(b), strokeBytes)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
