package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"byol/internal/failure"
	"byol/model/device/cpu"
	"byol/model/golden"
	"byol/worker"
)

// goldenCommand checks a device against files of numbers computed by another program.
func goldenCommand() *cobra.Command {
	var o worker.EngineOptions
	a := &accelerator{}
	cmd := &cobra.Command{
		Use:   "verify-golden FILE...",
		Short: "Compare a device with golden files, tensor by tensor",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("verify-golden wants golden files", "", "worker verify-golden byol-basic.safetensors --device cpu")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if err := a.check(); err != nil {
				return err
			}
			open := opener{a, -1, func(note string) { fmt.Fprintln(cmd.ErrOrStderr(), note) }}
			failed := 0
			for _, path := range args {
				eng, err := open.open(cmd.Context(), o)
				if err != nil {
					return err
				}
				report, err := golden.Verify(cmd.Context(), path, eng, out)
				if closing := eng.Close(); err == nil {
					err = closing
				}
				if err != nil {
					return &failure.Failure{What: fmt.Sprintf("golden file %s cannot be checked", path), Why: err.Error(),
						Try: "a file written by make_golden.py", Code: failure.Usage}
				}
				verdict := "ok"
				if !report.OK {
					verdict, failed = "FAILED", failed+1
				}
				fmt.Fprintf(out, "%s %s on %s: outputs %.1e gradients %.1e final %.1e losses %.1e, worst %s\n",
					verdict, report.Path, report.Engine, report.Outputs, report.Gradients, report.Final, report.Losses, report.Worst)
			}
			if failed > 0 {
				return &failure.Failure{What: fmt.Sprintf("%d of %d golden files are off", failed, len(args)),
					Why: "errors past the tolerance are marked above",
					Try: "--device reference64 tells a kernel's fault from the model's", Code: failure.Internal}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Name, "device", "auto", deviceNames)
	cmd.Flags().StringVar(&o.Kernels, "kernels", "auto", kernelsHelp)
	cmd.Flags().StringVar(&o.ISA, "isa", cpu.Auto, isaHelp)
	cmd.Flags().StringVar(&o.Precision, "precision", "fp32", precisionHelp)
	cmd.Flags().IntVar(&o.Threads, "threads", 0, "threads to compute with; 0: all processors")
	a.register(cmd.Flags())
	return cmd
}
