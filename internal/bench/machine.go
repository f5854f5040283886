package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machineFacts says what the figures belong to.
func machineFacts(e *environment) []string {
	cpu := field("/proc/cpuinfo", "model name")
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	machine := fmt.Sprintf("Machine: %s, %d cores", cpu, runtime.NumCPU())
	if kib, err := strconv.Atoi(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB")); err == nil {
		machine += fmt.Sprintf(", %.0f GiB", float64(kib)/(1<<20))
	}
	if name := field("/etc/os-release", "PRETTY_NAME"); name != "" {
		machine += ", " + strings.Trim(name, `"`)
	}
	facts := []string{machine, "Go: " + runtime.Version(), "Date: " + time.Now().UTC().Format("2006-01-02")}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if words := strings.Fields(string(text)); len(words) > 0 {
			facts = append(facts, "Load before: "+words[0]+" (other programs' are part of it)")
		}
	}
	if e.commit != "" {
		facts = append(facts, "Commit: "+e.commit)
	}
	return append(facts, fmt.Sprintf("Pairs: %d", e.options.pairs))
}

// describeCommit names the commit of a module's sources; "" outside a checkout.
func describeCommit(ctx context.Context, root string) string {
	commit, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(commit))
}

// field is the value of the first line "name : value" or "name=value" of a file.
func field(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, name); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:="))
		}
	}
	return ""
}
