package testcluster

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"sync"
	"time"

	"byol/internal/disk"
	"byol/internal/fault"
	"byol/internal/network"
)

// errKilled is what a process meets that has been killed and does not know it yet.
var errKilled = errors.New("this process was killed")

// process is what a coordinator or worker has of the world: its network, its disk, and the points that it comes by. It
// can be killed: its connections end without a word, nothing that it does reaches anybody or the raft log any more, and
// it is left to find that out. It can stand still: what comes for it waits, and so does what it says and whoever comes
// by a point. Its clock goes on, which that of a stopped process does as well.
type process struct {
	name string
	net  network.Network
	at   func(*process, fault.Point) error

	mu    sync.Mutex // guards what follows
	wake  sync.Cond  // any of it changed
	dead  bool
	until time.Time // it stands still
	open  map[io.Closer]bool
	ended chan struct{} // closed with its death
}

func newProcess(name string, n network.Network, at func(*process, fault.Point) error) *process {
	p := &process{name: name, net: n, at: at, open: map[io.Closer]bool{}, ended: make(chan struct{})}
	p.wake.L = &p.mu
	return p
}

// kill ends it as SIGKILL does.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return
	}
	p.dead = true
	for c := range p.open {
		_ = c.Close()
	}
	close(p.ended)
	p.wake.Broadcast()
}

// stop has it stand still for d, as SIGSTOP and SIGCONT do.
func (p *process) stop(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now().Add(d)
	time.AfterFunc(d, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.wake.Broadcast()
	})
}

// hangUp closes a connection: when it runs again, where it stands still.
func (p *process) hangUp(c net.Conn) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	if wait := time.Until(p.until); wait > 0 && !p.dead {
		p.open[c] = true
		time.AfterFunc(wait, func() {
			p.forget(c)
			_ = c.Close()
		})
		return nil
	}
	return c.Close()
}

// run waits while it stands still, and tells whether it lives.
func (p *process) run() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.dead && time.Now().Before(p.until) {
		p.wake.Wait()
	}
	if p.dead {
		return errKilled
	}
	return nil
}

// lives tells whether it has not been killed.
func (p *process) lives() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead
}

// pass is its fault.Points.
func (p *process) pass(at fault.Point) error {
	if err := p.run(); err != nil {
		return err
	}
	if err := p.at(p, at); err != nil {
		return err
	}
	return p.run()
}

// keep has c end with the process.
func (p *process) keep(c io.Closer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		_ = c.Close()
		return errKilled
	}
	p.open[c] = true
	return nil
}

func (p *process) forget(c io.Closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
}

// Listen implements network.Network.
func (p *process) Listen(ctx context.Context, address string) (net.Listener, error) {
	if err := p.run(); err != nil {
		return nil, err
	}
	l, err := p.net.Listen(ctx, address)
	if err != nil {
		return nil, err
	}
	return &ear{Listener: l, p: p}, p.keep(l)
}

// Dial implements network.Network.
func (p *process) Dial(ctx context.Context, address string) (net.Conn, error) {
	if err := p.run(); err != nil {
		return nil, err
	}
	c, err := p.net.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &line{Conn: c, p: p}, p.keep(c)
}

// ear is a listener of a process.
type ear struct {
	net.Listener
	p *process
}

func (e *ear) Accept() (net.Conn, error) {
	c, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if err := e.p.keep(c); err != nil {
		return nil, net.ErrClosed
	}
	if err := e.p.run(); err != nil {
		return nil, net.ErrClosed
	}
	return &line{Conn: c, p: e.p}, nil
}

func (e *ear) Close() error {
	e.p.forget(e.Listener)
	return e.Listener.Close()
}

// line is a connection of a process.
type line struct {
	net.Conn
	p *process
}

func (l *line) Read(b []byte) (int, error) {
	n, err := l.Conn.Read(b)
	if dead := l.p.run(); dead != nil {
		return 0, dead
	}
	return n, err
}

func (l *line) Write(b []byte) (int, error) {
	if err := l.p.run(); err != nil {
		return 0, err
	}
	return l.Conn.Write(b)
}

func (l *line) Close() error {
	return l.p.hangUp(l.Conn)
}

// LimitSilence hands on what network.LimitSilence asks for.
func (l *line) LimitSilence(limit time.Duration) error { return network.LimitSilence(l.Conn, limit) }

// files are the disk of a process: it comes by points there.
type files struct {
	disk.FS
	p *process
}

func (f files) Create(dir, pattern string, mode fs.FileMode) (disk.File, error) {
	if err := f.p.pass(fault.SaveCreate); err != nil {
		return nil, err
	}
	c, err := f.FS.Create(dir, pattern, mode)
	if err != nil {
		return nil, err
	}
	return file{File: c, p: f.p}, nil
}

func (f files) Rename(from, to string) error {
	if err := f.p.pass(fault.SaveRename); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f files) Remove(name string) error {
	if err := f.p.run(); err != nil {
		return err // the dead clean up nothing
	}
	return f.FS.Remove(name)
}

type file struct {
	disk.File
	p *process
}

func (f file) Write(b []byte) (int, error) {
	if err := f.p.pass(fault.SaveWrite); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f file) Sync() error {
	if err := f.p.pass(fault.SaveSync); err != nil {
		return err
	}
	return f.File.Sync()
}
