// Package pause waits.
//
// Nothing is owned or shared.
//
// When it fails: nothing here does; a wait that its context ended says so.
package pause

import (
	"context"
	"time"
)

// For waits until d has passed, and reports whether ctx let it: false means that ctx ended first.
func For(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
