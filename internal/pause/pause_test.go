package pause

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestFor waits to the end, and until somebody ends the wait.
func TestFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if !For(t.Context(), time.Minute) || time.Since(start) != time.Minute {
			t.Errorf("a minute took %v", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if For(ctx, time.Hour) || time.Since(start) != time.Second {
			t.Errorf("an hour that was ended after a second took %v", time.Since(start))
		}
	})
}
