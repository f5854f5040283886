package coordinator

// Exit codes of the program, as documented for its users.
const (
	ExitInternal     = 1   // a bug of ours, or something nobody foresaw
	ExitUsage        = 2   // wrong flags or settings
	ExitUnreachable  = 3   // no coordinator answers
	ExitTraining     = 4   // training failed: a lost worker, a loss that is not a number, diverging replicas
	ExitData         = 5   // data missing or corrupt
	ExitTooFew       = 6   // too few workers
	ExitCheckpoint   = 7   // a checkpoint cannot be read or written
	ExitTemporary    = 75  // stopped by a signal, state saved: run again
	ExitInterrupted  = 130 // the second Ctrl-C
	failureSeparator = ": "
)

// Failure is an error for a person: what happened, why, what to try, and the exit code that says so to scripts.
type Failure struct {
	What string
	Why  string
	Try  string
	Code int
}

// Error joins what and why on one line.
func (f *Failure) Error() string {
	if f.Why == "" {
		return f.What
	}
	return f.What + failureSeparator + f.Why
}
