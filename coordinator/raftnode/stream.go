package raftnode

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"byol/internal/network"
	"byol/internal/pause"
)

const (
	helloMagic = "byolraft1"
	helloBytes = 16 << 10
	// rpcTimeout bounds dialling, and each exchange on a connection.
	rpcTimeout = 5 * time.Second
)

// hello opens a connection between two coordinators: who dials whom.
type hello struct {
	Run     string `json:"run"`
	From    string `json:"from"`
	FromKey string `json:"from_key"`
	Address string `json:"address"` // where From answers workers and operators
	To      string `json:"to"`      // "" where the dialler does not know yet
	ToKey   string `json:"to_key"`  // "" asks who is there: no raft follows
}

// Dialler is the name of the coordinator that opened a connection to another, by the first bytes on it; "" if it is no
// such connection, or not all of the greeting is there.
func Dialler(first []byte) string {
	var h hello
	if err := readFrame(bytes.NewReader(first), &h); err != nil {
		return ""
	}
	return h.From
}

// answer says who is there, or why no raft may follow.
type answer struct {
	Refused  string `json:"refused,omitempty"`
	ID       string `json:"id"`
	Key      string `json:"key"`
	Address  string `json:"address"`
	Begun    bool   `json:"begun"`    // it has a log
	Founders string `json:"founders"` // whom it begins with
	Applied  uint64 `json:"applied"`  // how much of the log it has
}

// address is a server's address in raft's configuration: where to dial, and the key of who is meant.
func address(at, key string) raft.ServerAddress { return raft.ServerAddress(at + "#" + key) }

// parts takes an address apart.
func parts(a raft.ServerAddress) (at, key string) {
	at, key, _ = strings.Cut(string(a), "#")
	return at, key
}

// layer is a raft.StreamLayer over a network: before any byte of raft's, each end learns who the other is, and refuses
// whoever it does not know: one of another run, or a coordinator that lost its log and has the name of one that had
// not.
type layer struct {
	life     context.Context
	o        *Options
	who      identity
	about    func() answer // what this node says of itself
	listener net.Listener
	self     name
	ready    chan net.Conn
	closed   chan struct{}
	once     sync.Once
	tasks    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	conns map[net.Conn]bool
	known map[string]string // by ID: where a coordinator answers workers and operators
	away  map[string]bool   // by where it is dialled: nobody answered the last time
}

// name is the address under which this node is dialled.
type name string

func (name) Network() string  { return "byol" }
func (n name) String() string { return string(n) }

// listen opens the layer. life ends its dialling.
func listen(ctx, life context.Context, o *Options, who identity, about func() answer) (*layer, error) {
	l, err := o.Network.Listen(ctx, o.Listen)
	if err != nil {
		return nil, &ListenError{Address: o.Listen, Err: err}
	}
	at := network.Dialable(l.Addr().String())
	if _, port, err := net.SplitHostPort(at); err == nil && o.Advertise != "" {
		at = o.Advertise
		if _, _, err := net.SplitHostPort(at); err != nil {
			at = net.JoinHostPort(at, port)
		}
	}
	s := &layer{life: life, o: o, who: who, about: about, listener: l, self: name(address(at, who.Key)),
		ready: make(chan net.Conn), closed: make(chan struct{}), conns: map[net.Conn]bool{},
		known: map[string]string{o.ID: o.Address}, away: map[string]bool{}}
	s.tasks.Go(s.accept)
	return s, nil
}

// ListenError says that the address for other coordinators cannot be listened on.
type ListenError struct {
	Address string
	Err     error
}

// Error says where, and why not.
func (e *ListenError) Error() string { return fmt.Sprintf("listen on %s: %v", e.Address, e.Err) }

// Unwrap is the system's error.
func (e *ListenError) Unwrap() error { return e.Err }

// accept takes connections until the layer is closed.
func (s *layer) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !pause.For(s.life, 100*time.Millisecond) { // out of descriptors, say
				return
			}
			continue
		}
		s.tasks.Go(func() { s.greet(c) })
	}
}

// greet answers whoever dialled, and hands on the connection if raft may follow.
func (s *layer) greet(raw net.Conn) {
	c := s.track(raw)
	_ = c.SetDeadline(time.Now().Add(rpcTimeout)) // a connection without deadlines fails below
	var h hello
	if err := readFrame(c, &h); err != nil {
		_ = c.Close()
		return
	}
	a := s.about()
	if a.Refused = s.objection(&h); a.Refused == "" && !calls(raw, h.From) {
		a.Refused = fmt.Sprintf("your certificate is not coordinator %s's", h.From)
	}
	if err := writeFrame(c, &a); err != nil || a.Refused != "" || h.ToKey == "" {
		_ = c.Close()
		return
	}
	s.learn(h.From, h.Address)
	_ = c.SetDeadline(time.Time{})
	select {
	case s.ready <- c:
	case <-s.closed:
		_ = c.Close()
	}
}

// objection says why whoever dialled is not let in, "" if it is.
func (s *layer) objection(h *hello) string {
	switch {
	case h.Run != s.o.Run:
		return fmt.Sprintf("this is a coordinator of run %s, not of %s", s.o.Run, h.Run)
	case h.From == s.who.ID && h.FromKey != s.who.Key:
		return fmt.Sprintf("this is coordinator %s, and you call yourself so, too", s.who.ID)
	case h.To != "" && h.To != s.who.ID:
		return fmt.Sprintf("this is coordinator %s, not %s", s.who.ID, h.To)
	case h.ToKey != "" && h.ToKey != s.who.Key:
		return fmt.Sprintf("coordinator %s has lost the log that it had", s.who.ID)
	}
	return ""
}

// calls reports whether the other end of a connection may have that name: always, where the network does not know.
func calls(c net.Conn, name string) bool {
	known, ok := c.(interface{ Calls(name string) bool })
	return !ok || known.Calls(name)
}

// RefusedError is another coordinator's word that it has nothing to do with this one.
type RefusedError struct{ At, Why string }

// Error says who, and why.
func (e *RefusedError) Error() string { return fmt.Sprintf("refused by %s: %s", e.At, e.Why) }

// Accept implements net.Listener.
func (s *layer) Accept() (net.Conn, error) {
	select {
	case c := <-s.ready:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener: it is what others dial.
func (s *layer) Addr() net.Addr { return s.self }

// Close implements net.Listener. It breaks every connection, and returns when all that was started has ended.
func (s *layer) Close() error {
	s.once.Do(func() {
		close(s.closed)
		_ = s.listener.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
	})
	s.tasks.Wait()
	return nil
}

// Dial implements raft.StreamLayer.
func (s *layer) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(s.life, timeout)
	defer cancel()
	at, key := parts(to)
	c, _, err := s.dial(ctx, hello{ToKey: key}, at)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away[at] = err != nil
	return c, err
}

// ask finds out who is at an address. id is who should be, "" for anybody.
func (s *layer) ask(ctx context.Context, id, at string) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	c, a, err := s.dial(ctx, hello{To: id}, at)
	if err != nil {
		return a, err
	}
	return a, c.Close()
}

func (s *layer) dial(ctx context.Context, h hello, at string) (net.Conn, answer, error) {
	var a answer
	raw, err := s.o.Network.Dial(ctx, at)
	if err != nil {
		return nil, a, err
	}
	c := s.track(raw)
	limit, _ := ctx.Deadline()
	_ = c.SetDeadline(limit)
	h.Run, h.From, h.FromKey, h.Address = s.o.Run, s.who.ID, s.who.Key, s.o.Address
	if err = writeFrame(c, &h); err == nil {
		err = readFrame(c, &a)
	}
	if err == nil && !calls(raw, a.ID) {
		a.Refused = "its certificate is not coordinator " + a.ID + "'s"
	}
	if err == nil && a.Refused != "" {
		err = &RefusedError{At: at, Why: a.Refused}
	}
	if err != nil {
		_ = c.Close()
		return nil, a, err
	}
	s.learn(a.ID, a.Address)
	return c, a, c.SetDeadline(time.Time{})
}

// learn takes note of where a coordinator answers.
func (s *layer) learn(id, at string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[id] = at
}

// isAbsent reports whether nobody answered at an address when raft dialled it last.
func (s *layer) isAbsent(at string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away[at]
}

// reach is where a coordinator answers workers and operators, "" when that is not known.
func (s *layer) reach(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[id]
}

// track has Close end the connection; one that comes later is closed at once.
func (s *layer) track(c net.Conn) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.closed:
		_ = c.Close()
	default:
		s.conns[c] = true
	}
	return &tracked{Conn: c, layer: s}
}

// tracked is a connection that its layer knows of.
type tracked struct {
	net.Conn
	layer *layer
}

// Close implements net.Conn.
func (c *tracked) Close() error {
	c.layer.mu.Lock()
	delete(c.layer.conns, c.Conn)
	c.layer.mu.Unlock()
	return c.Conn.Close()
}

// writeFrame sends m: the magic word, the length of m's JSON as 4 little-endian bytes, and that.
func writeFrame(w io.Writer, m any) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	head := binary.LittleEndian.AppendUint32([]byte(helloMagic), uint32(len(text)))
	_, err = w.Write(append(head, text...))
	return err
}

// readFrame reads into m, and not a byte more.
func readFrame(r io.Reader, m any) error {
	head := make([]byte, len(helloMagic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(head[len(helloMagic):])
	if string(head[:len(helloMagic)]) != helloMagic || n > helloBytes {
		return errors.New("whoever is there is no coordinator of this version")
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	return json.Unmarshal(text, m)
}
