package coordinator

import "byol/internal/failure"

// Failure is what Run and New return. The exit codes are those of package failure.
type Failure = failure.Failure

// Exit codes of the program, as documented for its users.
const (
	ExitInternal    = failure.Internal
	ExitUsage       = failure.Usage
	ExitUnreachable = failure.Unreachable
	ExitTraining    = failure.Training
	ExitData        = failure.Data
	ExitTooFew      = failure.TooFew
	ExitCheckpoint  = failure.Checkpoint
	ExitTemporary   = failure.Temporary
	ExitInterrupted = failure.Interrupted
)
