package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/protobuf/proto"

	"byol/coordinator"
	"byol/coordinator/status"
	"byol/internal/failure"
	"byol/internal/network"
	pb "byol/proto"
)

// callTimeout bounds a call that answers at once.
const callTimeout = 10 * time.Second

// endpoint is how client commands find a run, and how they print.
type endpoint struct {
	server, runDir, output string
	tlsDir, tokenFile      string
	// through is the network that the coordinator is dialled on; nil: the system's.
	through network.Network
}

// addFlags declares -s, --run-dir and -o on a client command.
func (e *endpoint) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&e.server, "server", "s", "", "the coordinator's `HOST:PORT`")
	cmd.Flags().StringVar(&e.runDir, "run-dir", "", "`DIR` of a run on this machine (default: the newest under runs)")
	cmd.Flags().StringVar(&e.tlsDir, "tls-dir", "",
		"`DIR` of an operator's or observer's certificates (default: what the run directory has)")
	cmd.Flags().StringVar(&e.tokenFile, "token-file", "", "`FILE` with the word that all parties of the run have")
	for _, name := range []string{"run-dir", "tls-dir"} {
		_ = cmd.MarkFlagDirname(name) // it fails for flags that are not there
	}
	e.addOutput(cmd)
}

func (e *endpoint) addOutput(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&e.output, "output", "o", tableOutput, "table, json, or jsonl: each object on a line")
	offer(cmd, "output", outputs, false)
}

// What -o may say.
const (
	tableOutput = "table"
	linesOutput = "jsonl"
)

var outputs = []string{tableOutput, "json", linesOutput}

func (e *endpoint) checkOutput() error {
	if !slices.Contains(outputs, e.output) {
		return usage(fmt.Sprintf("--output cannot be %q", e.output), "it is table, json or jsonl",
			suggestion(e.output, outputs, "-o json"))
	}
	return nil
}

// address finds the coordinator.
func (e *endpoint) address() (string, error) {
	if e.server != "" {
		return network.HostPort(e.server), nil
	}
	dir := e.runDir
	if dir == "" {
		var err error
		if dir, err = newestRun("runs"); err != nil {
			return "", err
		}
	}
	card, err := coordinator.ReadCard(dir)
	name := filepath.Join(dir, coordinator.CardFile)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", &failure.Failure{What: fmt.Sprintf("no run is going on in %s", dir), Why: name + " does not exist",
			Try: "start it: coordinator --run-dir " + dir + tryFiles(dir), Code: failure.Unreachable}
	case err != nil:
		return "", &failure.Failure{What: "cannot learn the coordinator's address from " + name, Why: err.Error(),
			Try: "-s HOST:PORT", Code: failure.Unreachable}
	}
	return card.Address, nil
}

// newestRun is the directory under dir with the newest card.
func newestRun(dir string) (string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*", coordinator.CardFile))
	if err != nil {
		return "", err
	}
	var newest string
	var when time.Time
	for _, name := range names {
		info, err := os.Stat(name)
		if err == nil && info.ModTime().After(when) {
			newest, when = filepath.Dir(name), info.ModTime()
		}
	}
	if newest == "" {
		return "", &failure.Failure{What: "no run is going on here",
			Why: "there is no " + filepath.Join(dir, "*", coordinator.CardFile),
			Try: "-s HOST:PORT, or --run-dir DIR of a run on this machine" + tryList(dir), Code: failure.Unreachable}
	}
	return newest, nil
}

// call dials the coordinator and lets f talk to it; timeout 0 means as long as the command runs.
func (e *endpoint) call(cmd *cobra.Command, timeout time.Duration,
	f func(context.Context, pb.CoordinatorClient) error) error {
	if err := e.checkOutput(); err != nil {
		return err
	}
	return e.reach(cmd.Context(), timeout, f)
}

// A coordinator whose machine is gone says nothing, not even that: it is asked for a sign of life.
const (
	signOfLife = 10 * time.Second
	lifeless   = 5 * time.Second
)

// reach dials the coordinator wherever it is now and lets f talk to it; timeout 0 means as long as ctx lasts.
func (e *endpoint) reach(ctx context.Context, timeout time.Duration,
	f func(context.Context, pb.CoordinatorClient) error) error {
	addr, err := e.address()
	if err != nil {
		return err
	}
	through, err := e.network(addr)
	if err != nil {
		return err
	}
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(through.Dial),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: signOfLife, Timeout: lifeless}))
	if err != nil {
		return usage(fmt.Sprintf("%q is not an address", addr), err.Error(), "-s HOST:PORT")
	}
	defer conn.Close()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	if err := f(ctx, pb.NewCoordinatorClient(conn)); err != nil {
		return fromRPC(addr, err)
	}
	return nil
}

// structured reports whether a program reads the output.
func (e *endpoint) structured() bool { return e.output != tableOutput }

// printMessage writes a message as JSON, as docs/json.md promises it.
func (e *endpoint) printMessage(cmd *cobra.Command, m proto.Message) error {
	text, err := status.JSON(m)
	if err != nil {
		return err
	}
	return e.printJSON(cmd, text)
}

// printJSON writes JSON in one layout: over several lines, or on one.
func (e *endpoint) printJSON(cmd *cobra.Command, text []byte) error {
	var out bytes.Buffer
	err := json.Compact(&out, text)
	if e.output != linesOutput {
		out.Reset()
		err = json.Indent(&out, text, "", "  ")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), out.String())
	return err
}
