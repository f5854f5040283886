package coordinator

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"byol/coordinator/lead"
)

// stuck is what the system tells of a worker's process that says nothing itself: its state, what it waits for in the
// kernel, and its kernel stack where we may read it. It is "" for processes of other hosts and of other systems.
func stuck(w lead.Witness) string {
	if host, err := os.Hostname(); err != nil || host != w.Host || w.PID <= 0 {
		return ""
	}
	dir := filepath.Join("/proc", strconv.Itoa(w.PID))
	name, err := os.ReadFile(filepath.Join(dir, "comm"))
	if err != nil || !strings.HasPrefix(string(name), "worker") {
		return "" // it is gone, or the number is another's
	}
	var out strings.Builder
	for _, file := range []string{"status", "wchan", "stack"} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err == nil && len(text) > 0 {
			fmt.Fprintf(&out, "%s:\n%s\n", file, text)
		}
	}
	return out.String()
}
