package main

import (
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"byol/coordinator/settings"
	"byol/internal/failure"
)

// exampleText is a text of deploy/examples.
func exampleText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployFolder, "examples", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// match is what the parentheses of a pattern hold in a text.
func match(t *testing.T, text, pattern string) string {
	t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("nothing is like %s", pattern)
	}
	return m[1]
}

// withImage are the containers, or services, anywhere in v whose image begins so.
func withImage(v any, image string) []node {
	var found []node
	switch v := v.(type) {
	case node:
		if name, ok := v["image"].(string); ok && strings.HasPrefix(name, image) {
			return []node{v}
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			found = append(found, withImage(v[key], image)...)
		}
	case []any:
		for _, item := range v {
			found = append(found, withImage(item, image)...)
		}
	}
	return found
}

// started is a coordinator as an example starts it.
type started struct {
	args, variables []string
	workers         int // as many as the example starts of them
}

// inContainers is the coordinator in an example of containers.
func inContainers(t *testing.T, name string, workers int) started {
	t.Helper()
	var all []node
	for d := yaml.NewDecoder(strings.NewReader(exampleText(t, name))); ; {
		var object node
		if err := d.Decode(&object); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, withImage(object, "byol-coordinator")...)
	}
	if len(all) != 1 {
		t.Fatalf("%s has %d coordinators", name, len(all))
	}
	args := append(list[string](all[0]["args"]), list[string](all[0]["command"])...)
	return started{args, variables(all[0]), workers}
}

// TestDeployExamples parses the command lines of the examples with the program's own parsers: each waits for as many
// workers as the example starts.
func TestDeployExamples(t *testing.T) {
	number := func(name, pattern string) int {
		n, err := strconv.Atoi(match(t, exampleText(t, name), pattern))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	unit := match(t, exampleText(t, "systemd/byol-coordinator.service"), `\nExecStart=/usr/local/bin/coordinator (.*)\n`)
	batch := match(t, exampleText(t, "slurm.sbatch"), `\n"\$bin/coordinator" (.*) "\$@" &\n`)
	for name, c := range map[string]started{
		"trainjob":   inContainers(t, "trainjob.yaml", number("trainjob.yaml", `numNodes: (\d+)`)+1),
		"pytorchjob": inContainers(t, "pytorchjob.yaml", number("pytorchjob.yaml", `Worker:\n +replicas: (\d+)`)+1),
		"compose":    inContainers(t, "compose.yaml", strings.Count(exampleText(t, "compose.yaml"), "image: byol-worker:")),
		"systemd":    {strings.Fields(unit), nil, 8},
		"slurm":      {strings.Fields(batch), nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			words := strings.NewReplacer("$(RUN)", "run", "${WORKERS:-2}", "2", "$SLURM_NTASKS", "2", "$port", "7070",
				"$dir", "/runs", `"`, "")
			for i, a := range c.args {
				if c.args[i] = words.Replace(a); strings.Contains(c.args[i], "$") {
					t.Fatalf("what is %s?", c.args[i])
				}
			}
			s := &settings.Values{}
			flags := newFlags(s)
			if err := flags.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			if flags.NArg() > 0 {
				t.Errorf("%q are no flags", flags.Args())
			}
			if s.RunDir == "" || s.Listen != ":7070" {
				t.Errorf("run directory %q, listens on %q", s.RunDir, s.Listen)
			}
			s.Config, s.RunDir = filepath.Join(deployFolder, "base/config.yaml"), t.TempDir()
			r, err := resolve(flags, s, c.variables)
			if err != nil {
				t.Fatal(err)
			}
			s.TokenFile = ""
			p, err := makePlan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if p.launcher != "none" || p.settings.Workers != c.workers {
				t.Errorf("%d workers by the launcher %q, and the example starts %d", p.settings.Workers, p.launcher, c.workers)
			}
		})
	}
}

// TestDeployExampleEnds: what systemd and Trainer make of exit codes is what they mean.
func TestDeployExampleEnds(t *testing.T) {
	hopeless := []int{failure.Usage, failure.Training, failure.Data, failure.Checkpoint}
	numbers := func(text string) []int {
		var all []int
		for _, word := range regexp.MustCompile(`\d+`).FindAllString(text, -1) {
			n, _ := strconv.Atoi(word)
			all = append(all, n)
		}
		return all
	}
	for _, role := range []string{"coordinator", "worker"} {
		unit := exampleText(t, "systemd/byol-"+role+".service")
		if got := numbers(match(t, unit, `\nRestartPreventExitStatus=(.*)\n`)); !slices.Equal(got, hopeless) {
			t.Errorf("systemd does not start a %s again after %v, want %v", role, got, hopeless)
		}
		if got := numbers(match(t, unit, `\nSuccessExitStatus=(.*)\n`)); !slices.Equal(got, []int{failure.Temporary}) {
			t.Errorf("systemd takes %v of a %s for a good end", got, role)
		}
	}
	job := exampleText(t, "trainjob.yaml")
	for container, want := range map[string][]int{"coordinator": hopeless, "node": {failure.Usage, failure.Data}} {
		rule := regexp.MustCompile(`action: (\w+)\n +onExitCodes: \{containerName: ` + container +
			`, operator: In, values: \[(.*)\]\}`)
		rules := rule.FindAllStringSubmatch(job, -1)
		if len(rules) != 2 || rules[0][1] != "Ignore" || !slices.Equal(numbers(rules[0][2]), []int{failure.Temporary}) ||
			!slices.Equal(numbers(rules[1][2]), want) {
			t.Errorf("the rules of %s are %v, want %v for what is hopeless", container, rules, want)
		}
	}
}

// TestDeploySystemd: systemd understands every line of the units.
func TestDeploySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze, which this asks")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	verify := func(name, text string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		said, err := exec.Command(analyze, "verify", file).CombinedOutput()
		if err != nil && len(said) == 0 {
			t.Fatal(err)
		}
		return string(said)
	}
	for _, role := range []string{"coordinator", "worker"} {
		name := "byol-" + role + ".service"
		text := strings.Replace(exampleText(t, "systemd/"+name), "/usr/local/bin/"+role, program, 1)
		if said := verify(name, text); said != "" {
			t.Errorf("of %s: %s", name, said)
		}
		bad := strings.Replace(text, "RestartSec=", "RestartSecs=", 1)
		if said := verify(name, bad); !strings.Contains(said, "RestartSecs") {
			t.Errorf("a line that means nothing is taken: %q", said)
		}
	}
}
