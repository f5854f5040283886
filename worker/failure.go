package worker

import "byol/internal/failure"

// Failure is what Run returns. The exit codes are those of package failure.
type Failure = failure.Failure

// Exit codes, as documented for users.
const (
	ExitInternal    = failure.Internal
	ExitUsage       = failure.Usage
	ExitUnreachable = failure.Unreachable
	ExitTraining    = failure.Training
	ExitData        = failure.Data
	ExitCheckpoint  = failure.Checkpoint
	ExitTemporary   = failure.Temporary
	ExitInterrupted = failure.Interrupted
)
