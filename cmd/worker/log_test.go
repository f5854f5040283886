package main

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
)

// TestLogFormat has JSON for programs, and lines for people at a terminal or where that is asked for.
func TestLogFormat(t *testing.T) {
	for _, c := range []struct {
		format         string
		terminal, json bool
	}{{"auto", false, true}, {"auto", true, false}, {"json", true, true}, {"console", false, false}} {
		out, in, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		stderr := os.Stderr
		os.Stderr = in
		log, err := newLog("info", c.format, c.terminal)
		os.Stderr = stderr
		if err != nil {
			t.Fatal(err)
		}
		log.Info("joined")
		_ = in.Close() // it was written
		text, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		if json.Valid(text) != c.json || !strings.Contains(string(text), "joined") {
			t.Errorf("%+v: %q", c, text)
		}
	}
}
