package main

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"byol/coordinator"
	"byol/internal/failure"
	"byol/internal/network/secure"
)

// TestAdminPort is where the admin port is, for whom, and what is said of it.
func TestAdminPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	busy := taken.Addr().String()
	authority, err := secure.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	source, err := secure.NewIssued(authority, secure.Identity{Run: "default", Role: secure.Coordinator, Name: "a"},
		secure.LeafLife, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	keys := &secure.Trusting{Source: source, Authority: authority}
	for _, c := range []struct {
		what, listen, origin string
		guard                protection
		refused              string // part of why, "" where it is not
		tls, private         bool
		says                 string
	}{
		{"a port of this machine", "127.0.0.1:0", "flag", protection{by: byLoopback}, "", false, false, "http://127.0.0.1:"},
		{"of a run with keys", "127.0.0.1:0", "flag", protection{by: byOurselves, source: keys}, "", false, true,
			"/ to look; to steer: the address in "},
		{"none", "", "flag", protection{by: byLoopback}, "", false, false, "none (--admin-listen)"},
		{"the default's is taken", busy, "default", protection{by: byLoopback}, "", false, false, " is taken)"},
		{"the one that was asked for is taken", busy, "flag", protection{by: byLoopback}, "cannot listen on " + busy, false,
			false, ""},
		{"others, without TLS", "0.0.0.0:0", "flag", protection{by: byLoopback}, "refusing to listen on", false, false, ""},
		{"others, with keys of our own", ":0", "flag", protection{by: byOurselves, source: keys}, "refusing to listen on",
			false, false, ""},
		{"others, with certificates", "0.0.0.0:0", "flag", protection{by: byCertificates, source: keys}, "", true, true,
			"https://"},
		{"others, insecure", "0.0.0.0:0", "flag", protection{by: byNothing}, "", false, false, "http://"},
	} {
		dir := t.TempDir()
		t.Chdir(dir)
		p, err := planned(t, "--run-dir", dir)
		if err != nil {
			t.Fatal(err)
		}
		p.settings.AdminListen, p.origins["admin-listen"], p.guard = c.listen, c.origin, &c.guard
		a, err := openAdmin(t.Context(), p)
		if c.refused != "" {
			var f *failure.Failure
			if !errors.As(err, &f) || !strings.Contains(err.Error(), c.refused) || f.Code != failure.Usage {
				t.Errorf("%s: got %v, want %q", c.what, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if words := a.words(); !strings.Contains(words, c.says) || strings.Contains(words, "token") ||
			a.tls != nil != c.tls || a.guard.Private != c.private || a.board == nil != (c.listen == "") {
			t.Errorf("%s: %q, TLS %v, private %v", c.what, words, a.tls != nil, a.guard.Private)
		}
		if c.listen != "" {
			checkAdminFile(t, c.what, a, c.private && !c.tls)
		}
	}
}

// checkAdminFile serves a port: its address is there for its owner alone, with the token where it is to be, and gone at
// the end.
func checkAdminFile(t *testing.T, what string, a *adminPort, token bool) {
	t.Helper()
	stop := a.serve(t.Context(), &coordinator.Coordinator{}, zap.NewNop())
	text, err := os.ReadFile(a.path)
	if err != nil || strings.Contains(string(text), a.guard.Token) != token {
		t.Errorf("%s: %s has %q (%v)", what, a.path, text, err)
	}
	if info, err := os.Stat(a.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %s is for %v (%v)", what, a.path, info.Mode(), err)
	}
	stop()
	if _, err := os.Stat(a.path); !os.IsNotExist(err) {
		t.Errorf("%s: %s is left: %v", what, a.path, err)
	}
}
