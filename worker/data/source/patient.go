package source

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// inTime opens a set, and gives up where one thing that it asks of files does not come in time. Then the goroutine
// that asks is left behind, and ends with the process or when the system lets it.
func inTime(ctx context.Context, files Files, patience time.Duration, open func(Files) (Source, error)) (Source,
	error) {
	if patience <= 0 {
		return open(files)
	}
	p := &patientFiles{Files: files}
	defer p.over.Store(true)
	type opened struct {
		src Source
		err error
	}
	done := make(chan opened, 1)
	go func() {
		src, err := open(p)
		done <- opened{src, err}
	}()
	tick := time.NewTicker(max(patience/8, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case o := <-done:
			return o.src, o.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-tick.C:
			if name := p.stuck(patience); name != "" {
				return nil, late("open data: read "+Printable(name), patience)
			}
		}
	}
}

// patientFiles note what is asked, until a set is open.
type patientFiles struct {
	Files
	over atomic.Bool

	mu    sync.Mutex // guards both
	name  string     // "": nothing is being asked
	since time.Time
}

// ask notes a name until the returned function is called.
func (p *patientFiles) ask(name string) func() {
	p.note(name)
	return func() { p.note("") }
}

func (p *patientFiles) note(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name, p.since = name, time.Now()
}

// stuck names what has been asked for as long as this; "" if nothing has.
func (p *patientFiles) stuck(patience time.Duration) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.name != "" && time.Since(p.since) >= patience {
		return p.name
	}
	return ""
}

// Stat implements Files.
func (p *patientFiles) Stat(ctx context.Context, name string) (Info, error) {
	if p.over.Load() {
		return p.Files.Stat(ctx, name)
	}
	defer p.ask(name)()
	return p.Files.Stat(ctx, name)
}

// List implements Files.
func (p *patientFiles) List(ctx context.Context, folder string) ([]Entry, error) {
	defer p.ask(folder)()
	return p.Files.List(ctx, folder)
}

// Open implements Files.
func (p *patientFiles) Open(ctx context.Context, name string) (File, error) {
	if p.over.Load() {
		return p.Files.Open(ctx, name)
	}
	defer p.ask(name)()
	f, err := p.Files.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return patientFile{f, p, name}, nil
}

// patientFile is a file that is read while a set is opened, and closed then.
type patientFile struct {
	File
	in   *patientFiles
	name string
}

// ReadAt implements io.ReaderAt.
func (f patientFile) ReadAt(b []byte, off int64) (int, error) {
	defer f.in.ask(f.name)()
	return f.File.ReadAt(b, off)
}
