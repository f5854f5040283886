package coordinator

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/admin"
	"byol/coordinator/launch"
	"byol/coordinator/lead"
	"byol/coordinator/report"
	"byol/coordinator/run"
	"byol/coordinator/spans"
	"byol/internal/failure"
	"byol/internal/fault"
	"byol/internal/network"
	pb "byol/proto"
)

// Launchers that Options.Launcher names.
const (
	LauncherLocal = "local" // spawn the workers as processes of this machine
	LauncherNone  = "none"  // wait for workers that somebody else starts
)

// Words that Options.Resume understands besides a path.
const (
	ResumeAuto  = "auto"  // go on from the newest checkpoint that verifies, begin fresh without one
	ResumeNever = "never" // refuse a run directory that holds a run
)

// ConfigFile is the file of a run directory with what its workers were told, a RunConfig; RaftDir holds the log that
// coordinators agree on.
const (
	ConfigFile = "config.json"
	RaftDir    = "raft"
)

// SettingsFile is the file of a run directory that keeps the settings it was started with.
const SettingsFile = "config.yaml"

// Catalogue is the coordinator's view of the checkpoints of a run, which workers write and read. The command
// adapts the checkpoint store to it, because coordinator and worker packages never import each other.
type Catalogue interface {
	// Newest returns the newest checkpoint that verifies, and says of each newer one why it was passed over. It is nil
	// without an error when there is no checkpoint at all.
	Newest() (newest *pb.CheckpointInfo, refused []string, err error)
	// Open verifies the checkpoint at path.
	Open(path string) (*pb.CheckpointInfo, error)
	// List returns all checkpoints, oldest first.
	List() ([]*pb.CheckpointInfo, error)
	// Prune removes all but the newest keep.
	Prune(keep int) error
	// Sees looks whether this host sees a checkpoint as its writer describes it, without reading all of it.
	Sees(*pb.CheckpointInfo) error
	// Mark leaves a word where the checkpoints are, by which workers tell that they see the same place.
	Mark(word string) error
}

// Options say what to run and how.
type Options struct {
	// Config decides the numbers. Its run_id names the run.
	Config *pb.RunConfig
	// Settings is what SettingsFile in the run directory is to hold; nil leaves it. It is written when the directory is
	// this coordinator's and the run is taken up, so that a start that is refused changes nothing.
	Settings []byte
	// Workers is how many workers are wished for, MinWorkers how many the run goes on with; default 1.
	Workers, MinWorkers int
	// Processes is in how many processes the workers run that are started locally; 0: one each.
	Processes int
	// OnNaN is what becomes of a step whose gradient is not finite, twice: "stop" (the default) or "skip", for MaxSkips
	// steps at most; default 8.
	OnNaN    string
	MaxSkips int
	// Straggler is what becomes of a worker that takes twice the median time for three steps: "warn" (the default) or
	// "evict".
	Straggler string
	// Balance is "even" (the default) or "speed": how shards are dealt out. It changes no bits.
	Balance string
	// RunDir is the directory that holds everything of the run; it is made when missing.
	RunDir string
	// InitFile is the safetensors file of the encoder with Config.InitSha256, for workers that start from it; "" for a
	// run whose weights the seed draws.
	InitFile string
	// Network is where the server listens, and dials other coordinators' servers; nil: the system's. Where it knows who
	// connects (package secure), roles are enforced.
	Network network.Network
	// RaftNetwork is where coordinators reach each other's logs; nil: Network.
	RaftNetwork network.Network
	// WorkerKeys makes the keys of the process of an index that is started locally; nil: it has none.
	WorkerKeys func(index int) ([]byte, error)
	// OperatorKeys makes those that are left in the run directory for whoever started the run; nil: none are.
	OperatorKeys func() ([]byte, error)
	// Protection says how connections are protected, for status, which adds its warning; nil: nothing is said.
	Protection func() *pb.Protection
	// Listen is the address of the gRPC server; port 0 picks a free one.
	Listen string
	// Launcher is LauncherLocal or LauncherNone.
	Launcher string
	// WorkerBinary and WorkerArgs start a worker locally; --coordinator, --index and --threads are added.
	WorkerBinary string
	WorkerArgs   []string
	// Accelerators are those of this machine, which local workers take in turn; 0: there are none, or nobody asked.
	Accelerators int
	// MaxRestarts is how often in a row a worker that was started locally is started again; 0: never.
	MaxRestarts int
	// JoinTimeout bounds the wait for all workers to join; default 60 s.
	JoinTimeout time.Duration
	// FailureTimeout is how long a worker may be silent; default 5 s.
	FailureTimeout time.Duration
	// Grace is how long workers get to leave before they are killed; default 10 s.
	Grace time.Duration
	// Build is this binary's version and commit. Workers of another build are refused, unless the run's
	// determinism is relaxed; "" accepts any.
	Build string
	// Checkpoints is where the run's checkpoints are found; nil: none are.
	Checkpoints Catalogue
	// Resume is ResumeAuto (the default), ResumeNever or the path of a checkpoint.
	Resume string
	// FromScratch begins at step 0, whatever is committed or stored.
	FromScratch bool
	// NodeID is this coordinator's name among several; default: coordinator-0.
	NodeID string
	// Peers are the coordinators that begin the run together, by their names where they listen for each other: all of
	// them have the same. Without any there is this one alone.
	Peers map[string]string
	// RaftListen is where this coordinator listens for others: "" where there are none.
	RaftListen string
	// Advertise is the host by which others dial this coordinator, for the ports it listens on; default: the host it
	// listens on.
	Advertise string
	// Log receives what happens; nil: nothing is logged.
	Log *zap.Logger
	// OnProgress is called with the status after each change, from one goroutine. It must not block.
	OnProgress func(*pb.Status)
	// Points are told what this coordinator comes by, for tests.
	Points fault.Points
	// Board is where everything is shown that happens, for the admin port; nil: nobody looks.
	Board *admin.Board
	// Spans are told of steps, checkpoints and recoveries, for OpenTelemetry; nil: nobody wants to know.
	Spans *spans.Spans
	// OnEvent is called with each event, from any goroutine and one at a time. It must not block.
	OnEvent func(report.Event)
}

func (o *Options) setDefaults() {
	if o.MinWorkers == 0 {
		o.MinWorkers = 1
	}
	if o.MaxSkips <= 0 {
		o.MaxSkips = 8
	}
	if o.JoinTimeout <= 0 {
		o.JoinTimeout = 60 * time.Second
	}
	if o.FailureTimeout <= 0 {
		o.FailureTimeout = 5 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Resume == "" {
		o.Resume = ResumeAuto
	}
	if o.NodeID == "" {
		o.NodeID = "coordinator-0"
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Launcher == "" {
		o.Launcher = LauncherLocal
	}
	if o.Network == nil {
		o.Network = network.System{}
	}
	if o.RaftNetwork == nil {
		o.RaftNetwork = o.Network
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
}

func (o *Options) check() error {
	usage := func(what, why, try string) error {
		return &failure.Failure{What: what, Why: why, Try: try, Code: failure.Usage}
	}
	c := o.Config
	if c == nil || o.RunDir == "" {
		return usage("the run has no configuration", "Config and RunDir are required", "give a run directory")
	}
	if id := runName(o); lead.Plain(id, run.MaxName) != id {
		return usage(fmt.Sprintf("%q is no name of a run", lead.Plain(id, maxShown)),
			fmt.Sprintf("names are printable and have at most %d bytes", run.MaxName), "--run-name with another one")
	}
	if o.Workers < 1 || o.Workers > 1024 {
		return usage(fmt.Sprintf("--workers must be 1..1024 (got %d)", o.Workers), "", "--workers 8")
	}
	if o.Processes < 0 || o.Processes > o.Workers {
		return usage(fmt.Sprintf("%d workers cannot run in %d processes", o.Workers, o.Processes),
			"each process stands for at least one of the workers", fmt.Sprintf("--processes %d", o.Workers))
	}
	if o.MinWorkers < 1 || o.MinWorkers > o.Workers {
		return usage(fmt.Sprintf("--workers %d:%d makes no sense", o.MinWorkers, o.Workers),
			"the first number is how many the run goes on with at least, the second how many it wishes for",
			fmt.Sprintf("--workers %d:%d", max(1, min(o.MinWorkers, o.Workers)), o.Workers))
	}
	if c.Shards < 1 || int(c.Shards) < o.Workers {
		return usage(fmt.Sprintf("%d workers cannot share %d shards", o.Workers, c.Shards),
			"each worker needs at least one virtual shard, and the shards of a run never change",
			fmt.Sprintf("--workers %d, or a new run with --shards %d", max(1, c.Shards), o.Workers))
	}
	if c.BatchSize < 1 || c.BatchSize%c.Shards != 0 {
		return usage(fmt.Sprintf("batch size %d is not a multiple of %d shards", c.BatchSize, c.Shards), "",
			fmt.Sprintf("--batch-size %d", (c.BatchSize/c.Shards+1)*c.Shards))
	}
	if c.TotalSteps < 1 {
		return usage(fmt.Sprintf("the run has %d steps", c.TotalSteps),
			"epochs × samples / batch size is less than one step", "more --epochs, or a smaller --batch-size")
	}
	if o.RaftListen == "" && len(o.Peers) > 0 {
		return usage("the coordinators of the run could not reach this one", "Peers without RaftListen", "--raft-listen")
	}
	if o.RaftListen != "" && o.Launcher == LauncherLocal {
		return usage("a coordinator among several starts no workers", "they outlive it, and are not its children",
			"--launcher none, and worker --coordinator with the addresses of all coordinators")
	}
	return o.checkLauncher()
}

// processes are those that are started here: how many workers each stands for; nil where none is.
func (o *Options) processes() []int {
	if o.Launcher != LauncherLocal {
		return nil
	}
	return launch.Share(o.Workers, cmp.Or(o.Processes, o.Workers))
}

// maxShown bounds what is shown of a name that is none.
const maxShown = 64

// runName is the name that the configuration gives the run, or otherwise its directory.
func runName(o *Options) string {
	if o.Config.RunId != "" {
		return o.Config.RunId
	}
	return filepath.Base(filepath.Clean(o.RunDir))
}

func (o *Options) checkLauncher() error {
	switch o.Launcher {
	case LauncherNone:
		return nil
	case LauncherLocal:
	default:
		return &failure.Failure{What: fmt.Sprintf("launcher %q is not known", o.Launcher), Try: "--launcher local or none",
			Code: failure.Usage}
	}
	info, err := os.Stat(o.WorkerBinary)
	if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
		why := "it is not an executable file"
		if err != nil {
			why = err.Error()
		}
		return &failure.Failure{What: fmt.Sprintf("the worker binary %q cannot be started", o.WorkerBinary), Why: why,
			Try: "make build, or --worker-binary PATH", Code: failure.Usage}
	}
	return nil
}
