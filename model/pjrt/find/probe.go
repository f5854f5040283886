package find

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Prober tries candidates, each in a process of its own.
type Prober struct {
	// Command makes the process that tries a candidate: it calls Try, and writes to the file it has as number 3.
	Command func(ctx context.Context, c Candidate) *exec.Cmd
	Limit   time.Duration // for one candidate; 0: a minute
}

// ReportFile is the number of the file that Command's process writes to.
const ReportFile = 3

// Probe tries one candidate.
func (p Prober) Probe(ctx context.Context, c Candidate) Report {
	limit := p.Limit
	if limit == 0 {
		limit = time.Minute
	}
	refused := func(format string, args ...any) Report {
		return Report{Candidate: c, Refused: fmt.Sprintf(format, args...)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
	defer cancel()
	read, write, err := os.Pipe()
	if err != nil {
		return refused("was not tried: %v", err)
	}
	defer read.Close()
	cmd := p.Command(ctx, c)
	var said end
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles, cmd.WaitDelay = &said, &said, []*os.File{write}, time.Second
	err = cmd.Start()
	write.Close()
	if err != nil {
		return refused("was not tried: %v", err)
	}
	// The process holds the only end that writes: it is read before it is waited for, and a process that lives on is
	// ended by ctx.
	data, readErr := io.ReadAll(io.LimitReader(read, 1<<20))
	err = cmd.Wait()
	switch {
	case errors.Is(context.Cause(ctx), errLimit):
		return refused("did not answer within %v", limit)
	case ctx.Err() != nil:
		return refused("was not tried: %v", context.Cause(ctx))
	case err != nil:
		return refused("ended the process that tried it (%v)%s", err, said.words())
	case readErr != nil:
		return refused("was tried, and its report is lost: %v", readErr)
	}
	var f facts
	if err := json.Unmarshal(data, &f); err != nil {
		return refused("was tried, and its report cannot be read: %v", err)
	}
	return f.report(c)
}

var errLimit = errors.New("find: the time for one candidate is over")

// end keeps the end of what a process says.
type end struct{ text []byte }

func (e *end) Write(b []byte) (int, error) {
	e.text = append(e.text, b...)
	e.text = e.text[max(0, len(e.text)-4096):]
	return len(b), nil
}

// words is the last line that a person may learn from.
func (e *end) words() string {
	lines := strings.Split(strings.TrimSpace(string(e.text)), "\n")
	for _, line := range lines {
		for _, sign := range []string{"SIG", "fatal", "Fatal", "terminate called", "Check failed"} {
			if strings.Contains(line, sign) {
				return ": " + strings.TrimSpace(line)
			}
		}
	}
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return ": " + last
	}
	return ""
}
