// Package coordinator runs a training: it lets workers join, tells them the plan, collects what each of them would
// commit, checks that all agree, computes the target network, commits, and answers operators over gRPC.
//
// Decisions are made by the pure package run; this package is the shell around it, which turns messages, silence and
// signals into commands and the state into plans. A Coordinator owns every goroutine of the control plane: Run starts
// them, and returns only when all have ended.
//
// # When it fails
//
// Run returns a *Failure that says what happened, why and what to try, with the exit code to use. A lost worker ends
// the run: the others are told and leave, and the committed steps up to the newest checkpoint survive, from which the
// same command goes on. A Coordinator is single-use.
package coordinator

import (
	"context"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// Coordinator is one run's coordinator.
type Coordinator struct {
	opts     Options
	listener net.Listener
	server   *grpc.Server
	health   *health.Server
}

// New checks the options and binds the address, so that Addr is known before Run.
func New(opts Options) (*Coordinator, error) {
	opts.setDefaults()
	if err := opts.check(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", opts.Listen)
	if err != nil {
		return nil, &Failure{What: fmt.Sprintf("cannot listen on %s", opts.Listen), Why: err.Error(),
			Try: "--listen with another port, or port 0 for a free one", Code: ExitUsage}
	}
	c := &Coordinator{opts: opts, listener: listener, server: grpc.NewServer(), health: health.NewServer()}
	healthpb.RegisterHealthServer(c.server, c.health)
	reflection.Register(c.server)
	return c, nil
}

// Addr returns the address the server is bound to.
func (c *Coordinator) Addr() string { return c.listener.Addr().String() }

// Run trains until the run has ended, or ctx ends: then it saves and stops.
func (c *Coordinator) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- c.server.Serve(c.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stop := time.AfterFunc(c.opts.Grace, c.server.Stop)
	defer stop.Stop()
	c.server.GracefulStop()
	<-served
	return nil
}
