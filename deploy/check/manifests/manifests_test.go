package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const deploy = "../.."

// folders are those of deploy/ with a kustomization, of components apart.
func folders(t *testing.T) (whole, components []string) {
	t.Helper()
	for _, pattern := range []string{"*", "*/*", "*/*/*"} {
		names, err := filepath.Glob(filepath.Join(deploy, pattern, "kustomization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "\nkind: Component\n") {
				components = append(components, filepath.Dir(name))
			} else {
				whole = append(whole, filepath.Dir(name))
			}
		}
	}
	return whole, components
}

// under is a folder's path from deploy/.
func under(t *testing.T, folder string) string {
	t.Helper()
	name, err := filepath.Rel(deploy, folder)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.ToSlash(name)
}

// over is a folder with components over another one.
func over(t *testing.T, folder string, components ...string) string {
	t.Helper()
	at := t.TempDir()
	from := func(path string) string {
		path, err := filepath.Abs(path)
		if err == nil {
			path, err = filepath.Rel(at, path)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	for i := range components {
		components[i] = from(components[i])
	}
	text := fmt.Sprintf("resources: [%s]\ncomponents: [%s]\n", from(folder), strings.Join(components, ", "))
	if err := os.WriteFile(filepath.Join(at, "kustomization.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return at
}

func read(t *testing.T, folder string) string {
	t.Helper()
	text, err := build(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems(text) {
		t.Error(problem)
	}
	return string(text)
}

// TestFolders builds every folder, and every component over a run, and reads them as an API server does.
func TestFolders(t *testing.T) {
	whole, components := folders(t)
	if len(whole) < 9 || len(components) < 4 {
		t.Fatalf("found only %v and %v", whole, components)
	}
	for _, folder := range whole {
		t.Run(under(t, folder), func(t *testing.T) { read(t, folder) })
	}
	for _, component := range components {
		t.Run(under(t, component), func(t *testing.T) {
			run := deploy + "/base"
			if filepath.Base(component) == "kueue" {
				run = deploy + "/overlays/jobset/filled"
			}
			without, with := read(t, run), read(t, over(t, run, component))
			if with == without {
				t.Error("it changes nothing")
			}
		})
	}
	t.Run("together", func(t *testing.T) {
		for _, run := range []string{"base", "overlays/local-kind", "overlays/ha", "overlays/gpu"} {
			read(t, over(t, filepath.Join(deploy, run), deploy+"/components/tls", deploy+"/components/s3",
				deploy+"/components/monitoring"))
		}
	})
}

// TestExamples reads objects that are not built.
func TestExamples(t *testing.T) {
	for _, name := range []string{"trainjob.yaml", "pytorchjob.yaml"} {
		text, err := os.ReadFile(filepath.Join(deploy, "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems(text) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

// TestProblems plants what is to be found into what is right.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ folder, old, new, want string }{
		{"base", "backoffLimit: 1000", "backofflimit: 1000", `Job byol-coordinator: unknown field "spec.backofflimit"`},
		{"base", "completions: 7", "completions: 7\n  completions: 8", `"completions" already set`},
		{"base", "containerPort: 7071", "containerPort: many", "cannot unmarshal string"},
		{"base", "cpu: 250m", "cpu: 250q", "quantities must match"},
		{"base", "readOnlyRootFilesystem: true", "readonlyRootFilesystem: true", `unknown field "spec.template.spec.`},
		{"base", "PrivilegeEscalation: false", "PrivilegeEscalation: true", "not restricted: allowPrivilegeEscalation"},
		{"base", "runAsNonRoot: true", "runAsNonRoot: false", "not restricted: runAsNonRoot != true"},
		{"base", "kind: Service\n", "kind: Servant\n", "no kind is known that is called Servant of v1"},
		{"base", "policyTypes:", "policytypes:", `: unknown field "spec.policytypes"`},
		{"overlays/jobset", "maxRestarts:", "maxRestart:", `JobSet byol: unknown field "spec.failurePolicy.maxRestart"`},
		{"overlays/jobset", "PrivilegeEscalation: false", "PrivilegeEscalation: true", "JobSet byol: the pods are not"},
		{"setup-tls", "renewBefore: 240h", "renewBefore: 10 days", "Certificate byol-coordinator: "},
	} {
		text := read(t, filepath.Join(deploy, c.folder))
		planted := strings.Replace(text, c.old, c.new, 1)
		if planted == text {
			t.Errorf("%s has no %q", c.folder, c.old)
		}
		if found := strings.Join(problems([]byte(planted)), "\n"); !strings.Contains(found, c.want) {
			t.Errorf("%s with %q for %q: found %q, want %q", c.folder, c.new, c.old, found, c.want)
		}
	}
	for text, want := range map[string]string{"": "there are no objects", "# nothing\n": "there are no objects",
		"a: [": "yaml: ", "apiVersion: v1\nkind: Pod\n": "no kind is known that is called Pod of v1"} {
		if found := strings.Join(problems([]byte(text)), "\n"); !strings.Contains(found, want) {
			t.Errorf("of %q: %q, want %q", text, found, want)
		}
	}
}

// TestEveryPodIsFound: no template of a pod escapes what looks for them.
func TestEveryPodIsFound(t *testing.T) {
	for folder, want := range map[string]int{"base": 2, "overlays/ha": 2, "overlays/jobset": 2} {
		text := read(t, filepath.Join(deploy, folder))
		planted := strings.ReplaceAll(text, "runAsNonRoot: true", "runAsNonRoot: false")
		if found := len(problems([]byte(planted))); found != want {
			t.Errorf("%s: %d pods are not restricted, want %d", folder, found, want)
		}
	}
}
