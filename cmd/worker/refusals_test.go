package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/model/pjrt/find"
)

// asPlugins in the environment has what tries plugins report what it says, by the names of their folders.
const asPlugins = "TEST_AS_PLUGINS"

// tryFake is a process that tries a plugin, of which facts are known.
func tryFake(facts, candidate string) int {
	var all map[string]string
	var c find.Candidate
	for text, to := range map[string]any{facts: &all, candidate: &c} {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			panic(err)
		}
	}
	said := all[filepath.Base(filepath.Dir(c.Path))]
	if said == "" {
		fmt.Fprintln(os.Stderr, "terminate called after throwing an instance of 'std::bad_alloc'")
		return 134
	}
	if _, err := os.NewFile(find.ReportFile, "report").WriteString(said); err != nil {
		panic(err)
	}
	return 0
}

// refusals are what plugins and machines give when tried, and the words for it. Package find has them from real files,
// and package capi from tables of any version.
var refusals = []struct{ folder, facts, words string }{
	{"cuda-no-driver", `{"api": "0.115", "no_device": true, "wants": 13000, "problem": "No visible GPU devices."}`,
		"is there, and sees no GPU: no NVIDIA driver is on this machine (libcuda.so.1 cannot be loaded)"},
	{"cuda-old-driver", `{"api": "0.115", "no_device": true, "wants": 13000, "problem": "driver is insufficient",
		"machine": {"nvidia_library": true, "nvidia_version": 12040, "nvidia_files": 8}}`,
		"is there, and sees no GPU: the driver's CUDA 12.4 is older than the plugin's 13.0"},
	{"cuda-container", `{"api": "0.115", "no_device": true, "wants": 13000, "machine": {"nvidia_kernel": "580.95"}}`,
		"is there, and sees no GPU: the kernel has NVIDIA's driver 580.95, and libcuda.so.1 cannot be loaded: a container " +
			"is to be started with its GPUs"},
	{"cuda-hidden", `{"api": "0.115", "no_device": true, "wants": 13000, "machine": {"nvidia_library": true,
		"nvidia_version": 13010, "nvidia_files": 8, "visible": ""}}`,
		`is there, and sees no GPU: CUDA_VISIBLE_DEVICES="" hides them`},
	{"cuda-no-files", `{"api": "0.115", "no_device": true, "wants": 13000, "machine": {"nvidia_library": true,
		"nvidia_version": 13010}}`,
		"is there, and sees no GPU: /dev/nvidia0 is not there: a container is to be started with its GPUs"},
	{"cuda-busy", `{"api": "0.115", "no_device": true, "wants": 13000,
		"problem": "all GPUs are in exclusive use\nat line 3",
		"machine": {"nvidia_library": true, "nvidia_version": 13010, "nvidia_files": 8}}`,
		"is there, and opens no device: all GPUs are in exclusive use"},
	{"cuda-empty", `{"api": "0.115", "name": "cuda", "devices": []}`, "opens, and has no devices"},
	{"cuda-old-api", `{"problem": "has version 0.56 of the interface: this program speaks 0.57 and later ones of 0"}`,
		"has version 0.56 of the interface: this program speaks 0.57 and later ones of 0"},
	{"cuda-new-api", `{"problem": "has version 1.0 of the interface: this program speaks 0.57 and later ones of 0"}`,
		"has version 1.0 of the interface: this program speaks 0.57 and later ones of 0"},
	{"cuda-wrong-file", `{"problem": "is a library, but no PJRT plugin: it has no GetPjrtApi"}`,
		"is a library, but no PJRT plugin: it has no GetPjrtApi"},
	{"cuda-no-library", `{"problem": "cannot be loaded: libcudart.so.13: cannot open shared object file"}`,
		"cannot be loaded: libcudart.so.13: cannot open shared object file"},
	{"cuda-crash", "", "ended the process that tried it (exit status 134): terminate called after throwing"},
	{"cuda-nonsense", "I0000 log", "was tried, and its report cannot be read"},
	{"rocm-no-driver", `{"no_device": true}`,
		"is there, and sees no GPU: no AMD driver is on this machine (/dev/kfd is not there)"},
	{"tpu-none", `{"no_device": true}`, "is there, and sees no TPU: /dev/accel0 is not there"},
}

// plugins makes the files of plugins that are tried by tryFake, and returns their folders.
func plugins(t *testing.T) (folders []string) {
	t.Helper()
	dir, facts := t.TempDir(), map[string]string{}
	for _, r := range refusals {
		folder := filepath.Join(dir, r.folder)
		folders, facts[r.folder] = append(folders, folder), r.facts
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "pjrt_plugin.so"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(facts)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asPlugins, string(text))
	t.Setenv(asProgram, "1")
	t.Setenv("PATH", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	return folders
}

// TestRefusals: `worker devices` says of each plugin why it cannot be used, and so does a device that wants one.
func TestRefusals(t *testing.T) {
	folders := plugins(t)
	t.Setenv(pluginVariable, strings.Join(folders, string(filepath.ListSeparator)))
	code, out, errs := devices(t)
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for i, r := range refusals {
		line := fmt.Sprintf("the plugin %s %s", filepath.Join(folders[i], "pjrt_plugin.so"), r.words)
		at := strings.Index(out, line)
		if at < 0 {
			t.Errorf("no %q in\n%s", line, out)
			continue
		}
		if rest, _, _ := strings.Cut(out[at:], "\n"); !strings.HasSuffix(rest, " ("+pluginVariable+")") {
			t.Errorf("%q does not say where the plugin was found", rest)
		}
	}
	o := opener{&accelerator{index: -1}, -1, func(string) {}}
	for _, device := range []string{"cuda", "pjrt"} {
		_, err := o.choose(t.Context(), device)
		if err == nil {
			t.Fatalf("device %s is chosen", device)
		}
		for _, r := range refusals {
			if !strings.Contains(err.Error(), r.words) {
				t.Errorf("device %s: no %q in %v", device, r.words, err)
			}
		}
	}
	if c, err := o.choose(t.Context(), auto); err != nil || c.Taken != nil {
		t.Errorf("auto ends with %v, %v; want the processor", c.Taken, err)
	}
}

// TestGuideHasRefusals: docs/gpu.md quotes what is said.
func TestGuideHasRefusals(t *testing.T) {
	guide, err := os.ReadFile("../../docs/gpu.md")
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	for line := range strings.Lines(string(guide)) {
		quoted, _, _ := strings.Cut(strings.TrimPrefix(line, "| `"), "` |")
		if quoted == line || !strings.HasPrefix(line, "| `") || !strings.Contains(quoted, " ") {
			continue
		}
		said++
		found := false
		for _, r := range refusals {
			found = found || strings.Contains(r.words, quoted)
		}
		if !found {
			t.Errorf("nothing says %q", quoted)
		}
	}
	if said < 4 {
		t.Errorf("%d refusals are quoted", said)
	}
}
