package lint

import (
	"fmt"
	"slices"
	"strings"
)

// own says which packages of this module a package may import; tests may import any but those apart. A package
// without a line fails: whoever adds one decides here where it stands. Imports point one way: cmd, then coordinator and
// worker (which share proto, internal and the numbers of model/optim and model/arch), then the rest. What a line allows
// and nobody does is a finding, too.
var own = map[string][]string{
	"allreduce":          {"allreduce/...", "internal/network", "internal/pause", "internal/vector"},
	"allreduce/link":     {},
	"allreduce/linktest": {"allreduce/link"},
	"allreduce/memlink":  {"allreduce/link"},
	"allreduce/shm":      {},
	"allreduce/tcplink":  {"allreduce/link"},
	"cmd/coordinator":    {"..."},
	"cmd/worker":         {"..."},
	"coordinator/admin": {"coordinator/page", "coordinator/report", "coordinator/status", "coordinator/trace",
		"internal/network/secure", "internal/network/web", "proto"},
	"coordinator": {"coordinator/...", "internal/atomicfile", "internal/failure", "internal/fault",
		"internal/network", "internal/network/secure", "internal/vector", "model/optim", "proto"},
	"coordinator/drill":  {},
	"coordinator/launch": {"coordinator/logs", "internal/failure"},
	"coordinator/logs":   {},
	"coordinator/lead":   {"coordinator/run", "internal/failure", "internal/vector", "model/optim"},
	"coordinator/page":   {"internal/canvas"},
	"coordinator/past": {"coordinator", "coordinator/lead", "coordinator/raftnode", "coordinator/report",
		"coordinator/run", "coordinator/status", "internal/failure", "model/optim", "proto"},
	"coordinator/raftnode": {"coordinator/run", "internal/atomicfile", "internal/fault", "internal/network",
		"internal/pause", "proto"},
	"coordinator/report":    {"internal/atomicfile"},
	"coordinator/run":       {},
	"coordinator/settings":  {"model/arch", "model/optim", "proto"},
	"coordinator/spans":     {},
	"coordinator/status":    {"coordinator/lead", "coordinator/run", "model/optim", "proto"},
	"coordinator/steplog":   {"coordinator/run", "internal/vector"},
	"coordinator/target":    {"internal/vector"},
	"coordinator/trace":     {"proto"},
	"internal/atomicfile":   {"internal/disk"},
	"internal/disk":         {},
	"internal/disk/crash":   {"internal/disk"},
	"internal/canvas":       {},
	"internal/failure":      {},
	"internal/fault":        {},
	"internal/lint":         {},
	"internal/lint/census":  {"internal/lint"},
	"internal/lint/vulndb":  {},
	"internal/lint/picture": {"internal/lint"},
	"internal/network":      {},

	"deploy/check/manifests": {},

	"coordinator/features": {"coordinator/launch", "internal/failure", "internal/network", "internal/vector", "proto"},

	"internal/bench":         {"internal/bench/measure", "worker/data", "worker/data/..."},
	"internal/bench/arbench": {"allreduce", "internal/bench/measure", "internal/network"},
	"internal/bench/attack":  {"internal/bench/measure", "internal/network", "internal/network/secure", "proto"},
	"internal/bench/exportcheck": {"internal/bench/measure", "internal/safetensors", "internal/vector", "model",
		"model/device/cpu", "model/engine/ops", "model/optim", "proto", "worker/checkpoint", "worker/data",
		"worker/data/source", "worker/data/views",
		"worker/encoder"},
	"internal/bench/measure":   {},
	"internal/bench/scale":     {"allreduce", "internal/network"},
	"internal/bench/stepbench": {"internal/bench/measure", "model", "model/..."},

	"internal/network/faulty":      {"internal/fault", "internal/network", "internal/network/memory"},
	"internal/network/memory":      {"internal/network"},
	"internal/network/networktest": {"internal/network"},
	"internal/network/relay":       {},
	"internal/network/secure":      {"internal/failure", "internal/network"},
	"internal/network/web":         {},

	"internal/pause":       {},
	"internal/safetensors": {},
	"internal/sealed":      {},
	"internal/signals":     {},
	"internal/simulate": {"coordinator/lead", "coordinator/run", "internal/failure", "internal/vector",
		"model/optim"},
	"internal/testcluster":    {"..."},
	"internal/vector":         {},
	"model":                   {"internal/vector", "model/arch", "model/engine", "model/optim"},
	"model/arch":              {},
	"model/device":            {},
	"model/device/cpu":        {"model/device"},
	"model/device/cpu/asm":    {},
	"model/device/devicetest": {"model/device", "model/device/reference"},
	"model/device/reference":  {"model/device"},
	"model/engine":            {"internal/failure", "model/arch"},
	"model/engine/enginetest": {"internal/failure", "internal/vector", "model", "model/engine", "model/optim"},
	"model/engine/ops":        {"model/device", "model/engine", "model/nn"},
	"model/golden":            {"internal/safetensors", "model", "model/..."},
	"model/finetune": {"internal/sealed", "model", "model/device", "model/engine", "model/linear", "model/nn",
		"model/optim"},
	"model/linear":      {"internal/sealed", "model/device", "model/engine", "model/optim"},
	"model/nn":          {"model/device", "model/engine"},
	"model/nn/gradtest": {},
	"model/optim":       {},
	"model/pjrt": {"internal/atomicfile", "internal/failure", "internal/pause", "model/engine",
		"model/pjrt/capi", "model/pjrt/emit",
		"model/pjrt/hlo", "model/pjrt/share"},
	"model/pjrt/ahead":    {"model/pjrt/capi", "model/pjrt/emit", "model/pjrt/hlo"},
	"model/pjrt/capi":     {},
	"model/pjrt/emit":     {"model/engine", "model/pjrt/hlo"},
	"model/pjrt/find":     {"internal/failure", "model/pjrt/capi"},
	"model/pjrt/hlo":      {},
	"model/pjrt/pjrttest": {},
	"model/pjrt/share":    {},
	"proto":               {},
	"recipes":             {},
	"worker": {"allreduce", "internal/disk", "internal/failure", "internal/fault", "internal/network",
		"internal/pause", "internal/safetensors", "internal/sealed", "internal/vector", "model",
		"model/device", "model/engine",
		"model/finetune", "model/linear", "model/optim", "model/pjrt/share", "proto", "worker/..."},
	"worker/admin":      {"internal/network/secure", "internal/network/web", "proto"},
	"worker/checkpoint": {"internal/atomicfile", "internal/disk", "internal/safetensors"},
	"worker/control":    {"internal/failure", "internal/network", "internal/pause", "internal/vector", "proto"},
	"worker/data": {"internal/failure", "worker/data/jpeg", "worker/data/picture", "worker/data/random",
		"worker/data/source", "worker/data/views"},
	"worker/data/asm":                 {},
	"worker/data/jpeg":                {"worker/data/picture"},
	"worker/data/picture":             {},
	"worker/data/picture/decodertest": {"worker/data/picture"},
	"worker/data/random":              {},
	"worker/data/shards":              {"internal/atomicfile", "internal/failure", "worker/data/source"},
	"worker/data/source":              {"internal/failure", "worker/data/picture", "worker/data/random"},
	"worker/data/store":               {"internal/atomicfile", "internal/failure", "internal/pause", "worker/data/source"},
	"worker/data/source/sourcetest":   {"worker/data/jpeg", "worker/data/picture", "worker/data/source"},
	"worker/data/turbo":               {"worker/data/jpeg", "worker/data/picture"},
	"worker/data/views":               {"internal/failure", "worker/data/picture", "worker/data/random"},
	"worker/encoder": {"internal/safetensors", "internal/vector", "model/arch", "model/engine", "proto",
		"worker/checkpoint", "worker/data/views"},
	"worker/eval": {"internal/vector", "worker/knn"},
	"worker/replica": {"internal/failure", "internal/network", "internal/safetensors", "internal/vector", "model",
		"model/engine", "worker/checkpoint", "worker/encoder", "worker/transfer"},
	"worker/train": {"allreduce", "internal/failure", "internal/fault", "internal/vector", "model", "proto",
		"worker/control", "worker/data", "worker/replica"},
	"worker/knn":      {},
	"worker/programs": {"internal/network", "model/pjrt/share"},
	"worker/transfer": {"internal/network", "internal/pause", "internal/vector"},
}

// foreign says which packages may import a module that isn't ours, by the module's prefix. A new dependency
// needs a line here and a page in docs/decisions.
var foreign = map[string][]string{
	"github.com/grpc-ecosystem/go-grpc-middleware/providers/prometheus": {"coordinator/admin"},

	"github.com/compose-spec/compose-go/v2": {"deploy/check/manifests"},
	"github.com/moby/buildkit":              {"deploy/check/manifests"},
	"k8s.io":                                {"deploy/check/manifests"},
	"sigs.k8s.io":                           {"deploy/check/manifests"},

	"github.com/cespare/xxhash/v2":        {"internal/vector"},
	"github.com/dustin/go-humanize":       {"cmd/coordinator"},
	"github.com/ebitengine/purego":        {"model/pjrt/capi", "model/pjrt/find", "worker/data/turbo"},
	"github.com/hashicorp/go-hclog":       {"coordinator/raftnode"},
	"github.com/hashicorp/raft":           {"coordinator/raftnode"},
	"github.com/hashicorp/raft-boltdb/v2": {"coordinator/raftnode"},
	"github.com/minio/minio-go/v7":        {"worker/data/store"},
	"github.com/mmcloughlin/avo":          {"model/device/cpu/...", "worker/data/asm"},
	"github.com/parquet-go/parquet-go":    {"cmd/coordinator", "worker/data/source"},
	"github.com/prometheus/client_golang": {"coordinator/admin", "worker/admin"},
	"go.etcd.io/bbolt":                    {"coordinator/raftnode"},
	"github.com/spf13/cobra":              {"cmd/coordinator", "cmd/worker"},
	"github.com/spf13/pflag":              {"cmd/coordinator", "cmd/worker"},
	"go.uber.org/zap": {"cmd/...", "coordinator", "coordinator/admin", "coordinator/raftnode", "coordinator/spans",
		"internal/network/web", "internal/testcluster", "worker", "worker/admin", "worker/control", "worker/train"},
	"go.yaml.in/yaml/v3": {"cmd/coordinator", "recipes"},
	"golang.org/x/image": {"internal/canvas", "worker/data/picture"},
	"golang.org/x/sys": {"allreduce", "allreduce/...", "internal/network", "model/device/cpu",
		"worker/data/..."},
	"golang.org/x/term": {"cmd/..."},

	"charm.land/bubbletea/v2":         {"cmd/coordinator"},
	"github.com/charmbracelet/x/ansi": {"cmd/coordinator"},
	"go.opentelemetry.io/otel":        {"coordinator/spans"},

	"google.golang.org/grpc": {"cmd/...", "coordinator", "coordinator/admin", "coordinator/features", "proto", "worker",
		"internal/bench/attack", "worker/control"},
	"google.golang.org/protobuf": {"cmd/...", "coordinator", "coordinator/admin", "coordinator/raftnode",
		"coordinator/report", "coordinator/past", "coordinator/settings", "coordinator/status", "coordinator/trace",
		"internal/bench/exportcheck", "internal/testcluster", "model/pjrt/capi", "proto", "worker", "worker/encoder"},
	"gorgonia.org/tensor": {"model/..."},
}

// testForeign may be imported by tests anywhere.
var testForeign = []string{
	"github.com/google/go-cmp", "github.com/johannesboyne/gofakes3", "github.com/rogpeppe/go-internal",
	"go.opentelemetry.io/proto/otlp", "go.uber.org/zap", "google.golang.org/grpc",
	"google.golang.org/protobuf", "pgregory.net/rapid",
}

// apart are pairs that never meet, not even in tests.
var apart = [][2]string{{"coordinator", "worker"}, {"worker", "coordinator"}}

// testsAlone are packages that no program holds.
var testsAlone = []string{"testing", Module + "/internal/disk/crash", Module + "/internal/network/faulty",
	Module + "/internal/network/memory",
	Module + "/internal/testcluster"}

// Imports checks the tables above, and that the coordinator's binary stays free of compute libraries.
func Imports(t *Tree) []Finding {
	var found []Finding
	for _, p := range t.Packages {
		allowed, listed := own[p.Dir]
		if !listed {
			found = append(found, Finding{"imports", p.Dir,
				"a new package: add it to the table own in internal/lint/imports.go"})
			continue
		}
		for _, f := range p.Files {
			for _, spec := range f.AST.Imports {
				from := strings.Trim(spec.Path.Value, `"`)
				if why := importProblem(p.Dir, allowed, from, f); why != "" {
					found = append(found, Finding{"imports", t.at(spec.Pos()), why})
				}
			}
		}
	}
	for _, module := range []string{"github.com/ebitengine/purego", "gorgonia.org/tensor"} {
		if to := t.chain("cmd/coordinator", module); to != "" {
			found = append(found, Finding{"imports", "cmd/coordinator", "reaches " + module + ": " + to})
		}
	}
	for _, program := range []string{"cmd/coordinator", "cmd/worker"} {
		for _, tests := range testsAlone {
			if to := t.chain(program, tests); to != "" {
				found = append(found, Finding{"imports", program, "holds what is for tests alone: " + to})
			}
		}
	}
	return found
}

func importProblem(dir string, allowed []string, from string, f *File) string {
	if from == "C" {
		return "cgo: no package here uses it"
	}
	target, ours := strings.CutPrefix(from, Module+"/")
	switch {
	case ours && target == dir:
		return ""
	case ours:
		for _, pair := range apart {
			if under(dir, pair[:1]) && under(target, pair[1:]) {
				return fmt.Sprintf("%s and %s never import each other", pair[0], pair[1])
			}
		}
		if !f.Test && !matches(target, allowed) {
			return fmt.Sprintf("%s may import %v, not %s", dir, allowed, target)
		}
	case strings.Contains(strings.Split(from, "/")[0], "."):
		return foreignProblem(dir, from, f.Test)
	}
	return ""
}

func foreignProblem(dir, from string, test bool) string {
	module := modulePrefix(from, foreign)
	if test && slices.ContainsFunc(testForeign, func(m string) bool { return within(from, m) }) {
		return ""
	}
	if module == "" {
		return from + ": a new dependency: add it to the table foreign in internal/lint/imports.go and to docs/decisions"
	}
	if !matches(dir, foreign[module]) {
		return fmt.Sprintf("%s is for %v only", module, foreign[module])
	}
	return ""
}

// modulePrefix is the longest key of a table like foreign that from is within.
func modulePrefix(from string, foreign map[string][]string) string {
	best := ""
	for m := range foreign {
		if within(from, m) && len(m) > len(best) {
			best = m
		}
	}
	return best
}

func within(from, module string) bool { return from == module || strings.HasPrefix(from, module+"/") }

// matches reports whether dir is one of patterns; "x/..." stands for everything below x, "..." for everything.
func matches(dir string, patterns []string) bool {
	for _, p := range patterns {
		prefix, tree := strings.CutSuffix(p, "...")
		if dir == p || (tree && strings.HasPrefix(dir, prefix)) {
			return true
		}
	}
	return false
}
