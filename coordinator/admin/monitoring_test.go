package admin

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	pb "byol/proto"
)

// monitoring is where the files for Prometheus and Grafana are.
const monitoring = "../../deploy/monitoring"

func file(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var metricName = regexp.MustCompile(`\b(byol|grpc_server|go|process)_[a-z0-9_]+`)

// dashboardExpressions are the expressions of the dashboard.
func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	var d struct {
		Annotations struct{ List []struct{ Expr string } }
		Panels      []struct {
			ID      int
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(file(t, monitoring+"/dashboard.json")), &d); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, a := range d.Annotations.List {
		all = append(all, a.Expr)
	}
	seen := map[int]bool{}
	for _, p := range d.Panels {
		if seen[p.ID] {
			t.Errorf("two panels have the number %d", p.ID)
		}
		seen[p.ID] = true
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	if len(all) < 30 {
		t.Fatalf("%d expressions on the dashboard", len(all))
	}
	return all
}

// workers are metrics that workers tell themselves; worker/admin has a test that they are in docs/monitoring.md.
var workers = strings.Fields(`byol_worker_build_info byol_worker_images_total byol_worker_steps_total
	byol_worker_step_duration_seconds byol_worker_allreduce_bytes_total byol_worker_data_errors_total
	byol_worker_data_queue_samples`)

// TestMonitoringNames is that alerts, dashboard and docs speak of metrics that there are, and docs of all of ours.
func TestMonitoringNames(t *testing.T) {
	b := trainedBoard(time.Unix(1000, 0))
	server := grpc.NewServer(b.ServerOptions()...)
	pb.RegisterCoordinatorServer(server, pb.UnimplementedCoordinatorServer{})
	b.Serves(server)
	families, err := b.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, f := range families {
		names = append(names, f.GetName(), f.GetName()+"_bucket", f.GetName()+"_count", f.GetName()+"_sum")
	}
	for name := range descriptions { // some are there at times
		names = append(names, name)
	}
	docs := file(t, "../../docs/monitoring.md")
	for where, text := range map[string]string{"alerts.yaml": file(t, monitoring+"/alerts.yaml"),
		"alerts-test.yaml": file(t, monitoring+"/alerts-test.yaml"), "docs/monitoring.md": docs,
		"dashboard.json": strings.Join(dashboardExpressions(t), "\n")} {
		for _, name := range metricName.FindAllString(text, -1) {
			if !slices.Contains(names, name) && !strings.HasSuffix(name, "_") && !slices.Contains(workers, name) {
				t.Errorf("%s: there is no metric %s", where, name)
			}
		}
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "byol_") && !strings.Contains(docs, "`"+f.GetName()) {
			t.Errorf("docs/monitoring.md does not have %s", f.GetName())
		}
	}
	alerts := file(t, monitoring+"/alerts.yaml")
	for _, alert := range regexp.MustCompile(`alert: (\w+)`).FindAllStringSubmatch(alerts, -1) {
		if !strings.Contains(docs, "### "+alert[1]+"\n") {
			t.Errorf("docs/monitoring.md does not say what to do about %s", alert[1])
		}
	}
}

// TestPromtool has Prometheus' own tool read metrics, alerts, their tests, the configuration, and the dashboard's
// expressions.
func TestPromtool(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool: Debian's package prometheus has it")
	}
	rules := "groups:\n- name: dashboard\n  rules:\n"
	for i, e := range dashboardExpressions(t) {
		e = strings.NewReplacer("$__rate_interval", "5m", "$job", ".*").Replace(e)
		rules += fmt.Sprintf("  - record: expression:%d\n    expr: %q\n", i, e)
	}
	made := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(made, []byte(rules), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, words := range [][]string{{"check", "rules", monitoring + "/alerts.yaml"}, {"check", "rules", made},
		{"test", "rules", monitoring + "/alerts-test.yaml"}, {"check", "config", monitoring + "/prometheus.yaml"}} {
		if out, err := exec.CommandContext(t.Context(), promtool, words...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(words, " "), err, out)
		}
	}
}
