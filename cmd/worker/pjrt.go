package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"byol/internal/atomicfile"
	"byol/model/arch"
	"byol/model/engine"
	"byol/model/pjrt/ahead"
	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/find"
	"byol/model/pjrt/hlo"
)

// pjrtCommand has what is of use to look into the programs for accelerators.
func pjrtCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "pjrt", Short: "Look into the programs for accelerators: dump them, compile them ahead"}
	cmd.AddCommand(pjrtDumpCommand(), pjrtCompileCommand())
	return cmd
}

// network is a network by flags, as BYOL has it.
type network struct {
	arch, padding, precision string
	size, width, images      int
	classes                  int
	local                    bool
}

func (n *network) register(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&n.arch, "arch", "resnet50", strings.Join(arch.Names(), "|"))
	f.IntVar(&n.size, "image-size", 0, "height and width of an image; 0: 32 for networks of CIFAR, else 224")
	f.IntVar(&n.width, "width", 1, "times as many channels")
	f.IntVar(&n.images, "images", 256, "images of one shard")
	f.StringVar(&n.padding, "padding", "symmetric", "symmetric|same")
	f.IntVar(&n.classes, "classes", 1000, "classes of the probe; 0: no probe")
	f.BoolVar(&n.local, "local-batch-norm", false, "normalise each shard by itself")
	f.StringVar(&n.precision, "precision", "fp32", "fp32|bf16")
}

// segments are the programs of the network, in the order of their use.
func (n *network) segments() ([]*hlo.Segment, error) {
	encoder, err := arch.Find(n.arch)
	if err != nil {
		return nil, usage(err.Error(), "", "--arch resnet50")
	}
	precision, ok := precisions[n.precision]
	if !ok {
		return nil, unknownPrecision(n.precision)
	}
	if n.images < 1 || n.size < 0 {
		return nil, usage("no images", fmt.Sprintf("--images %d, --image-size %d", n.images, n.size), "--images 256")
	}
	if n.padding != "symmetric" && n.padding != "same" {
		return nil, usage(fmt.Sprintf("--padding %q is not known", n.padding), "", "--padding symmetric or same")
	}
	size := n.size
	if size == 0 {
		size = 224
		if encoder.Stem == arch.CIFAR {
			size = 32
		}
	}
	segments, err := emit.All(emit.Config{Images: n.images, Precision: precision, Network: engine.Network{
		Encoder: encoder.Widened(n.width), Padding: n.padding, ImageSize: size, ProjectorHidden: 4096, ProjectorOut: 256,
		PredictorHidden: 4096, Classes: n.classes, LocalBatchNorm: n.local,
		Rule: engine.Rule{Momentum: 0.9, Decay: 1.5e-6, Eta: 1e-3}}})
	if err != nil {
		return nil, usage("there are no programs for this network", err.Error(), "another --padding or --image-size")
	}
	return segments, nil
}

// segmentFile is the name of a program's file among those of a network.
func segmentFile(i int, s *hlo.Segment) string {
	return fmt.Sprintf("%03d-%s.mlir", i, strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_", r) {
			return r
		}
		return '-'
	}, s.Name))
}

func pjrtDumpCommand() *cobra.Command {
	var n network
	var to string
	cmd := &cobra.Command{
		Use:   "dump -o DIR",
		Short: "Write every program of a network as text",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to == "" {
				return usage("no folder was named", "", "-o programs")
			}
			segments, err := n.segments()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(to, 0o777); err != nil {
				return usage("the folder cannot be made", err.Error(), "another -o")
			}
			different := map[[32]byte]bool{}
			for i, s := range segments {
				different[s.Digest()] = true
				if err := atomicfile.Write(filepath.Join(to, segmentFile(i, s)), []byte(s.Text())); err != nil {
					return fmt.Errorf("write program: %w", err)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d programs, %d of them different, in %s\n", len(segments), len(different), to)
			return nil
		},
	}
	n.register(cmd.Flags())
	cmd.Flags().StringVarP(&to, "output", "o", "", "folder to write to")
	return cmd
}

func pjrtCompileCommand() *cobra.Command {
	var n network
	var name, plugin string
	var threads int
	cmd := &cobra.Command{
		Use:   "compile --for h100",
		Short: "Compile every program of a network for a GPU that need not be here",
		Long: "Compile every program of a network for a GPU that need not be here, and say how large they are.\n" +
			"It takes the CUDA plugin, and ptxas and nvlink beside it: `make pjrt-h100` fetches all three.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			target, err := ahead.FindTarget(name)
			if err != nil {
				return usage(err.Error(), "", "--for h100")
			}
			segments, err := n.segments()
			if err != nil {
				return err
			}
			p, err := cudaPlugin(plugin)
			if err != nil {
				return err
			}
			if threads == 0 {
				threads = runtime.GOMAXPROCS(0)
			}
			begin := time.Now()
			programs, err := ahead.Compile(cmd.Context(),
				ahead.Job{Plugin: p, Target: target, Segments: segments, Precision: precisions[n.precision], Threads: threads})
			if err != nil {
				return usage("the programs do not compile", err.Error(), "--arch resnet18, or another plugin")
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s, %d images of a shard, %s, for %s by %s (API %v):\n", n.arch, n.images,
				n.precision, target.Product, p.Path(), p.Version())
			return writePrograms(cmd.OutOrStdout(), programs, time.Since(begin))
		},
	}
	n.register(cmd.Flags())
	cmd.Flags().StringVar(&name, "for", "h100", "h100|h200")
	cmd.Flags().StringVar(&plugin, "pjrt-plugin", "", pluginHelp)
	cmd.Flags().IntVar(&threads, "threads", 0, "programs that are compiled at once; 0: as many as processors")
	return cmd
}

// cudaPlugin loads the first plugin for NVIDIA's GPUs: to compile, it needs none of them.
func cudaPlugin(named string) (*capi.Plugin, error) {
	for _, c := range find.Candidates(places(named)) {
		if c.Kind != find.CUDA {
			continue
		}
		p, err := capi.Open(c.Path)
		if err != nil {
			return nil, usage("the CUDA plugin cannot be used", err.Error(), "another --pjrt-plugin")
		}
		return p, nil
	}
	return nil, usage("there is no CUDA plugin", "it is what compiles for GPUs of NVIDIA",
		"make pjrt-h100 fetches one, or --pjrt-plugin PATH")
}

// writePrograms shows what was compiled.
func writePrograms(w io.Writer, programs []ahead.Program, took time.Duration) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "program\tdigest\tuses\tseconds\tKiB\targuments MiB\tresults MiB\tscratch MiB\t")
	const mib = 1 << 20
	bytes, scratch := 0, int64(0)
	for _, p := range programs {
		bytes += len(p.Code)
		scratch = max(scratch, p.Memory.Scratch)
		fmt.Fprintf(table, "%s\t%s\t%d\t%.2f\t%d\t%.1f\t%.1f\t%.1f\t\n", p.Name, hex.EncodeToString(p.Digest[:4]), p.Uses,
			p.Took.Seconds(), len(p.Code)>>10, float64(p.Memory.Arguments)/mib, float64(p.Memory.Results)/mib,
			float64(p.Memory.Scratch)/mib)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d programs in %.1f s, %.1f MiB, largest scratch %.0f MiB\n", len(programs), took.Seconds(),
		float64(bytes)/mib, float64(scratch)/mib)
	return err
}
