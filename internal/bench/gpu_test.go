package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestGPUItems: items are begun in their order, each within its limit and within what is left; one that fails or is cut
// off stops no other, and only a judged one is remembered.
func TestGPUItems(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c := &gpuCheck{gpuOptions: &gpuOptions{}, end: time.Now().Add(100 * time.Second), table: newGPUTable(&out, nil)}
		var begun []string
		item := func(number int, name string, limit, takes time.Duration, judged bool, err error) gpuItem {
			return gpuItem{number: number, name: name, limit: limit, least: 10 * time.Second, judged: judged,
				run: func(ctx context.Context) error {
					begun = append(begun, name)
					select {
					case <-ctx.Done():
						return context.Cause(ctx)
					case <-time.After(takes):
					}
					if err == nil {
						c.table.row(name, "done")
					}
					return err
				}}
		}
		const s = time.Second
		c.all(t.Context(), []gpuItem{
			item(1, "first", 20*s, 5*s, true, nil),
			item(2, "fails", 20*s, 1*s, true, errors.New("a | b\nc")),
			item(2, "unjudged", 20*s, 1*s, false, errors.New("no")),
			item(3, "hangs", 30*s, time.Hour, true, nil),
			item(3, "lacks", 20*s, 1*s, true, skipped("no PyTorch")),
			item(4, "program says so", 20*s, 1*s, false, errors.New("python3: exit status 1: skipped: no GPU")),
			item(4, "longer than what is left", time.Hour, time.Hour, false, nil),
			item(5, "too late", 20*s, 1*s, true, nil),
		})
		want := []string{"| 1 | first | done | 5.0 |", "| 2 | fails | FAILED: a / b c | 1.0 |",
			"| 2 | unjudged | FAILED: no | 1.0 |", "| 3 | hangs | FAILED: it took longer than 30s | 30.0 |",
			"| 3 | lacks | skipped: no PyTorch | 1.0 |", "| 4 | program says so | skipped: no GPU | 1.0 |",
			"| 4 | longer than what is left | FAILED: it took longer than 1m1s | 61.0 |",
			"| 5 | too late | skipped: 0s left, and it wants 10s | 0.0 |"}
		got := strings.Split(strings.TrimSpace(strings.TrimPrefix(out.String(), gpuHead)), "\n")
		if !slices.Equal(got, want) {
			t.Errorf("the table is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(begun) != 7 || !slices.Equal(c.off, []string{"fails", "hangs"}) {
			t.Errorf("begun %q, off %q", begun, c.off)
		}
	})
}

// TestGPUItemsStop: an interrupt ends the item at hand and begins no other.
func TestGPUItemsStop(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	c := &gpuCheck{gpuOptions: &gpuOptions{}, end: time.Now().Add(time.Hour), table: newGPUTable(&bytes.Buffer{}, nil)}
	begun := 0
	stop := gpuItem{limit: time.Hour, run: func(ctx context.Context) error {
		begun++
		cancel(errors.New("ctrl-c"))
		return context.Cause(ctx)
	}}
	if c.all(ctx, []gpuItem{stop, stop}); begun != 1 {
		t.Errorf("%d items were begun", begun)
	}
}

// TestGPUTable: the file has everything after each row, and says until the end that it is not all.
func TestGPUTable(t *testing.T) {
	var out bytes.Buffer
	table := newGPUTable(&out, []string{"Machine: m"})
	table.begin(gpuItem{number: 1})
	table.row("device", "found")
	table.file = filepath.Join(t.TempDir(), "new", "gpu.md")
	table.row("more", "known")
	read := func() string {
		text, err := os.ReadFile(table.file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const rows = gpuHead + "| 1 | device | found | 0.0 |\n| 1 | more | known | 0.0 |\n"
	if text := read(); !strings.HasSuffix(text, "\n- Machine: m\n\nThe check was cut off behind the last row.\n\n"+rows) {
		t.Errorf("after two rows\n%s", text)
	}
	if err := table.close(); err != nil {
		t.Fatal(err)
	}
	if text := read(); !strings.HasSuffix(text, "\n- Machine: m\n\n"+rows) || strings.Contains(text, "cut off behind") {
		t.Errorf("at the end\n%s", text)
	}
	if out.String() != rows {
		t.Errorf("printed\n%s", &out)
	}
	table.file = filepath.Join(table.file, "below a file")
	table.row("lost", "")
	if err := table.close(); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("a file that cannot be written: %v", err)
	}
}

// TestChooseGPU takes the first plugin that opens and is what was asked for.
func TestChooseGPU(t *testing.T) {
	device := []struct {
		Kind   string `json:"kind"`
		Memory int64  `json:"memory_bytes"`
	}{{"H200", 141 << 30}}
	list := []gpuPlugin{{Path: "/a", Refused: "cannot be loaded"}, {Path: "/b", Platform: "cuda", Devices: device},
		{Path: "/c", Platform: "rocm", Devices: device}, {Path: "/d", Platform: "cpu", Devices: device}}
	for name, want := range map[string]string{"auto": "/b", "cuda": "/b", "rocm": "/c", "pjrt": "/b", "pjrt:/d": "/d",
		"tpu": "", "pjrt:/a": "", "pjrt:/e": ""} {
		got := ""
		if p := chooseGPU(name, list); p != nil {
			got = p.Path
		}
		if got != want {
			t.Errorf("%s: took %q, want %q", name, got, want)
		}
	}
	if p := chooseGPU("auto", list[3:]); p != nil {
		t.Errorf("auto took %s", p.Path)
	}
	list[1].Driver, list[1].API, list[1].Version = "CUDA 13.0", "0.115", "cuda\n13"
	if got, want := list[1].about(), "1 × H200, 141.0 GiB, driver CUDA 13.0, by b (API 0.115, cuda 13)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// gpuPrograms stand in for all programs of the check on a GPU, whose steps are quick.
func gpuPrograms(t *testing.T) string {
	return programs(t, map[string]string{
		"worker": `case "$1" in
devices) echo '{"cpu": "c", "plugins": [{"path": "/old.so", "refused": "sees no GPU"},
  {"path": "/p.so", "api": "0.115", "platform": "cuda", "platform_version": "v", "driver": "CUDA 13.0",
   "devices": [{"kind": "NVIDIA H200", "memory_bytes": 151397597184}]}]}';;
verify-golden) case "$2$6" in */byol-bottleneck.safetensorsbf16)
  echo "a tensor TOO FAR"; echo "FAILED f on pjrt:cuda: outputs 9e-1"; echo "error: off" >&2; exit 1;; esac
  echo "ok f on pjrt:cuda: outputs 1e-06";;
esac`,
		"coordinator": `if [ "$1" = checkpoints ]; then echo '[{"state_sha256": "0123456789abcdef0123"}]'; exit; fi
dir=
for a in "$@"; do [ "$last" = --run-dir ] && dir=$a; last=$a; done
mkdir -p "$dir"
for i in 0 1 2 3; do echo '{"step": '$i', "epoch": '$i'.5, "seconds": 0.125}' >>"$dir/metrics.jsonl"; done
echo '{"step":0,"queries":9,"knn_top1":0.25}' >>"$dir/evaluations.jsonl"
echo '{"step":2,"error":"none"}' >>"$dir/evaluations.jsonl"
echo '{"step":4,"queries":9,"knn_top1":0.5}' >>"$dir/evaluations.jsonl"`,
		"stepbench": `echo '{"batch": 256, "images_per_second": 2000, "step_seconds": 0.128, "programs_seconds": 0.1,
"launches": 211, "waits": 153, "up_mib": 300, "down_mib": 140, "fits": 1500, "device_peak_mib": 20480,
"phases": {"launches": 0.05, "waits": 0.6, "copies": 0.2, "update": 0.1}}' | tr '\n' ' '`,
		"python": `case "$1 $2" in "-c import torch") exit;; -c*) echo "PyTorch 2.11"; exit;; esac
case "$*" in *resnet18*--compile*) echo "skipped: no compiler" >&2; exit 1;; esac
echo '{"images_per_second": 1600, "step_seconds": 0.16, "about": "torch of a test"}'`,
		"nvidia-smi": "echo 'NVIDIA H200, 580'",
	})
}

// TestCheckGPU goes through a whole check on a GPU that programs play. One golden file is off, so it fails, at the end.
func TestCheckGPU(t *testing.T) {
	bin := gpuPrograms(t)
	t.Setenv("BYOL_BENCH_PYTHON", filepath.Join(bin, "python"))
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	data, out := t.TempDir(), t.TempDir()
	for _, name := range []string{"train-000009.tar", "test-000001.tar"} {
		if err := os.WriteFile(filepath.Join(data, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var printed bytes.Buffer
	err := checkGPU(t.Context(), []string{"-bin", bin, "-data", data, "-out", out, "-pjrt-plugin", ""}, &printed)
	if err == nil || err.Error() != "these items failed: byol-bottleneck, bf16" {
		t.Errorf("error %v, want the golden file that is off", err)
	}
	text, err := os.ReadFile(filepath.Join(out, "gpu.md"))
	if err != nil || !strings.HasSuffix(string(text), printed.String()) {
		t.Errorf("%v: the file is\n%s\nprinted was\n%s", err, text, &printed)
	}
	rest := regexp.MustCompile(` \| [0-9.]+ \|`).ReplaceAllString(printed.String(), "")
	const step = "; programs alone 100.0 ms; host: launches 5 %, waits 60 %, copies 20 %, update 10 %, rest 5 %; " +
		"211 launches, 153 waits, 300 MiB up, 140 MiB down; at most 20.0 GiB on the device; a batch of about 1500 would fit"
	for _, want := range []string{ // in this order
		"| 1 | device | 1 × NVIDIA H200, 141.0 GiB, driver CUDA 13.0, by p.so (API 0.115, v)",
		"| 1 | not used | /old.so sees no GPU", "| 1 | python | PyTorch 2.11", "| 1 | nvidia-smi | NVIDIA H200, 580",
		"| 2 | byol-basic, fp32 | ok: outputs 1e-06", "| 2 | byol-basic, bf16 | ok: outputs 1e-06",
		"| 2 | byol-bottleneck, bf16 | FAILED: outputs 9e-1: worker: exit status 1: error: off",
		"| 3 | bf16, run 1, workers: 1 | state 0123456789abcdef", "| 3 | bf16, run 3, workers: 2 | state 0123456789abcdef",
		"| 3 | fp32, run 3, workers: 2 | state 0123456789abcdef",
		"| 4 | ResNet-50, 224², batch 256, byol | 2000 images/s, step 128.0 ms" + step,
		"| 4 | ResNet-50, 224², batch 256, PyTorch torch.compile | 1600 images/s, step 160.0 ms; " +
			"**byol is at 1.25 × that**; torch of a test",
		"| 4 | ResNet-50, 224², batch 256, PyTorch eager |", "| 4 | ResNet-18, 32², batch 512, byol | 2000 images/s",
		"| 4 | ResNet-18, PyTorch torch.compile | skipped: no compiler",
		"| 4 | ResNet-50, 224², batch 1344, byol | 2000 images/s",
		"| 4 | ResNet-50, 224², batch 1344, PyTorch torch.compile | 1600 images/s",
		"| 2 | byol-same, fp32 | ok", "| 5 | CIFAR-10, 16 steps first | 4096 images/s: ",
		"| 5 | CIFAR-10, 0 s of training, epoch 0.0 | k-NN 25.0 %",
		"| 5 | CIFAR-10, 0 s of training, epoch 3.5 | k-NN 50.0 %",
	} {
		_, behind, found := strings.Cut(rest, want)
		if !found {
			t.Fatalf("no %q behind what comes before, in\n%s", want, &printed)
		}
		rest = behind
	}
}

// TestCheckGPUWithout: without an accelerator that is all there is to say, and where bits differ, that.
func TestCheckGPUWithout(t *testing.T) {
	bin := programs(t, map[string]string{"worker": `echo '{"plugins": [{"path": "/p.so", "refused": "sees no  GPU"}]}'`})
	var out bytes.Buffer
	err := checkGPU(t.Context(), []string{"-bin", bin, "-out", t.TempDir(), "-pjrt-plugin", ""}, &out)
	if err == nil || err.Error() != "these items failed: devices" ||
		!strings.Contains(out.String(), "| not used | /p.so sees no GPU |") ||
		!strings.Contains(out.String(), "FAILED: no plugin for the device auto opens") ||
		strings.Count(out.String(), "\n") != 4 {
		t.Errorf("error %v, printed\n%s", err, &out)
	}
	e, _ := testEnvironment(t, 1)
	e.places["bin"] = programs(t, map[string]string{
		"coordinator": `[ "$1" = checkpoints ] && echo '[{"state_sha256": "'$(date +%N)'"}]'; exit 0`})
	c := &gpuCheck{e: e, taken: &gpuPlugin{}, table: newGPUTable(&out, nil)}
	if err := c.bits(t.Context(), "fp32"); err == nil || err.Error() != "other bits than those of the first run" {
		t.Errorf("bits that differ: %v", err)
	}
}

func TestGPUFlags(t *testing.T) {
	for args, want := range map[string]string{"-limit 0s": "want a time", "-limit x": "invalid value",
		"now": "unknown argument"} {
		if _, err := parseGPU(strings.Fields(args), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// TestEpochsIn leaves time to start, to evaluate and to spare, and never asks for more than there are.
func TestEpochsIn(t *testing.T) {
	for _, c := range []struct {
		left  time.Duration
		speed float64
		want  int
	}{{25 * time.Second, 1e6, 0}, {125 * time.Second, 5000, 8}, {time.Hour, 1e6, 200}, {time.Second, 5000, 0},
		{40 * time.Second, 1000, 0}} {
		if got := epochsIn(c.left, c.speed, 50000, 200); max(got, 0) != c.want {
			t.Errorf("%v at %v images/s: %d epochs, want %d", c.left, c.speed, got, c.want)
		}
	}
}

// TestGPUSizes: whatever the check is of, its programs take its flags, and what matters most comes first.
func TestGPUSizes(t *testing.T) {
	for _, gpu := range []bool{true, false} {
		c := &gpuCheck{gpuOptions: &gpuOptions{}, size: sizesOf(gpu)}
		for _, w := range c.size.work {
			if i := slices.Index(w.flags("-"), "-steps"); i < 0 || w.flags("-")[i+1] != strconv.Itoa(w.steps) || w.ours <= 0 {
				t.Errorf("%+v", w)
			}
		}
		last := 0
		for _, item := range append(c.opening(), c.items()...) {
			if item.number < last && !strings.HasPrefix(item.name, "byol-same") {
				t.Errorf("%s comes behind items of %d", item.name, last)
			}
			last = max(last, item.number)
			if item.judged != (item.number <= 3 && item.name != "versions") {
				t.Errorf("%s is judged: %v", item.name, item.judged)
			}
		}
	}
}
