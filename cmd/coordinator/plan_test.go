package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"byol/coordinator/settings"
	"byol/internal/failure"
	pb "byol/proto"
)

// planned is the plan of a run that starts no worker program.
func planned(t *testing.T, args ...string) (*plan, error) {
	t.Helper()
	_, r, err := parsed(t, append([]string{"--launcher", "none"}, args...)...)
	if err != nil {
		return nil, err
	}
	return makePlan(t.Context(), r)
}

// TestSilentStore: who waits for a server that does not answer is told so before the patience is over.
func TestSilentStore(t *testing.T) {
	t.Chdir(t.TempDir())
	_, r, err := parsed(t, "--launcher", "none", "--data", "s3://nowhere/a.tar", "--s3-endpoint", "http://127.0.0.1:1",
		"--data-timeout", "1s", "--cache-dir", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	said := make(chan string, 8)
	r.say = func(text string) { said <- text }
	var f *failure.Failure
	if _, err := makePlan(t.Context(), r); !errors.As(err, &f) || f.Code != failure.Data {
		t.Errorf("it ends by %v", err)
	}
	if len(said) != 1 {
		t.Fatalf("%d words of it", len(said))
	}
	if got := <-said; !strings.HasPrefix(got, "waiting for s3://nowhere/a.tar: ") {
		t.Errorf("told %q", got)
	}
}

// TestLostLines: that the disk does not take the log is told once, without what zap puts before it.
func TestLostLines(t *testing.T) {
	var out strings.Builder
	l := &lostLines{to: &out}
	for range 2 {
		fmt.Fprintln(l, "2026-11-29 02:00:43.6 UTC m=+20.19 write error: write r/coordinator.log: no space left on device")
	}
	if want := "WARN lines of the log are lost: write r/coordinator.log: no space left on device\n"; out.String() != want {
		t.Errorf("told %q, want %q", out.String(), want)
	}
}

// TestRunName: the directory of a run depends on what decides its numbers and on nothing else.
func TestRunName(t *testing.T) {
	t.Chdir(t.TempDir())
	base, err := planned(t)
	if err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile(`^runs/synthetic-resnet20-[0-9a-f]{6}$`); !want.MatchString(base.settings.RunDir) {
		t.Errorf("run directory %q, want %v", base.settings.RunDir, want)
	}
	for _, c := range []struct {
		args []string
		same bool
	}{
		{[]string{"--workers", "2", "--shards", "8"}, true},
		{[]string{"--threads", "3", "--keep", "9", "--knn-k", "5", "--max-steps", "7", "--quiet"}, true},
		{[]string{"--wire", "float32"}, true},
		{[]string{"--wire", "bf16"}, false},
		{[]string{"--augment-area", "0.2,1.0", "--augment-hue", "0.1"}, true}, // as the recipe has them
		{[]string{"--augment-hue", "0.2"}, false},
		{[]string{"--precision", "fp32"}, true},
		{[]string{"--precision", "bf16"}, false},
		{[]string{"--seed", "1"}, false},
		{[]string{"--shards", "4"}, false},
		{[]string{"--base-lr", "2"}, false},
		{[]string{"--kernels", "direct"}, false},
	} {
		p, err := planned(t, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.settings.RunDir == base.settings.RunDir; got != c.same {
			t.Errorf("%v: directory %s, that of the plain command is %s", c.args, p.settings.RunDir, base.settings.RunDir)
		}
	}
	for args, want := range map[string]string{"--run-dir here/mine": "mine", "--run-dir here/ --run-name n": "n",
		"--run-name n": "n"} {
		p, err := planned(t, strings.Fields(args)...)
		if err != nil || p.settings.RunName != want || p.config.RunId != want {
			t.Errorf("%s: named %q, %v, want %q", args, p.settings.RunName, err, want)
		}
	}
}

// TestRunConfig is the demo as the workers are told of it.
func TestRunConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	p, err := planned(t, "--save-interval", "1ep,90s", "--bucket-mib", "3", "--failure-timeout", "2500ms",
		"--max-steps", "40", "--overlap", "off", "--wire", "bf16", "--precision", "bf16", "--threads", "2")
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	want := &pb.RunConfig{RunId: p.settings.RunName, Arch: "resnet20", Width: 1, Stem: "cifar", Padding: "symmetric",
		ImageSize: 24, ProjectorHidden: 512, ProjectorOut: 128, PredictorHidden: 512, Classes: 10, BatchNorm: "sync",
		BatchSize: 128, Shards: 8, TotalSteps: 288, WarmupSteps: 6, BaseLr: 1, WeightDecay: 1e-6, BaseTau: 0.97,
		Momentum: 0.9, LarsEta: 0.01, Epochs: 9, MaxSteps: 40, Data: "synthetic:4096,size=32,seed=1",
		EvalData: "synthetic:1024,size=32,seed=1,split=eval", Samples: 4096, ManifestHash: p.train.manifest,
		EvalEverySteps: 96, KnnK: 200, KnnTemperature: 0.1, Device: "auto", Threads: 2,
		CheckpointDir:  filepath.Join(here, p.settings.RunDir, "checkpoints"),
		SaveEverySteps: 32, SaveEverySeconds: 90, Keep: 3, FailureTimeoutSeconds: 2.5, Determinism: "strict",
		Preset: "byol-100ep", Augment: "byol-noblur,min-area=0.2", BucketBytes: 3 << 20, Kernels: "auto", NoOverlap: true,
		Precision: "bf16", Wire: "bf16", Isa: "auto", Sums: "tree",
		DataTimeoutSeconds: 120, CacheGib: 20}
	if !proto.Equal(p.config, want) {
		t.Errorf("configuration\n got %v\nwant %v", p.config, want)
	}
	if p.config.EndStep() != 40 || (&pb.RunConfig{TotalSteps: 30, MaxSteps: 40}).EndStep() != 30 ||
		(&pb.RunConfig{TotalSteps: 30}).EndStep() != 30 {
		t.Errorf("the run ends after step %d, want 40", p.config.EndStep())
	}
}

// TestAccumulate: how many shards a run has and a worker computes at once, and what cannot be in turns.
func TestAccumulate(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args                    string
		workers, shards, atOnce int
		says                    string
	}{
		{"--workers 1 --accumulate 4", 1, 4, 1, "64 = 4 shards × 16 images; 64 images a worker, 16 at a time"},
		{"--workers 2 --accumulate 2", 2, 4, 1, "WARN      batch norm is over the 16 images of a shard"},
		{"--workers 1 --accumulate 2 --shards 8", 1, 8, 4, "64 images a worker, 32 at a time"},
		{"--accumulate 8 --shards 16 --launcher none", 2, 16, 1, "4 at a time"},
		{"--workers 1 --shards 4", 1, 4, 0, "64 images a worker\n"},
	} {
		p, err := planned(t, append([]string{"--data", "synthetic:64,size=12", "--arch", "tiny", "--image-size", "8",
			"--batch-size", "64", "--batch-norm", "local"}, strings.Fields(c.args)...)...)
		if err != nil {
			t.Fatalf("%s: %v", c.args, err)
		}
		if p.settings.Workers != c.workers || p.settings.Shards != c.shards || int(p.config.ShardsAtOnce) != c.atOnce {
			t.Errorf("%s: %d workers, %d shards, %d at once", c.args, p.settings.Workers, p.settings.Shards,
				p.config.ShardsAtOnce)
		}
		if text := banner(p, ""); !strings.Contains(text, c.says) {
			t.Errorf("%s: want %q in\n%s", c.args, c.says, text)
		}
	}
	for args, want := range map[string]string{
		"--accumulate 4 --workers 1": "--accumulate 4 needs --batch-norm local",
		"--accumulate 4 --workers 2 --shards 6 --batch-size 12 --batch-norm local": "try: --accumulate 3, or --shards 8 for",
	} {
		code, _, errs := command(append([]string{"--data", "synthetic:64,size=12", "--arch", "tiny", "--image-size", "8",
			"--batch-size", "64", "--dry-run"}, strings.Fields(args)...)...)
		if code != failure.Usage || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, want %q:\n%s", args, code, want, errs)
		}
	}
}

// TestPlanRefuses what cannot become a run.
func TestPlanRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("empty.yaml", []byte("seed: 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--config empty.yaml":              "no data: the configuration names no images",
		"--epochs 0.001 --warmup-epochs 0": "the training would have no step",
		"--epochs 5 --warmup-epochs 5":     "the warm-up is as long as the training",
		"--save-interval often":            "--save-interval cannot be read",
		"--save-interval -5":               "--save-interval cannot be read",
		"--eval-every 10m":                 "--eval-every cannot be read",
		"--eval-every 5x":                  "--eval-every cannot be read",
		"--data synthetic:nothing":         "synthetic",
		"--data nowhere":                   "nowhere does not exist",
	} {
		if _, err := planned(t, strings.Fields(args)...); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", args, err, want)
		}
	}
}

// TestLauncher: who starts the workers, why, and where they are waited for.
func TestLauncher(t *testing.T) {
	for _, c := range []struct {
		asked, variable string
		listen          string
		want, why       string
		address         string
	}{
		{"auto", "", "", "local", "no cluster detected", "127.0.0.1:0"},
		{"auto", "KUBERNETES_SERVICE_HOST", "", "none", "Kubernetes detected", "0.0.0.0:7070"},
		{"auto", "SLURM_JOB_ID", "", "none", "Slurm detected", "0.0.0.0:7070"},
		{"local", "SLURM_JOB_ID", "", "local", "asked for", "127.0.0.1:0"},
		{"none", "", "", "none", "asked for", "0.0.0.0:7070"},
		{"none", "", "h:1", "none", "asked for", "h:1"},
	} {
		t.Setenv("KUBERNETES_SERVICE_HOST", "")
		t.Setenv("SLURM_JOB_ID", "")
		if c.variable != "" {
			t.Setenv(c.variable, "1")
		}
		p := &plan{resolution: &resolution{settings: &settings.Values{Launcher: c.asked, Listen: c.listen, Workers: 3}},
			processes: []int{1, 1, 1}}
		p.chooseLauncher()
		if p.launcher != c.want || !strings.HasPrefix(p.why, c.why) || p.settings.Listen != c.address {
			t.Errorf("%+v: got %s (%s) on %s", c, p.launcher, p.why, p.settings.Listen)
		}
		threads := 0
		if c.want == "local" {
			threads = max(1, runtime.GOMAXPROCS(0)/3)
		}
		if got := p.threadsEach(); got != threads {
			t.Errorf("%+v: %d threads each, want %d", c, got, threads)
		}
	}
}

// TestAbsolute: local paths, also several and with patterns, no longer depend on where the command was given.
func TestAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"t, 1", "edge "} {
		if err := os.MkdirAll(filepath.Join(name, "x, y"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for uri, want := range map[string]string{
		"t, 1":                      here + "/t, 1",
		"t, 1/t-{0..1}.tar":         here + "/t, 1/t-{0..1}.tar",
		"b.tar, t, 1/x, y/*.tar":    here + "/b.tar," + here + "/t, 1/x, y/*.tar",
		"edge /x, y,edge /x, y, c":  here + "/edge /x, y," + here + "/edge /x, y," + here + "/c",
		"a":                         here + "/a",
		"/a/b":                      "/a/b",
		"a, b":                      here + "/a," + here + "/b",
		"a-{1,2}.tar,b":             here + "/a-{1,2}.tar," + here + "/b",
		"a-{000..009}.tar":          here + "/a-{000..009}.tar",
		"a-{1,2.tar":                "a-{1,2.tar",
		"synthetic:10,size=32":      "synthetic:10,size=32",
		"https://host/a-{0..1}.tar": "https://host/a-{0..1}.tar",
		"a,s3://b/x,file:///y":      here + "/a,s3://b/x,file:///y",
		"../x":                      filepath.Dir(here) + "/x",
		"{a,b}/{c,d},e":             here + "/{a,b}/{c,d}," + here + "/e",
	} {
		got := absolute(uri)
		if got != want {
			t.Errorf("absolute(%q) = %q, want %q", uri, got, want)
		}
		if again := absolute(got); again != got {
			t.Errorf("absolute(%q) = %q: not the same again", got, again)
		}
	}
}

// TestIntervals: any list of intervals is the shortest of each kind, whatever their order.
func TestIntervals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perEpoch := rapid.Float64Range(0.5, 5000).Draw(t, "steps per epoch")
		var parts []string
		var want interval
		for range rapid.IntRange(1, 4).Draw(t, "parts") {
			n := rapid.IntRange(0, 5000).Draw(t, "n")
			unit := rapid.SampledFrom([]string{"", "ba", "steps", "ep", "epochs", "s", "m"}).Draw(t, "unit")
			parts = append(parts, rapid.SampledFrom([]string{"", " "}).Draw(t, "space")+strings.TrimSpace(itoa(n)+unit))
			switch {
			case n == 0:
			case unit == "s" || unit == "m":
				d := time.Duration(n) * map[string]time.Duration{"s": time.Second, "m": time.Minute}[unit]
				if want.time == 0 || d < want.time {
					want.time = d
				}
			default:
				steps := int64(n)
				if strings.HasPrefix(unit, "ep") {
					steps = stepsOf(float64(n) * perEpoch)
				}
				if want.steps == 0 || steps < want.steps {
					want.steps = steps
				}
			}
		}
		text := strings.Join(parts, ",")
		if got, err := parseInterval(text, perEpoch); err != nil || got != want {
			t.Errorf("parseInterval(%q, %v) = %+v, %v, want %+v", text, perEpoch, got, err, want)
		}
	})
}

func itoa(n int) string { return strings.ReplaceAll(grouped(int64(n)), " ", "") }
