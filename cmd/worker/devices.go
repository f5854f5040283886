package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"byol/internal/failure"
	"byol/model/device/cpu"
	"byol/model/pjrt/find"
)

// pluginVariable names plugins, or folders with plugins, as PATH names folders.
const pluginVariable = "BYOL_PJRT_PLUGIN"

// pluginHelp explains --pjrt-plugin.
const pluginHelp = "a PJRT plugin, or a folder of them, to try before those that are found (" + pluginVariable + ")"

// places is where plugins are looked for.
func places(plugin string) find.Places {
	p := find.Places{Root: os.DirFS("/"), Path: filepath.SplitList(os.Getenv("PATH")), Named: map[string][]string{}}
	if home, err := os.UserHomeDir(); err == nil { // without, one place less
		p.Home = home
	}
	for how, list := range map[string]string{"--pjrt-plugin": plugin, pluginVariable: os.Getenv(pluginVariable)} {
		for _, name := range filepath.SplitList(list) {
			if whole, err := filepath.Abs(name); err == nil { // else there is no working directory
				p.Named[how] = append(p.Named[how], whole)
			}
		}
	}
	return p
}

// tryCommand is the name of the hidden command that tries a plugin in a process of its own.
const tryCommand = "try-plugin"

// prober tries plugins in processes of this program.
func prober() find.Prober {
	return find.Prober{Command: func(ctx context.Context, c find.Candidate) *exec.Cmd {
		candidate, err := json.Marshal(c)
		if err != nil {
			panic("worker: " + err.Error())
		}
		self, err := os.Executable()
		if err != nil {
			self = os.Args[0]
		}
		return exec.CommandContext(ctx, self, tryCommand, string(candidate))
	}}
}

// tryPluginCommand is what prober runs.
func tryPluginCommand() *cobra.Command {
	return &cobra.Command{
		Use: tryCommand + " CANDIDATE", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var c find.Candidate
			if err := json.Unmarshal([]byte(args[0]), &c); err != nil {
				return usage(tryCommand+" is for this program itself", err.Error(), "worker devices")
			}
			syscall.CloseOnExec(find.ReportFile)
			report := os.NewFile(find.ReportFile, "report")
			if _, err := report.Stat(); err != nil {
				return usage(tryCommand+" is for this program itself", err.Error(), "worker devices")
			}
			return find.Try(c, report)
		},
	}
}

// devicesCommand lists what there is to compute on.
func devicesCommand() *cobra.Command {
	var plugin, format string
	var limit time.Duration
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "List what this machine has to compute on, and why the rest cannot be used",
		Long: "List what this machine has to compute on: the processor, and the devices of every PJRT plugin that opens;\n" +
			"and of those that do not, why. Each is tried in a process of its own.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("worker devices takes no argument "+args[0], "", "worker devices --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != "text" && format != "json" {
				return usage(fmt.Sprintf("-o %q is not known", format), "", "-o text or json")
			}
			p := prober()
			p.Limit = limit
			l := listing{CPU: processor(), Plugins: []find.Report{}}
			for _, c := range find.Candidates(places(plugin)) {
				l.Plugins = append(l.Plugins, p.Probe(cmd.Context(), c))
			}
			if cause := context.Cause(cmd.Context()); cause != nil {
				return &failure.Failure{What: "stopped", Why: cause.Error(), Code: failure.Temporary}
			}
			return l.write(cmd.OutOrStdout(), format)
		},
	}
	cmd.Flags().StringVar(&plugin, "pjrt-plugin", "", pluginHelp)
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	cmd.Flags().DurationVar(&limit, "limit", time.Minute, "how long one plugin may take")
	return cmd
}

// processor says what the device cpu computes on.
func processor() string {
	kind := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil { // Linux alone has it
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
				kind = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%s, %d threads, %s", kind, runtime.GOMAXPROCS(0), cpu.ISAs()[0])
}

// listing is what `worker devices` shows.
type listing struct {
	CPU     string        `json:"cpu"`
	Plugins []find.Report `json:"plugins"`
}

func (l listing) write(w io.Writer, format string) error {
	if format == "json" {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(l)
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "DEVICE\tKIND\tMEMORY\tDRIVER\tAPI\tPLUGIN\ncpu\t%s\t\t\t\tbuilt in\n", l.CPU)
	for _, r := range l.Plugins {
		if r.Refused != "" {
			continue
		}
		for _, d := range r.Devices {
			memory := ""
			if d.Memory > 0 {
				memory = fmt.Sprintf("%.1f GiB", float64(d.Memory)/(1<<30))
			}
			fmt.Fprintf(table, "pjrt:%s:%d\t%s\t%s\t%s\t%s\t%s\n", r.Name, d.ID, d.Kind, memory, r.Driver, r.API, r.Path)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, r := range l.Plugins {
		if r.Refused != "" {
			fmt.Fprintf(w, "%s (%s)\n", r.Words(), r.Where)
		}
	}
	return nil
}
