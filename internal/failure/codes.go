package failure

import (
	"fmt"
	"strings"
)

// bug is the status of a process that AbortOnPanic ended. It is no Code: nobody asks for it.
const bug = 134

// Meaning is what an exit code says.
type Meaning struct {
	Code Code
	Text string // Markdown
}

// Meanings are all exit codes of both programs, as docs/operating.md lists them.
func Meanings() []Meaning {
	return []Meaning{
		{0, "done, or stopped by an operator"},
		{Internal, "internal: a bug, or something nobody foresaw"},
		{Usage, "wrong flags or settings, worker program missing or of another build, address in use"},
		{Unreachable, "no coordinator answers, or workers that never reached one another"},
		{Training, "training failed: a number that is none, workers that disagree twice, a step that breaks group after " +
			"group"},
		{Data, "data missing, changed or corrupt"},
		{TooFew, "too few workers"},
		{Checkpoint, "a checkpoint cannot be read or written"},
		{Temporary, "stopped by a signal with the state saved, or refused for now (a name that is still taken, a run that " +
			"is full or over): run again"},
		{Interrupted, "ended at once by a second signal"},
		{bug, "a bug of ours ended the process (SIGABRT): the stacks are in its log, and a core file only with " +
			"`GOTRACEBACK=crash`"},
	}
}

// CodesHelp is the table for a terminal.
func CodesHelp() string {
	var b strings.Builder
	b.WriteString("Exit codes:\n\n")
	for _, m := range Meanings() {
		fmt.Fprintf(&b, "  %3d  %s\n", m.Code, strings.ReplaceAll(m.Text, "`", ""))
	}
	b.WriteString("\nOn 75 the same command goes on; on 2, 4, 5 and 7 it would fail again.")
	return b.String()
}
