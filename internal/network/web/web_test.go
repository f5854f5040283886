package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"byol/internal/network/web"
)

// TestCrowd has no more connections than there may be, and serves again when others have gone.
func TestCrowd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address, ended := l.Addr().String(), make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	go func() { ended <- web.Port{Listener: l, Log: zap.NewNop()}.Serve(ctx, nothing) }()
	var held []net.Conn
	refused := 0
	for range web.MostConnections + 40 {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	for _, c := range held[web.MostConnections:] {
		_ = c.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) || strings.Contains(fmt.Sprint(err), "reset") {
			refused++
		}
	}
	if refused != 40 {
		t.Errorf("%d of 40 connections too many were refused", refused)
	}
	for _, c := range held {
		_ = c.Close()
	}
	for try := 0; ; try++ {
		client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
		if answer, err := client.Get("http://" + address + "/"); err == nil {
			_ = answer.Body.Close()
			break
		} else if try == 1000 {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestOwnHost takes names that no stranger can have made to point here.
func TestOwnHost(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:9090": true, "[::1]:9090": true, "[::1]": true, "::1": true, "localhost:9090": true,
		"node7": true, "Node7.Example:9090": true, "node7.example.": true, "byol.default.svc:9090": true,
		"x.localhost": true, "": false, ":9090": false, "evil.example:9090": false, "evil.svc.example": false,
		"127.0.0.1.evil.example": false, "local": true, "evil.notlocal": false,
	} {
		if got := web.OwnHost(host, "node7.example"); got != want {
			t.Errorf("%q: got %v, want %v", host, got, want)
		}
	}
}
