package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"go.uber.org/zap"

	"byol/coordinator"
	"byol/coordinator/admin"
	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/secure"
	"byol/internal/network/web"
)

// adminFile is the file of a run directory with the address of the page, and what is needed to steer there: for the
// user who started the run alone.
const adminFile = "admin-url"

// adminPort is where a run is looked at with a browser, and asked by Prometheus and by probes.
type adminPort struct {
	listener net.Listener // nil: there is none
	tls      *tls.Config  // nil: plain
	guard    admin.Guard
	board    *admin.Board // nil where there is no port
	path     string       // of adminFile
	moved    string       // why it is not where it usually is
}

// openAdmin listens where the settings say. The default gives way to whoever has the port already.
func openAdmin(ctx context.Context, p *plan) (*adminPort, error) {
	s := p.settings
	a := &adminPort{path: filepath.Join(s.RunDir, adminFile)}
	address := network.HostPort(s.AdminListen)
	if address == "" {
		return a, nil
	}
	var err error
	if err = a.listen(ctx, p, address); err == nil {
		a.board = admin.NewBoard(buildName())
	}
	return a, err
}

func (a *adminPort) listen(ctx context.Context, p *plan, address string) (err error) {
	local := secure.IsLoopback(address)
	var on network.Network = network.System{}
	switch by := p.guard.by; {
	case !local && (by == byLoopback || by == byOurselves):
		on = secure.Loopback{} // it says why not
	case !local && p.guard.source != nil:
		a.tls = secure.Web(p.guard.source, []secure.Role{secure.Observer, secure.Operator, secure.Coordinator})
	}
	a.listener, err = on.Listen(ctx, address)
	if errors.Is(err, syscall.EADDRINUSE) && p.origins["admin-listen"] == "default" {
		host, port, _ := net.SplitHostPort(address) // it is the default's
		a.moved = fmt.Sprintf("   (%s is taken)", port)
		a.listener, err = on.Listen(ctx, net.JoinHostPort(host, "0"))
	}
	if err != nil {
		return failure.Of(err, failure.Failure{What: "cannot listen on " + address + " for the page and metrics",
			Try: `--admin-listen with another port, or "" for none`, Code: failure.Usage})
	}
	host, _, _ := net.SplitHostPort(address) // it was listened on
	hostname, _ := os.Hostname()             // without one there is one name less
	a.guard = admin.Guard{Token: admin.NewToken(), Private: p.guard.source != nil,
		Owner: secure.Identity{Run: secure.DefaultRun, Role: secure.Operator, Name: userName()},
		Hosts: []string{host, hostname, p.settings.Advertise}}
	return nil
}

// url is where the page is. With the token it can steer; that is in the part that browsers send nowhere.
func (a *adminPort) url(token bool) string {
	scheme, host := "http", a.listener.Addr().String()
	if a.tls != nil {
		scheme = "https"
	}
	if h, port, err := net.SplitHostPort(host); err == nil {
		if ip := net.ParseIP(h); ip != nil && ip.IsUnspecified() {
			if name, err := os.Hostname(); err == nil {
				host = net.JoinHostPort(name, port)
			}
		}
	}
	text := scheme + "://" + host + "/"
	if token && a.guard.Private && a.tls == nil {
		text += "#token=" + a.guard.Token
	}
	return text
}

// words say it to the person who starts the run.
func (a *adminPort) words() string {
	if a.listener == nil {
		return "none (--admin-listen)"
	}
	text := a.url(false)
	if a.guard.Private && a.tls == nil {
		text += " to look; to steer: the address in " + a.path
	}
	return text + a.moved
}

// close gives the address back.
func (a *adminPort) close() error {
	if a.listener == nil {
		return nil
	}
	return a.listener.Close()
}

// serve answers until stop is called, which waits.
func (a *adminPort) serve(ctx context.Context, c *coordinator.Coordinator, log *zap.Logger) (stop func()) {
	if a.listener == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // a run that is asked to end is worth looking at
	if err := atomicfile.WriteSecret(a.path, []byte(a.url(true)+"\n")); err != nil {
		log.Warn("leave the address of the page", zap.Error(err))
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		port := web.Port{Listener: a.listener, TLS: a.tls, Log: log, Streams: true}
		err := port.Serve(ctx, admin.NewHandler(a.board, a.guard, c))
		if err != nil {
			log.Error("the page and metrics are gone", zap.Error(err))
		}
	})
	return func() {
		cancel()
		serving.Wait()
		_ = os.Remove(a.path)
	}
}
