package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/coordinator/features"
	"byol/internal/network"
	"byol/internal/network/secure"
)

// TestEvaluationIsProtected: where workers join an evaluation is as closed to strangers as a run is.
func TestEvaluationIsProtected(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(strings.Repeat("secret word ", 8)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		choice  secure.Choice
		here    bool
		listen  string
		refused string // in the error of Start
		stays   bool   // a stranger's connection is kept
	}{
		{name: "local", here: true, listen: "127.0.0.1:0"},
		{name: "a word", choice: secure.Choice{TokenFile: token}, listen: "127.0.0.1:0"},
		{name: "loopback", listen: "127.0.0.1:0", stays: true},
		{name: "insecure", choice: secure.Choice{Insecure: true}, listen: "127.0.0.1:0", stays: true},
		{name: "open to all", listen: "0.0.0.0:0", refused: "refusing to listen on 0.0.0.0:0 without TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := protectWith(c.choice, "evaluation", c.here)
			if err != nil {
				t.Fatal(err)
			}
			o := features.Options{Listen: c.listen, Say: func(string) {}, Progress: func(features.Progress) {}}
			p.protect(&o)
			if (o.Keys != nil) == c.stays && c.refused == "" {
				t.Errorf("workers that are started here have keys: %v", o.Keys != nil)
			}
			job, err := features.Start(t.Context(), o)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Fatalf("got %v, want %q", err, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer job.Close()
			// A stranger speaks HTTP/2 without TLS: a server that takes it answers with its settings, and one that does not
			// ends the connection.
			conn, err := network.System{}.Dial(t.Context(), job.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")); err != nil {
				t.Fatal(err)
			}
			const settings = 4 // the type of a frame of HTTP/2
			head := make([]byte, 9)
			n, _ := conn.Read(head)
			if got := n == len(head) && head[3] == settings; got != c.stays {
				t.Errorf("a stranger is answered: %v (% x)", got, head[:n])
			}
		})
	}
}
