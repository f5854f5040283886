package worker

// Exit codes, as documented for users.
const (
	ExitInternal    = 1   // a bug of ours, or something nobody foresaw
	ExitUsage       = 2   // wrong flags or settings, or refused by the coordinator
	ExitUnreachable = 3   // no coordinator answers, or it went away
	ExitTraining    = 4   // training failed: a lost peer, a gradient that is not finite, diverging replicas
	ExitData        = 5   // data missing or corrupt
	ExitCheckpoint  = 7   // a checkpoint cannot be read
	ExitTemporary   = 75  // stopped by a signal: run again
	ExitInterrupted = 130 // the second Ctrl-C
)

// Failure is an error for a person: what happened, why, what to try, and the exit code that says so to scripts.
type Failure struct {
	What, Why, Try string
	Code           int
	// Suspect is the rank that broke the group, where that is known.
	Suspect *int
}

// Error joins what and why on one line.
func (f *Failure) Error() string {
	if f.Why == "" {
		return f.What
	}
	return f.What + ": " + f.Why
}
