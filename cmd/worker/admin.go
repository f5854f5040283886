package main

import (
	"context"
	"os"
	"sync"

	"go.uber.org/zap"

	"byol/internal/failure"
	sysnet "byol/internal/network"
	"byol/internal/network/secure"
	"byol/internal/network/web"
	"byol/worker/admin"
)

// serveMetrics answers on the admin port until stop is called, which waits. Without one metrics are nil.
func (s *settings) serveMetrics(ctx context.Context, source secure.Source, log *zap.Logger) (m *admin.Metrics,
	stop func(), err error) {
	address := sysnet.HostPort(s.adminListen)
	if address == "" {
		return nil, func() {}, nil
	}
	port := web.Port{Log: log}
	var on sysnet.Network = sysnet.System{}
	switch {
	case secure.IsLoopback(address) || s.tls.choice.Insecure:
	case source == nil:
		on = secure.Loopback{} // it says why not
	default:
		port.TLS = secure.Web(source, []secure.Role{secure.Observer, secure.Operator, secure.Coordinator})
	}
	if port.Listener, err = on.Listen(ctx, address); err != nil {
		return nil, nil, failure.Of(err, failure.Failure{What: "cannot listen on " + address + " for metrics",
			Try: "--admin-listen with another port, or without it", Code: failure.Usage})
	}
	hostname, _ := os.Hostname() // without one there is one name less
	m = admin.New(buildName())
	serving, end := context.WithCancel(context.WithoutCancel(ctx)) // until the worker has left
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := port.Serve(serving, admin.Handler(m, hostname)); err != nil {
			log.Error("metrics are gone", zap.Error(err))
		}
	})
	log.Info("metrics", zap.Stringer("address", port.Listener.Addr()))
	return m, func() {
		end()
		wait.Wait()
	}, nil
}
