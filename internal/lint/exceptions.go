package lint

import (
	"slices"
	"strings"
)

// Exception lets one finding pass, and says why it may.
type Exception struct {
	Rule  string
	Where string // a file, a file:function, or a package, as the finding prints it less the line
	Why   string
}

// exceptions is the whole list. It only shrinks: a line that no finding needs is reported.
var exceptions = []Exception{}

// goFiles are the files that start goroutines, and who ends them.
var goFiles = map[string]string{
	"internal/bench/attack/kinds.go":  "strangers of one kind: run waits for them",
	"internal/bench/attack/main.go":   "who waits for the coordinator, and the strangers: run waits",
	"internal/bench/scale/measure.go": "the ranks of a group that is measured: waited for where they start",

	"internal/network/faulty/faulty.go":           "what carries connections: Close ends it and waits",
	"internal/network/faulty/splice.go":           "the carriers of one connection, waited for where they start",
	"internal/network/relay/relay.go":             "what carries connections: Close ends it and waits",
	"internal/network/secure/listener.go":         "accepts connections and their handshakes: Close waits",
	"internal/network/networktest/networktest.go": "an exam: each case waits for its own",

	"allreduce/end.go":                    "a Group's: farewells to peers, waited for by Close",
	"allreduce/form.go":                   "a Group's: Form waits for those that connect, Close for those that listen",
	"allreduce/linktest/linktest.go":      "an exam of links: each case waits for its own",
	"allreduce/listener.go":               "accepts connections: Close waits",
	"allreduce/ring.go":                   "the sender of one operation, waited for before it returns",
	"cmd/coordinator/admin.go":            "the admin port: stop waits",
	"cmd/coordinator/drilldemo.go":        "the processes of a drill: kept until its end, which waits",
	"cmd/coordinator/member.go":           "who tells what a new member waits for, waited for",
	"cmd/coordinator/train.go":            "the screen, waited for",
	"cmd/coordinator/watchscreen.go":      "who asks the coordinator for the screen, waited for",
	"cmd/worker/admin.go":                 "metrics, waited for at the end",
	"coordinator/coordinator.go":          "the gRPC server: Run stops it and waits",
	"coordinator/scribe.go":               "writes files: finish waits",
	"coordinator/features/features.go":    "a Job's server: Close stops it and waits",
	"coordinator/features/plane.go":       "who sends to one worker, waited for before its stream ends",
	"coordinator/launch/launch.go":        "local workers: Stop waits",
	"coordinator/raftnode/node.go":        "the node's: Close waits",
	"coordinator/raftnode/stream.go":      "accepts connections and greets on them: Close waits",
	"internal/signals/signals.go":         "takes signals: Close ends it and waits",
	"internal/testcluster/testcluster.go": "a whole run in one process: its caller waits for the end",
	"model/device/cpu/pool.go":            "the device's thread pool: Close waits",
	"model/pjrt/programs.go":              "compilers of one plan: compile waits",
	"model/pjrt/exchange.go":              "who asks one other machine each for programs: compile ends them and waits",
	"model/pjrt/ahead/ahead.go":           "compilers of one job: Compile waits",
	"model/pjrt/capi/event.go":            "a wait that its context ended: ends with the device, which Close asks for",
	"model/engine/enginetest/bits.go":     "an exam: the ranks of a trial, waited for at its end",
	"model/message.go":                    "one message in flight, received before the pass returns",
	"worker/control/control.go":           "a Line's: Close waits",
	"worker/data/eval.go":                 "decoders of one batch, waited for before it returns",
	"worker/data/loader.go":               "the Loader's: Close waits",
	"worker/data/source/patient.go":       "what opens a set: waited for, or left behind where the system does not answer",
	"worker/data/source/punctual.go":      "a Source's readers: Close ends all that the system answers",
	"worker/data/source/tar.go":           "those who scan tars that come over a network, waited for",
	"worker/data/store/cache.go":          "those who fetch objects: Close ends them and waits",
	"worker/data/verify.go":               "decoders of one Verify, waited for before it returns",

	"worker/data/picture/decodertest/decodertest.go": "an exam: each case waits for its own",
	"worker/data/source/sourcetest/sourcetest.go":    "an exam: each case waits for its own",
	"worker/replica/replica.go":                      "digests in parallel, waited for before it returns",
	"worker/save.go":                                 "one checkpoint writer, waited for before the next and at the end",
	"worker/encode.go":                               "who receives and who decodes: waited for at the stream's end",
	"worker/tuning.go":                               "decodes the coming images, waited for before a candidate ends",
	"worker/worker.go":                               "who waits for being asked to go: Run waits",
	"worker/train/courier.go":                        "the courier of one step, waited for at the step's end",
	"worker/train/reduce.go":                         "the reducer of one step, waited for at the step's end",
}

// topLevel is everything the repository's top may hold.
var topLevel = []string{
	".ci", ".dockerignore", ".git", ".github", ".gitignore", ".golangci.yml", ".goreleaser.yaml", "CHANGELOG.md",
	"CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "SECURITY.md",
	"allreduce", "cmd", "coordinator", "deploy", "docs", "go.mod", "go.sum", "internal", "model", "proto", "python",
	"recipes", "worker",
}

// Except splits findings into those that stand, and adds one for each exception that nothing needed.
func Except(found []Finding, list []Exception) []Finding {
	used := make([]bool, len(list))
	stand := slices.DeleteFunc(slices.Clone(found), func(f Finding) bool {
		for i, e := range list {
			if e.Rule == f.Rule && (f.Where == e.Where || strings.HasPrefix(f.Where, e.Where+":")) {
				used[i] = true
				return true
			}
		}
		return false
	})
	for i, e := range list {
		if !used[i] {
			stand = append(stand, Finding{"exception", e.Where, "the exception from " + e.Rule + " is no longer needed"})
		}
	}
	return stand
}
