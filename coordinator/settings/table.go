package settings

import (
	"math"
	"slices"
	"time"

	"byol/model/arch"
	"byol/model/optim"
)

// Values is what flags, environment, files and recipes decide together: a field for each row of the table.
type Values struct {
	// Job.
	Workers, Shards int
	MinWorkers      int
	Data, EvalData  string
	Config, Preset  string
	Epochs          float64
	MaxSteps        int64
	BatchSize       int
	Seed            uint64
	Init            string
	RunName, RunDir string
	Resume          string
	FromScratch     bool
	DryRun          bool
	// Data.
	DataTimeout          time.Duration
	S3Endpoint, CacheDir string
	CacheGiB             int
	// Network.
	Arch                            string
	Width                           int
	Stem, Padding                   string
	ImageSize                       int
	ProjHidden, ProjDim, PredHidden int
	BatchNorm                       string
	ZeroInitLastGamma               bool
	Ablation                        string
	// Optimisation.
	BaseLR, WeightDecay, BaseTau float64
	WarmupEpochs                 float64
	Momentum, LARSEta            float64
	Augment                      string
	Views                        Views
	// Evaluation.
	EvalEvery      string
	EvalClasses    string
	KNNK           int
	KNNTemperature float64
	RequireGain    float64
	// Checkpoints and faults.
	SaveInterval                string
	Keep                        int
	JoinTimeout, FailureTimeout time.Duration
	Grace                       time.Duration
	MaxRestarts                 int
	Determinism                 string
	OnNaN                       string
	OnNaNLimit                  int
	Straggler, Balance          string
	VerifyShards                string
	// Security.
	TLSDir, TokenFile string
	Insecure          bool
	// Execution.
	Accumulate                     int
	Device, Kernels, ISA           string
	MemoryFraction, ProgramCache   float64
	Preallocate                    bool
	Precision, Wire, Overlap       string
	Processes, Threads, BucketMiB  int
	Launcher, WorkerBinary, Listen string
	AdminListen                    string
	// Coordinators.
	NodeID, Peers, RaftListen, Advertise string
	BootstrapExpect                      int
	CheckpointDir                        string
	// Output.
	LogInterval time.Duration
	LogLevel    string
	LogFormat   string
	Quiet       bool
	NoColor     bool
}

// Float32 is the wire of a run that names none. RunConfig says "" for it, as runs of older programs do.
const Float32 = "float32"

// Formats of logs.
const (
	Console = "console"
	JSON    = "json"
)

// The precisions. RunConfig says "" for FP32, as runs of older programs do.
const (
	FP32 = "fp32"
	BF16 = "bf16"
)

// table is the list of all settings, in the order of --help.
var table = slices.Concat(job, places, network, optimisation, augmentation(), evaluation, faults, execution, security,
	output)

var job = []Setting{
	{Name: "workers", Short: "w", Group: Job, At: func(v *Values) any { return &v.Workers }, Default: 8,
		Help: "how many workers are wished for, as `N` or MIN:MAX; it goes on with MIN (default 1);\n" +
			"left out, a local run has one for each accelerator, else for each core, up to the shards", Low: 1, High: 1024,
		Life:  Once,
		Local: "the coordinator"},
	{Name: "min-workers", Group: Job, At: func(v *Values) any { return &v.MinWorkers }, Default: 1,
		Help: "how many workers the run goes on with at least; below that it waits", Low: 1, High: 1024, Life: Once,
		Local: "the coordinator"},
	{Name: "shards", Group: Job, At: func(v *Values) any { return &v.Shards }, Default: 0,
		Help: "virtual shards of the batch; fixed for the life of a run\n" +
			"(default: --workers if given, else 8, times --accumulate)",
		Low: 1, High: 65536, Life: Fixed, Field: "shards", Makes: []string{"sums"}},
	{Name: "data", Short: "d", Group: Job, At: func(v *Values) any { return &v.Data }, Default: "",
		Help: "`URI` of the images: folder, tars (a-{000000..000009}.tar, s3://b/a-*.tar), synthetic:N " +
			"(default: generated demo pictures)",
		Path: File, Life: FixedContent, Field: "data", Makes: []string{"samples", "manifest_hash", "classes"}},
	{Name: "eval-data", Group: Job, At: func(v *Values) any { return &v.EvalData }, Default: "",
		Help: "`URI` of labelled images for k-nearest-neighbour accuracy", Path: File, Life: Kept, Field: "eval_data"},
	{Name: "config", Short: "c", Group: Job, At: func(v *Values) any { return &v.Config }, Default: "",
		Help: "YAML `FILE` with these names as keys, or the name of a recipe (recipe ls)", Path: File,
		Life: Once, Local: "the program: where settings are read"},
	{Name: "preset", Group: Job, At: func(v *Values) any { return &v.Preset }, Default: "byol-100ep",
		Help:  "published hyper-parameters: byol-40ep, -100ep, -300ep, -1000ep",
		Words: presets(), Life: Kept, Field: "preset"},
	{Name: "epochs", Group: Job, At: func(v *Values) any { return &v.Epochs }, Default: 0.0,
		Help: "passes over the images (default: the preset's)",
		Low:  1e-9, High: 1e6, Life: Fixed, Field: "epochs", Makes: []string{"total_steps"}},
	{Name: "max-steps", Group: Job, At: func(v *Values) any { return &v.MaxSteps }, Default: int64(0),
		Help: "stop after so many steps, schedules unchanged (0: train to the end)",
		Low:  0, High: math.MaxInt64, Life: Once, Field: "max_steps"},
	{Name: "batch-size", Short: "b", Group: Job, At: func(v *Values) any { return &v.BatchSize }, Default: 256,
		Help: "images of a step, over all workers", Low: 2, High: 1 << 20, Life: Fixed, Field: "batch_size"},
	{Name: "seed", Group: Job, At: func(v *Values) any { return &v.Seed }, Default: uint64(0),
		Help: "decides initial weights, order of images and augmentation", Life: Fixed, Field: "seed"},
	{Name: "init", Group: Job, At: func(v *Values) any { return &v.Init }, Default: "",
		Help: "`FILE` of an encoder that both networks start from: safetensors, torchvision's names (default: the seed's)",
		Path: File, Life: FixedContent, Makes: []string{"init_sha256"}},
	{Name: "run-name", Group: Job, At: func(v *Values) any { return &v.RunName }, Default: "",
		Help: "name of the run (default: made of data, network and settings)", Life: Once, Field: "run_id"},
	{Name: "run-dir", Group: Job, At: func(v *Values) any { return &v.RunDir }, Default: "",
		Help: "`DIR` for everything of the run (default: runs/NAME); the same one resumes",
		Path: Directory, Life: Once, Local: "the coordinator"},
	{Name: "resume", Group: Job, At: func(v *Values) any { return &v.Resume }, Default: "auto",
		Help: "auto: go on from the newest good checkpoint; never; or a checkpoint's `PATH`", Path: File,
		Life: Once, Local: "the coordinator"},
	{Name: "restart-from-scratch", Group: Job, At: func(v *Values) any { return &v.FromScratch }, Default: false,
		Help: "begin again at step 0, whatever steps and checkpoints there are", Life: Once, Local: "the coordinator"},
	{Name: "dry-run", Group: Job, At: func(v *Values) any { return &v.DryRun }, Default: false,
		Help: "print what would run, and stop", Life: Once, Local: "the program"},
}

var places = []Setting{
	{Name: "data-timeout", Group: Data, At: func(v *Values) any { return &v.DataTimeout }, Default: 2 * time.Minute,
		Help: "how long an image may take to be read before that is an error", Low: 0.001, High: month,
		Life: Kept, Makes: []string{"data_timeout_seconds"}},
	{Name: "s3-endpoint", Group: Data, At: func(v *Values) any { return &v.S3Endpoint }, Default: "",
		Help: "`URL` of the service that s3:// is of (default: AWS_ENDPOINT_URL, else Amazon's)",
		Life: Kept, Field: "s3_endpoint"},
	{Name: "cache-dir", Group: Data, At: func(v *Values) any { return &v.CacheDir }, Default: "",
		Help: "`DIR` on each machine for objects of s3://, gs://, https:// (default: the user's cache)", Path: Directory,
		Life: Kept, Field: "cache_dir"},
	{Name: "cache-gib", Group: Data, At: func(v *Values) any { return &v.CacheGiB }, Default: 20,
		Help: "how many `GIB` of objects are kept on a machine; 0: none", Low: 0, High: 1 << 20,
		Life: Kept, Field: "cache_gib"},
}

var network = []Setting{
	{Name: "arch", Short: "a", Group: Network, At: func(v *Values) any { return &v.Arch }, Default: "resnet50",
		Help:  "resnet18, 34, 50, 101, 152, 200; for small images resnet20, resnet56",
		Words: arch.Names(), Life: Fixed, Field: "arch"},
	{Name: "width", Group: Network, At: func(v *Values) any { return &v.Width }, Default: 1,
		Help: "multiplies every channel count of the encoder", Low: 1, High: 16, Life: Fixed, Field: "width"},
	{Name: "stem", Group: Network, At: func(v *Values) any { return &v.Stem }, Default: "auto",
		Help:  "imagenet (7×7 stride 2, pooling), cifar (3×3), auto: by image size",
		Words: []string{"auto", "imagenet", "cifar"}, Life: Fixed, Field: "stem"},
	{Name: "padding", Group: Network, At: func(v *Values) any { return &v.Padding }, Default: "symmetric",
		Help:  "symmetric (as PyTorch) or same (as the reference code)",
		Words: []string{"symmetric", "same"}, Life: Fixed, Field: "padding"},
	{Name: "image-size", Group: Network, At: func(v *Values) any { return &v.ImageSize }, Default: 224,
		Help: "side of the square that the network sees, in `PIXELS`", Low: 8, High: 1024, Life: Fixed, Field: "image_size"},
	{Name: "proj-hidden-dim", Group: Network, At: func(v *Values) any { return &v.ProjHidden }, Default: 4096,
		Help: "hidden units of the projector", Low: 1, High: 1 << 16, Life: Fixed, Field: "projector_hidden"},
	{Name: "proj-dim", Group: Network, At: func(v *Values) any { return &v.ProjDim }, Default: 256,
		Help: "size of the projection", Low: 1, High: 1 << 16, Life: Fixed, Field: "projector_out"},
	{Name: "pred-hidden-dim", Group: Network, At: func(v *Values) any { return &v.PredHidden }, Default: 4096,
		Help: "hidden units of the predictor", Low: 1, High: 1 << 16, Life: Fixed, Field: "predictor_hidden"},
	{Name: "batch-norm", Group: Network, At: func(v *Values) any { return &v.BatchNorm }, Default: "sync",
		Help:  "sync: statistics of the whole batch; local: of each shard",
		Words: []string{"sync", "local"}, Life: Fixed, Field: "batch_norm"},
	{Name: "zero-init-last-gamma", Group: Network, At: func(v *Values) any { return &v.ZeroInitLastGamma },
		Default: false, Help: "start each residual branch at zero", Life: Fixed, Field: "zero_init_last_gamma"},
	{Name: "ablation", Group: Network, At: func(v *Values) any { return &v.Ablation }, Default: "", Hidden: true,
		Help:  "no-predictor or no-stop-gradient: negative controls, made to collapse",
		Words: []string{"", "no-predictor", "no-stop-gradient"}, Life: Fixed, Field: "ablation"},
}

var optimisation = []Setting{
	{Name: "base-lr", Group: Optimisation, At: func(v *Values) any { return &v.BaseLR }, Default: 0.0,
		Help: "learning rate of a batch of 256; scaled by batch/256 (default: the preset's)",
		Low:  0, High: 1e4, Life: Fixed, Field: "base_lr"},
	{Name: "weight-decay", Group: Optimisation, At: func(v *Values) any { return &v.WeightDecay }, Default: 0.0,
		Help: "weight decay (default: the preset's)", Low: 0, High: 1, Life: Fixed, Field: "weight_decay"},
	{Name: "base-tau", Group: Optimisation, At: func(v *Values) any { return &v.BaseTau }, Default: 0.0,
		Help: "the target's decay at the start; rises to 1 (default: the preset's)",
		Low:  0, High: 1, Life: Fixed, Field: "base_tau"},
	{Name: "warmup-epochs", Group: Optimisation, At: func(v *Values) any { return &v.WarmupEpochs }, Default: 0.0,
		Help: "epochs of linear warm-up (default: 10, or a quarter of fewer than 40)",
		Low:  0, High: 1e6, Life: Fixed, Makes: []string{"warmup_steps"}},
	{Name: "momentum", Group: Optimisation, At: func(v *Values) any { return &v.Momentum }, Default: 0.9,
		Help: "momentum of LARS", Low: 0, High: 1, Life: Fixed, Field: "momentum"},
	{Name: "lars-eta", Group: Optimisation, At: func(v *Values) any { return &v.LARSEta }, Default: 1e-3,
		Help: "trust coefficient of LARS", Low: 0, High: 1, Life: Fixed, Field: "lars_eta"},
}

var evaluation = []Setting{
	{Name: "eval-every", Group: Evaluation, At: func(v *Values) any { return &v.EvalEvery }, Default: "0",
		Help: "how often to measure k-NN: 5ep, 500 (steps), 0: only at start and end",
		Life: Kept, Makes: []string{"eval_every_steps"}},
	{Name: "eval-classes", Group: Evaluation, At: func(v *Values) any { return &v.EvalClasses }, Default: "exact",
		Help:  "exact: --data and --eval-data name the same classes; intersect: leave out images of others",
		Words: []string{"exact", "intersect"}, Life: Kept, Local: "the program: which sets it accepts"},
	{Name: "knn-k", Group: Evaluation, At: func(v *Values) any { return &v.KNNK }, Default: 200,
		Help: "neighbours that vote", Low: 1, High: 1 << 20, Life: Kept, Field: "knn_k"},
	{Name: "knn-temperature", Group: Evaluation, At: func(v *Values) any { return &v.KNNTemperature }, Default: 0.1,
		Help: "temperature of the votes", Low: 1e-6, High: 1e6, Life: Kept, Field: "knn_temperature"},
	{Name: "require-gain", Group: Evaluation, At: func(v *Values) any { return &v.RequireGain }, Default: 0.0,
		Hidden: true, Help: "fail unless k-NN rises by so many `POINTS` over the untrained network",
		Life: Once, Local: "the program: its exit code"},
}

var faults = []Setting{
	{Name: "save-interval", Group: Faults, At: func(v *Values) any { return &v.SaveInterval }, Default: "10m",
		Help: "checkpoint every 1ep, 500 (steps), 15m; several: 1ep,15m; 0: at the end",
		Life: Kept, Makes: []string{"save_every_steps", "save_every_seconds"}},
	{Name: "checkpoint-dir", Group: Faults, At: func(v *Values) any { return &v.CheckpointDir }, Default: "",
		Help: "`DIR` that all workers and coordinators see (default: checkpoints in --run-dir)",
		Path: Directory, Life: Kept, Makes: []string{"checkpoint_dir"}},
	{Name: "keep", Group: Faults, At: func(v *Values) any { return &v.Keep }, Default: 3,
		Help: "checkpoints to keep; 0: all", Low: 0, High: 1 << 20, Life: Kept, Field: "keep"},
	{Name: "join-timeout", Group: Faults, At: func(v *Values) any { return &v.JoinTimeout }, Default: time.Minute,
		Help: "how long to wait for all workers", Low: 0.001, High: month, Life: Once, Local: "the coordinator"},
	{Name: "failure-timeout", Group: Faults, At: func(v *Values) any { return &v.FailureTimeout },
		Default: 5 * time.Second, Help: "how long a worker may be silent", Low: 0.1, High: month,
		Life: Kept, Makes: []string{"failure_timeout_seconds"}},
	{Name: "grace", Group: Faults, At: func(v *Values) any { return &v.Grace }, Default: 90 * time.Second,
		Help: "how long an end that a signal asks for may take: the step, a checkpoint, the workers' leave", Low: 0.1,
		High: month, Life: Kept, Local: "the coordinator"},
	{Name: "max-restarts", Group: Faults, At: func(v *Values) any { return &v.MaxRestarts }, Default: 10,
		Help: "how often in a row a local worker that fails is started again; 0: never", Low: 0, High: 1 << 20,
		Life: Kept, Local: "the coordinator"},
	{Name: "determinism", Group: Faults, At: func(v *Values) any { return &v.Determinism }, Default: "strict",
		Help:  "strict: refuse workers whose bits may differ; relaxed",
		Words: []string{"strict", "relaxed"}, Life: Kept, Field: "determinism"},
	{Name: "on-nan", Group: Faults, At: func(v *Values) any { return &v.OnNaN }, Default: "stop",
		Help:  "a step whose loss or gradient is no number, also when others compute it: stop | skip",
		Words: []string{"stop", "skip"}, Life: Kept, Local: "the coordinator"},
	{Name: "on-nan-limit", Group: Faults, At: func(v *Values) any { return &v.OnNaNLimit }, Default: 8,
		Help: "how many of the last 1,024 steps may be skipped", Low: 1, High: 1024, Life: Kept, Local: "the coordinator"},
	{Name: "straggler", Group: Faults, At: func(v *Values) any { return &v.Straggler }, Default: "warn",
		Help:  "a worker that takes twice the median time for 3 steps: warn | evict",
		Words: []string{"warn", "evict"}, Life: Kept, Local: "the coordinator"},
	{Name: "balance", Group: Faults, At: func(v *Values) any { return &v.Balance }, Default: "even",
		Help:  "how shards are dealt out, which changes no bits: even | speed",
		Words: []string{"even", "speed"}, Life: Kept, Local: "the coordinator"},
	{Name: "verify-shards", Group: Faults, At: func(v *Values) any { return &v.VerifyShards }, Default: "0",
		Help: "the `SHARE` of steps that others compute again, to find wrong gradients: 1/64; 1: all; 0: none",
		Life: Kept, Makes: []string{"verify_every_steps"}},
}

// month is the longest time that a run waits for anything, in seconds.
const month = 30 * 24 * 3600

var execution = []Setting{
	{Name: "accumulate", Group: Execution, At: func(v *Values) any { return &v.Accumulate }, Default: 1,
		Help: "compute a worker's shards in so many turns, one after another: the bits of `N` times the workers in\n" +
			"the memory of one turn; needs --batch-norm local", Low: 1, High: 65536, Life: Kept,
		Makes: []string{"shards_at_once"}},
	{Name: "device", Group: Execution, At: func(v *Values) any { return &v.Device }, Default: "auto",
		Help:  "auto, cpu, reference; accelerators: pjrt, cuda, rocm, tpu, or pjrt:PATH of a plugin",
		Words: []string{"auto", "cpu", "reference", "pjrt", "cuda", "rocm", "tpu"}, Begins: "pjrt:",
		Life: FixedStrict, Field: "device"},
	{Name: "memory-fraction", Group: Execution, At: func(v *Values) any { return &v.MemoryFraction }, Default: 0.0,
		Help: "of an accelerator's memory that a local worker may use; 0: what its plugin does", Low: 0, High: 1,
		Life: Kept, Local: "local workers"},
	{Name: "preallocate", Group: Execution, At: func(v *Values) any { return &v.Preallocate }, Default: false,
		Help: "let local workers take their accelerator's memory at once", Life: Kept, Local: "local workers"},
	{Name: "program-cache", Group: Execution, At: func(v *Values) any { return &v.ProgramCache }, Default: 8.0,
		Help: "compiled programs of accelerators that local workers keep, in `GIB`; 0: any number", Low: 0, High: 1 << 20,
		Life: Kept, Local: "local workers"},
	{Name: "processes", Group: Execution, At: func(v *Values) any { return &v.Processes }, Default: 0,
		Help: "in how many processes the local workers run, several in one where they are more; same bits\n" +
			"(default: as many as this machine's cores serve best, two at least; as many as workers: one each)",
		Low: 0, High: 1024, Life: Once, Local: "the coordinator"},
	{Name: "threads", Group: Execution, At: func(v *Values) any { return &v.Threads }, Default: 0,
		Help: "threads of a worker's process (default: the machine's cores shared among local ones)",
		Low:  0, High: 4096, Life: Once, Field: "threads"},
	{Name: "isa", Group: Execution, At: func(v *Values) any { return &v.ISA }, Default: "auto",
		Help: "instructions of workers on processors: auto, avx512, avx2, generic; " +
			"the first three give the same bits",
		Words: []string{"auto", "avx512", "avx2", "generic"}, Life: Once, Field: "isa"},
	{Name: "kernels", Group: Execution, At: func(v *Values) any { return &v.Kernels }, Default: "auto",
		Help:  "auto, or direct: convolutions without fast algorithms",
		Words: []string{"auto", "direct"}, Life: Fixed, Field: "kernels"},
	{Name: "precision", Group: Execution, At: func(v *Values) any { return &v.Precision }, Default: FP32,
		Help:  "fp32, or bf16: activations and products in bfloat16, all else in float32; for accelerators; other bits",
		Words: []string{FP32, BF16}, Life: Fixed, Makes: []string{"precision"}},
	{Name: "wire", Group: Execution, At: func(v *Values) any { return &v.Wire }, Default: Float32,
		Help: "float32, or bf16: gradients rounded to bfloat16 for their sum, half the bytes between machines; " +
			"other bits",
		Words: []string{Float32, BF16}, Life: Fixed, Makes: []string{"wire"}},
	{Name: "bucket-mib", Group: Execution, At: func(v *Values) any { return &v.BucketMiB }, Default: 0,
		Help: "gradient bytes of one all-reduce, in `MIB` (default: chosen by the workers)",
		Low:  0, High: 1024, Life: Kept, Makes: []string{"bucket_bytes"}},
	{Name: "overlap", Group: Execution, At: func(v *Values) any { return &v.Overlap }, Default: "auto",
		Help: "begin a step while the one before is being committed: on, off, auto (on where cores are left); " +
			"same bits",
		Words: []string{"auto", "on", "off"}, Life: Once, Makes: []string{"no_overlap"}},
	{Name: "launcher", Group: Execution, At: func(v *Values) any { return &v.Launcher }, Default: "auto",
		Help:  "local: start the workers here; none: wait for them to join; auto",
		Words: []string{"auto", "local", "none"}, Life: Once, Local: "the coordinator"},
	{Name: "worker-binary", Group: Execution, At: func(v *Values) any { return &v.WorkerBinary }, Default: "",
		Help: "`PATH` of the worker program (default: beside this one)", Path: File,
		Life: Once, Local: "the coordinator"},
	{Name: "listen", Group: Execution, At: func(v *Values) any { return &v.Listen }, Default: "",
		Help: "`HOST:PORT` for workers and operators (default: a free local port; 0.0.0.0:7070 without launcher)",
		Life: Once, Local: "the coordinator"},
	{Name: "admin-listen", Group: Execution, At: func(v *Values) any { return &v.AdminListen },
		Default: "127.0.0.1:9090",
		Help: "`HOST:PORT` of the page, /metrics, /healthz and /readyz (left out: another port where this one is taken; " +
			"\"\": none)",
		Life: Once, Local: "the admin port"},
	{Name: "node-id", Group: Execution, At: func(v *Values) any { return &v.NodeID }, Default: "coordinator-0",
		Help: "this coordinator's `NAME` among several", Life: Kept, Local: "the coordinator"},
	{Name: "peers", Group: Execution, At: func(v *Values) any { return &v.Peers }, Default: "",
		Help: "`ID=HOST:PORT,…` of all coordinators, this one too: where they listen for each other",
		Life: Kept, Local: "the coordinator"},
	{Name: "bootstrap-expect", Group: Execution, At: func(v *Values) any { return &v.BootstrapExpect }, Default: 0,
		Help: "how many coordinators begin the run together (default: as many as --peers names, 1 without)",
		Low:  0, High: 99, Life: Once, Local: "the coordinator"},
	{Name: "raft-listen", Group: Execution, At: func(v *Values) any { return &v.RaftListen }, Default: "",
		Help: "`HOST:PORT` for other coordinators (default: this one's in --peers)",
		Life: Kept, Local: "the coordinator"},
	{Name: "advertise", Group: Execution, At: func(v *Values) any { return &v.Advertise }, Default: "",
		Help: "`HOST` by which others reach this coordinator (default: this one's in --peers)",
		Life: Kept, Local: "the coordinator"},
}

var security = []Setting{
	{Name: "tls-dir", Group: Security, At: func(v *Values) any { return &v.TLSDir }, Default: "",
		Help: "`DIR` with ca.pem, cert.pem and key.pem of this coordinator (coordinator certs); reread when they change",
		Path: Directory, Life: Kept, Local: "the coordinator"},
	{Name: "token-file", Group: Security, At: func(v *Values) any { return &v.TokenFile }, Default: "",
		Help: "`FILE` with a secret word that all parties have, instead of certificates (coordinator certs token)",
		Path: File, Life: Kept, Local: "the coordinator"},
	{Name: "insecure", Group: Security, At: func(v *Values) any { return &v.Insecure }, Default: false,
		Help: "listen for other machines without TLS: whoever reaches the port controls the run", Life: Once,
		Local: "the coordinator"},
}

var output = []Setting{
	{Name: "log-interval", Group: Output, At: func(v *Values) any { return &v.LogInterval },
		Default: 10 * time.Second, Help: "time between progress lines off a terminal", Low: 0, High: month,
		Life: Once, Local: "the program's screen"},
	{Name: "log-format", Group: Output, At: func(v *Values) any { return &v.LogFormat }, Default: "auto",
		Help: "json: standard output and the run's log file have a JSON object on each line; console: both are for people; " +
			"auto: JSON in the file alone",
		Words: []string{"auto", Console, JSON}, Life: Once, Local: "the coordinator's log and the program's screen"},
	{Name: "log-level", Group: Output, At: func(v *Values) any { return &v.LogLevel }, Default: "info",
		Help:  "debug, info, warn, error: for the run's log file",
		Words: []string{"debug", "info", "warn", "error"}, Life: Once, Local: "the coordinator's log"},
	{Name: "quiet", Short: "q", Group: Output, At: func(v *Values) any { return &v.Quiet }, Default: false,
		Help: "print errors and the summary only", Life: Once, Local: "the program's screen"},
	{Name: "no-color", Group: Output, At: func(v *Values) any { return &v.NoColor }, Default: false,
		Help: "plain lines on a terminal too: no escape sequences (also: NO_COLOR)", Life: Once,
		Local: "the program's screen"},
}

func presets() []string {
	var names []string
	for _, p := range optim.Presets() {
		names = append(names, p.Name)
	}
	return names
}
