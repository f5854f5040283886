package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	text := strings.Repeat("old\n", 10)
	log := text + "1\n2\n3\n{\"msg\":\"open\",\"error\":\"no file\",\"pid\":1}\n5\n"
	if err := os.WriteFile(path, []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from int64
		want string
	}{{int64(len(text)), "2 | 3 | open: no file | 5"}, {int64(len(log)) - 2, "5"}, {1 << 20, ""}} {
		if got := tail(written(path, c.from)); got != c.want {
			t.Errorf("tail from %d: %q, want %q", c.from, got, c.want)
		}
	}
	if got := tail(written(path+"x", 0)); !strings.Contains(got, "no such file") {
		t.Errorf("tail of nothing: %q", got)
	}
}
