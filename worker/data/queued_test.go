package data_test

import (
	"testing"
	"testing/synctest"

	"byol/worker/data"
)

// TestQueued counts the images that are decoded ahead: what the loader may keep, once it has had the time.
func TestQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := synthetic(t, "synthetic:40,size=20")
		l := data.NewLoader(src, config(t, src, 4, 2))
		if l.Queued() != 0 {
			t.Errorf("%d images before it began", l.Queued())
		}
		take(t, l, 1)
		synctest.Wait()
		full := l.Queued()
		if full < 4 || full%4 != 0 {
			t.Errorf("%d images of batches of 4", full)
		}
		take(t, l, 5)
		synctest.Wait()
		if got := l.Queued(); got != full {
			t.Errorf("%d images later, %d at first", got, full)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
