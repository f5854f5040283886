package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/worker"
)

// TestBench takes one step of either part and reads the result as another program does.
func TestBench(t *testing.T) {
	for _, part := range []string{"byol", "encoder"} {
		var out, errs bytes.Buffer
		profile := filepath.Join(t.TempDir(), "cpu.prof")
		code := run(strings.Fields("bench --arch resnet20 --image-size 8 --batch 2 --hidden 8 --projection 4 --steps 1 "+
			"--warm-up 0 --threads 1 -o json --profile "+profile+" --part "+part), &out, &errs)
		if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
			t.Errorf("%s: profile: %v", part, err)
		}
		var r result
		if err := json.Unmarshal(out.Bytes(), &r); code != 0 || err != nil {
			t.Fatalf("%s: exit code %d, %v\n%s%s", part, code, err, &out, &errs)
		}
		if r.Part != part || r.Batch != 2 || r.ImagesPerSecond <= 0 || r.Phases["backward"] <= 0 {
			t.Errorf("%s: %+v", part, r)
		}
	}
}

func TestBenchRefuses(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"--batch 3 --shards 2", "multiple of shards"},
		{"--part all", "--part byol or encoder"},
		{"--image-size 8 --batch 2 --arch resnet20 --warm-up 0 --profile no/such/folder/x", "profile cannot be written"},
		{"--part encoder --batch 3", "an even batch"},
		{"-o yaml", "--output text or json"},
		{"--arch resnet19", "resnet19"},
	} {
		var out, errs bytes.Buffer
		code := run(strings.Fields("bench --threads 1 "+c.args), &out, &errs)
		if code != worker.ExitUsage || !strings.Contains(errs.String(), c.want) {
			t.Errorf("bench %s: exit code %d, want %d and %q in\n%s", c.args, code, worker.ExitUsage, c.want, &errs)
		}
	}
}
