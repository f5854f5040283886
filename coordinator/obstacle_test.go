package coordinator

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"byol/internal/failure"
)

// TestObstacles has something else stand in the run directory where a file is to be: that is no bug of ours, and is not
// told as one.
func TestObstacles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"config.json", CardFile, "events.jsonl", filepath.Join("logs", "worker-0.log")} {
		opts := local(t, 1, "train")
		if err := os.MkdirAll(filepath.Join(opts.RunDir, name, "full"), 0o755); err != nil {
			t.Fatal(err)
		}
		begin(t, opts).failed(failure.Usage, name)
	}
	opts := local(t, 1, "train")
	if err := os.WriteFile(filepath.Join(opts.RunDir, "logs"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	begin(t, opts).failed(failure.Usage, "logs", "another --run-dir")
}

// TestNamesOfRuns: a name that cannot be told to workers or shown to people is refused before anything is written.
func TestNamesOfRuns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string // want "": it is taken
	}{
		{"a run: 1 of 2, 100%", ""}, {"läuft", ""}, {strings.Repeat("x", 256), ""},
		{"caf\xe9", `caf\\xe9`}, {"a\x1b[2Jb", "is no name of a run"}, {"a\nb", "is no name of a run"},
		{strings.Repeat("x", 257), "is no name of a run"},
	} {
		opts := options(t, 1)
		opts.Config.RunId = c.name
		opts.setDefaults()
		err := opts.check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q: %v, want %q", c.name, err, c.want)
		}
	}
	opts := options(t, 1)
	opts.Config.CheckpointDir = "/caf\xe9"
	begin(t, opts).failed(failure.Usage, "UTF-8")
}
