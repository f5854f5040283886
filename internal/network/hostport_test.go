package network

import (
	"context"
	"errors"
	"testing"
)

func TestHostPort(t *testing.T) {
	for text, want := range map[string]string{
		"fd77::2:7071":           "[fd77::2]:7071",
		"::1:0":                  "[::1]:0",
		":::7070":                "[::]:7070",
		"fe80::1%eth0:7071":      "[fe80::1%eth0]:7071",
		"1:2:3:4:5:6:7:8:7071":   "[1:2:3:4:5:6:7:8]:7071",
		"::ffff:10.0.0.1:7071":   "[::ffff:10.0.0.1]:7071",
		"[fd77::2]:7071":         "[fd77::2]:7071",
		"10.0.0.1:7071":          "10.0.0.1:7071",
		":7071":                  ":7071",
		"host:7071":              "host:7071",
		"fd77::2:":               "fd77::2:",
		"fd77::1":                "fd77::1", // no port: fd77: is no host
		"1:2:3:4:5:6:7:8":        "1:2:3:4:5:6:7:8",
		"worker-0.byol.svc:7071": "worker-0.byol.svc:7071",
		"":                       "",
	} {
		if got := HostPort(text); got != want {
			t.Errorf("HostPort(%q) = %q, want %q", text, got, want)
		}
	}
}

// named knows one name.
type named struct {
	System
	name string
}

func (n named) LookupHost(_ context.Context, host string) ([]string, error) {
	if host != n.name {
		return nil, errors.New("no such host")
	}
	return []string{"10.0.0.1"}, nil
}

func TestNamed(t *testing.T) {
	for _, c := range []struct{ address, hostname, want string }{
		{"[::]:7070", "node-1", "node-1:7070"},
		{"0.0.0.0:7070", "node-1", "node-1:7070"},
		{":7070", "node-1", "node-1:7070"},
		{"0.0.0.0:7070", "unknown", "127.0.0.1:7070"},
		{"[::]:7070", "unknown", "[::1]:7070"},
		{"[::]:7070", "", "[::1]:7070"},
		{"127.0.0.1:7070", "node-1", "127.0.0.1:7070"},
		{"[fd77::1]:7070", "node-1", "[fd77::1]:7070"},
		{"other:7070", "node-1", "other:7070"},
		{"nonsense", "node-1", "nonsense"},
	} {
		if got := Named(t.Context(), named{name: "node-1"}, c.address, c.hostname); got != c.want {
			t.Errorf("%s on %q: %s, want %s", c.address, c.hostname, got, c.want)
		}
	}
}
