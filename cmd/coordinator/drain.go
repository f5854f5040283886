package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/spf13/cobra"

	pb "byol/proto"
)

func drainCommand() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "drain WORKER", Short: "Have a worker leave at the next step, for good",
		Long: "Have a worker leave at the next step boundary, as status names it. The others go on with the same\n" +
			"bits, the process ends with status 0, and the coordinator does not start it again. The last ones that\n" +
			"a run needs (--min-workers) stay. coordinator wait --for gone=WORKER returns when it has left.",
		Args: oneArgument("worker, as coordinator status names it"),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return e.workerNames(cmd), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.call(cmd, callTimeout, func(ctx context.Context, c pb.CoordinatorClient) error {
				op, err := c.Drain(ctx, &pb.DrainRequest{RequestId: rand.Text(), WorkerId: args[0]})
				if err != nil {
					return err
				}
				if e.structured() {
					return e.printMessage(cmd, op)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "draining %s at step %s; the run is %s\n", plain(args[0]), grouped(op.Step),
					stateName(op.State))
				return nil
			})
		}}
	e.addFlags(cmd)
	return cmd
}

// workerNames are the workers of the run, none where nobody tells.
func (e *endpoint) workerNames(cmd *cobra.Command) []string {
	var names []string
	_ = e.call(cmd, liveTimeout, func(ctx context.Context, c pb.CoordinatorClient) error {
		st, err := c.GetStatus(ctx, &pb.GetStatusRequest{})
		for _, w := range st.GetWorkers() {
			names = append(names, w.Id)
		}
		return err
	})
	return names
}
