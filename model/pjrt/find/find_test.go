package find

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"byol/internal/failure"
)

func files(names ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, name := range names {
		if from, to, ok := strings.Cut(name, " -> "); ok {
			m[from] = &fstest.MapFile{Data: []byte(to), Mode: fs.ModeSymlink}
			continue
		}
		m[name] = &fstest.MapFile{}
	}
	return m
}

// TestCandidates lays plugins out as installers do, beside what is none.
func TestCandidates(t *testing.T) {
	const cuda13, cuda12 = "jax_plugins/xla_cuda13/xla_cuda_plugin.so", "jax_plugins/xla_cuda12/xla_cuda_plugin.so"
	for _, c := range []struct {
		name   string
		places Places
		want   []string
	}{
		{"nothing at all", Places{Root: files("etc/passwd")}, nil},
		{"a venv before the system's", Places{
			Root: files("v/bin/python3 -> ../../usr/bin/python3", "usr/bin/python3 -> python3.12", "usr/bin/python3.12",
				"v/lib/python3.12/site-packages/"+cuda12, "v/lib/python3.12/site-packages/"+cuda13,
				"v/lib/python3.12/site-packages/jax_plugins/xla_cuda13/other.so",
				"v/lib/python3.12/site-packages/libtpu/libtpu.so",
				"usr/lib/python3/dist-packages/"+cuda12),
			Path: []string{"/v/bin", "/usr/bin"}}, []string{
			"cuda /v/lib/python3.12/site-packages/" + cuda13 + " (site-packages of /v/bin/python3)",
			"cuda /v/lib/python3.12/site-packages/" + cuda12 + " (site-packages of /v/bin/python3)",
			"cuda /usr/lib/python3/dist-packages/" + cuda12 + " (site-packages of /v/bin/python3)",
			"tpu /v/lib/python3.12/site-packages/libtpu/libtpu.so (site-packages of /v/bin/python3)"}},
		{"Debian with pip as root, and a user's own", Places{
			Root: files("usr/bin/python3", "usr/local/lib/python3.11/dist-packages/jax_plugins/xla_rocm7/xla_rocm_plugin.so",
				"home/u/.local/lib/python3.11/site-packages/"+cuda13),
			Path: []string{"relative", "/bin", "/usr/bin"}, Home: "/home/u"}, []string{
			"cuda /home/u/.local/lib/python3.11/site-packages/" + cuda13 + " (site-packages of /usr/bin/python3)",
			"rocm /usr/local/lib/python3.11/dist-packages/jax_plugins/xla_rocm7/xla_rocm_plugin.so " +
				"(site-packages of /usr/bin/python3)"}},
		{"pyenv", Places{
			Root: files("r/.pyenv/shims/python3", "r/.pyenv/versions/3.11.7/lib/python3.11/site-packages/"+cuda13),
			Path: []string{"/r/.pyenv/shims"}}, []string{
			"cuda /r/.pyenv/versions/3.11.7/lib/python3.11/site-packages/" + cuda13 +
				" (site-packages of /r/.pyenv/shims/python3)"}},
		{"no python, and libraries", Places{
			Root: files("opt/xla/lib/xla_cuda_plugin.so", "opt/pjrt_plugin_x.so", "usr/lib/x86_64-linux-gnu/libpjrt_cpu.so",
				"usr/local/lib/libtpu.so", "usr/lib/libc.so.6")}, []string{
			"cuda /opt/xla/lib/xla_cuda_plugin.so (/opt)", "tpu /usr/local/lib/libtpu.so (/usr/local/lib)",
			"other /opt/pjrt_plugin_x.so (/opt)", "cpu /usr/lib/x86_64-linux-gnu/libpjrt_cpu.so (/usr/lib)"}},
		{"named: a folder, a file that is found besides, and one that is not there", Places{
			Root:  files("n/lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so", "n/"+cuda13, "opt/xla_x_plugin.so"),
			Named: map[string][]string{"BYOL_PJRT_PLUGIN": {"/none.so"}, "--pjrt-plugin": {"/opt/xla_x_plugin.so", "/n/"}}},
			[]string{"other /opt/xla_x_plugin.so (--pjrt-plugin, named)", "cuda /n/" + cuda13 + " (--pjrt-plugin, named)",
				"cpu /n/lammps_jax_pjrt_cpu/pjrt_c_api_cpu_plugin.so (--pjrt-plugin, named)",
				"other /none.so (BYOL_PJRT_PLUGIN, named)"}},
	} {
		var got []string
		for _, x := range Candidates(c.places) {
			where := x.Where
			if x.Named {
				where += ", named"
			}
			got = append(got, fmt.Sprintf("%s %s (%s)", x.Kind, x.Path, where))
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: got\n  %s\nwant\n  %s", c.name, strings.Join(got, "\n  "), strings.Join(c.want, "\n  "))
		}
	}
}

// TestWords has a line for each way in which a plugin that is there can be of no use.
func TestWords(t *testing.T) {
	text := func(s string) *string { return &s }
	gpu := machine{NVIDIALibrary: true, NVIDIAVersion: 13000, NVIDIAFiles: 8}
	for _, c := range []struct {
		kind Kind
		f    facts
		want string // "" if it can be used
	}{
		{CUDA, facts{API: "0.115", Name: "cuda", Devices: []Device{{Kind: "NVIDIA H100"}}, Machine: gpu}, ""},
		{CUDA, facts{Problem: "cannot be loaded: libcudart.so.13: cannot open\nmore"},
			"cannot be loaded: libcudart.so.13: cannot open"},
		{CUDA, facts{Problem: "has version 1.2 of the interface: this program speaks 0.57"}, "has version 1.2"},
		{CUDA, facts{Name: "cuda"}, "opens, and has no devices"},
		{CUDA, facts{NoDevice: true, Wants: 13000, Machine: machine{}}, "no NVIDIA driver is on this machine"},
		{CUDA, facts{NoDevice: true, Wants: 13000, Machine: machine{NVIDIAKernel: "550.54.15"}},
			"the kernel has NVIDIA's driver 550.54.15, and libcuda.so.1 cannot be loaded: a container is to be started"},
		{CUDA, facts{NoDevice: true, Wants: 13000, Machine: machine{NVIDIALibrary: true, NVIDIAVersion: 12040,
			NVIDIAFiles: 1}},
			"is there, and sees no GPU: the driver's CUDA 12.4 is older than the plugin's 13.0"},
		{CUDA, facts{NoDevice: true, Wants: 13000, Problem: "No visible GPU devices.", Machine: machine{NVIDIALibrary: true,
			NVIDIAVersion: 13010, NVIDIAFiles: 1, Visible: text("")}}, `CUDA_VISIBLE_DEVICES="" hides them`},
		{CUDA, facts{NoDevice: true, Wants: 13000, Problem: "No visible GPU devices.", Machine: machine{NVIDIALibrary: true,
			NVIDIAVersion: 13010, NVIDIAFiles: 1, Visible: text("-1")}}, `CUDA_VISIBLE_DEVICES="-1" hides them`},
		{CUDA, facts{NoDevice: true, Wants: 13000, Machine: machine{NVIDIALibrary: true, NVIDIAVersion: 13010}},
			"/dev/nvidia0 is not there"},
		{CUDA, facts{NoDevice: true, Wants: 13000, Problem: "all in use", Machine: machine{NVIDIALibrary: true,
			NVIDIAVersion: 13010, NVIDIAFiles: 1, Visible: text("0,1")}}, "is there, and opens no device: all in use"},
		{CUDA, facts{NoDevice: true, Wants: 12080, Problem: "all in use", Machine: machine{NVIDIALibrary: true,
			NVIDIAVersion: 12040, NVIDIAFiles: 1}}, "opens no device: all in use"}, // minor versions go together
		{ROCm, facts{NoDevice: true}, "no AMD driver is on this machine (/dev/kfd is not there)"},
		{ROCm, facts{NoDevice: true, Problem: "x", Machine: machine{AMDFile: true}}, "opens no device: x"},
		{TPU, facts{NoDevice: true}, "sees no TPU: /dev/accel0 is not there"},
		{Other, facts{NoDevice: true, Problem: "no such thing"}, "opens no device: no such thing"},
	} {
		r := c.f.report(Candidate{Path: "/p.so", Kind: c.kind})
		if (c.want == "") != (r.Refused == "") || !strings.Contains(r.Refused, c.want) {
			t.Errorf("%+v: %q, want %q", c.f, r.Refused, c.want)
		}
		if r.Refused != "" && !strings.HasPrefix(r.Words(), "the plugin /p.so "+r.Refused) {
			t.Errorf("%q", r.Words())
		}
	}
	r := facts{Name: "cuda", Devices: []Device{{}}, Machine: machine{NVIDIAVersion: 12080, NVIDIAKernel: "570.1"}}.
		report(Candidate{Kind: CUDA})
	if r.Driver != "CUDA 12.8, 570.1" {
		t.Errorf("driver %q", r.Driver)
	}
}

func TestKernelVersion(t *testing.T) {
	for text, want := range map[string]string{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\nGCC version:  gcc 12.2.0": "535.183.01",
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build":                "550.54.15",
		"NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.95  Release Build":                  "580.95",
		"anything": "",
	} {
		if got := kernelVersion(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestChoose asks for each device where plugins open, or do not.
func TestChoose(t *testing.T) {
	opens := func(file, platform string, named bool) Report {
		return Report{Candidate: Candidate{Path: file, Kind: kindOf(file), Named: named}, Name: platform,
			Devices: []Device{{Kind: "chip"}}}
	}
	refuses := func(file string) Report {
		return Report{Candidate: Candidate{Path: file, Kind: kindOf(file)}, Refused: "is broken"}
	}
	const cuda13, cuda12, rocm, tpu, cpu, other = "/xla_cuda13/p.so", "/xla_cuda12/p.so", "/xla_rocm7/p.so",
		"/libtpu/p.so", "/pjrt_cpu/p.so", "/new/p.so"
	for _, c := range []struct {
		device string
		there  []Report
		taken  string // "": the processor
		words  string // that must be among those for what was not taken, or in the failure
		fails  bool
	}{
		{"auto", nil, "", "", false},
		{"auto", []Report{opens(cpu, "cpu", false)}, "", "", false},
		{"auto", []Report{opens(cpu, "cpu", true)}, cpu, "", false},
		{"auto", []Report{opens(other, "cpu", false)}, "", "slower than this program's own kernels", false},
		{"auto", []Report{refuses(cuda13), opens(cuda12, "cuda", false), opens(rocm, "rocm", false)}, cuda12,
			cuda13 + " is broken", false},
		{"auto", []Report{refuses(cuda13), refuses(tpu)}, "", tpu + " is broken", false},
		{"cuda", []Report{opens(rocm, "rocm", false), opens(cuda13, "cuda", false)}, cuda13, "", false},
		{"cuda", []Report{opens(other, "cuda", true)}, other, "", false},
		{"cuda", []Report{opens(cuda13, "cpu", true)}, "", "is for cpu", true},
		{"cuda", []Report{refuses(cuda13), refuses(cuda12)}, "", cuda13 + " is broken; the plugin " + cuda12, true},
		{"cuda", []Report{opens(rocm, "rocm", false)}, "", "no plugin was found", true},
		{"rocm", []Report{opens(cuda13, "cuda", false), opens(rocm, "rocm", false)}, rocm, "", false},
		{"tpu", []Report{refuses(tpu)}, "", tpu + " is broken", true},
		{"pjrt", []Report{opens(cpu, "cpu", false)}, cpu, "", false},
		{"pjrt", nil, "", "no plugin was found", true},
		{"pjrt:" + cpu, []Report{opens(cuda13, "cuda", false), opens(cpu, "cpu", false)}, cpu, "", false},
		{"pjrt:/none.so", []Report{opens(cuda13, "cuda", false)}, "", "/none.so is not there", true},
	} {
		byPath := map[string]Report{}
		var candidates []Candidate
		for _, r := range c.there {
			byPath[r.Path] = r
			candidates = append(candidates, r.Candidate)
		}
		choice, err := Choose(c.device, candidates, func(x Candidate) Report {
			if r, ok := byPath[x.Path]; ok {
				return r
			}
			return Report{Candidate: x, Refused: "is not there"}
		})
		words, taken := strings.Join(choice.Words(), "\n"), ""
		if choice.Taken != nil {
			taken = choice.Taken.Path
		}
		var f *failure.Failure
		if errors.As(err, &f) {
			words = f.Why
			if f.Try == "" || f.Code != failure.Usage || !strings.Contains(f.What, "device "+c.device) {
				t.Errorf("%s: %+v", c.device, f)
			}
		}
		if taken != c.taken || (err != nil) != c.fails || !strings.Contains(words, c.words) {
			t.Errorf("%s of %d: took %q, %v, words %q; want %q, %q", c.device, len(c.there), taken, err, words, c.taken, c.words)
		}
	}
}
