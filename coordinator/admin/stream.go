package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// pace is how often at most a page hears something new, alive how often at least it hears anything: silence for
	// longer is how it knows that nobody is there.
	pace  = 400 * time.Millisecond
	alive = 3 * time.Second
	// writeLimit is how long a page may take to read.
	writeLimit = 20 * time.Second
)

// hello is the first that a page hears.
type hello struct {
	Instance string `json:"instance"`
	Now      int64  `json:"now"` // Unix milliseconds
}

// watch streams what is new, as server-sent events, until the reader or the coordinator goes.
func (h *Handler) watch(w http.ResponseWriter, r *http.Request) {
	if h.streams.Add(1) > mostStreams {
		h.streams.Add(-1)
		say(w, http.StatusServiceUnavailable, fmt.Sprintf("%d pages watch already", mostStreams))
		return
	}
	defer h.streams.Add(-1)
	out := http.NewResponseController(w)
	_ = out.SetReadDeadline(time.Time{}) // the request is read
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	send := func(kind string, v any) error {
		line, err := json.Marshal(v)
		if err == nil {
			_ = out.SetWriteDeadline(time.Now().Add(writeLimit))
			if _, err = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", kind, line); err == nil {
				err = out.Flush()
			}
		}
		return err
	}
	at := newCursor()
	if send("hello", hello{h.instance, time.Now().UnixMilli()}) != nil {
		return
	}
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		n, changed := h.board.since(&at)
		if send("news", n) != nil {
			return
		}
		wait.Reset(pace)
		select {
		case <-wait.C:
		case <-r.Context().Done():
			return
		}
		wait.Reset(alive)
		select {
		case <-changed:
		case <-wait.C:
		case <-r.Context().Done():
			return
		}
	}
}
