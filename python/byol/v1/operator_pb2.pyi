from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
RUN_STATE_COMPLETED: RunState
RUN_STATE_EVALUATING: RunState
RUN_STATE_FAILED: RunState
RUN_STATE_PAUSED: RunState
RUN_STATE_RUNNING: RunState
RUN_STATE_STOPPED: RunState
RUN_STATE_STOPPING: RunState
RUN_STATE_UNSPECIFIED: RunState
RUN_STATE_WAITING_FOR_WORKERS: RunState

class AddMemberRequest(_message.Message):
    __slots__ = ["node_id", "raft_address"]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    RAFT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    raft_address: str
    def __init__(self, node_id: _Optional[str] = ..., raft_address: _Optional[str] = ...) -> None: ...

class Build(_message.Message):
    __slots__ = ["commit", "go_version", "version"]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    GO_VERSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    commit: str
    go_version: str
    version: str
    def __init__(self, version: _Optional[str] = ..., commit: _Optional[str] = ..., go_version: _Optional[str] = ...) -> None: ...

class CheckpointInfo(_message.Message):
    __slots__ = ["created", "path", "size_bytes", "state_sha256", "step"]
    CREATED_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    STATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    created: _timestamp_pb2.Timestamp
    path: str
    size_bytes: int
    state_sha256: str
    step: int
    def __init__(self, step: _Optional[int] = ..., path: _Optional[str] = ..., size_bytes: _Optional[int] = ..., state_sha256: _Optional[str] = ..., created: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ["request_id", "wait"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    wait: bool
    def __init__(self, request_id: _Optional[str] = ..., wait: bool = ...) -> None: ...

class Cluster(_message.Message):
    __slots__ = ["commit_index", "launcher", "leader_id", "term", "workers_expected", "workers_min", "workers_ready", "workers_standby"]
    COMMIT_INDEX_FIELD_NUMBER: _ClassVar[int]
    LAUNCHER_FIELD_NUMBER: _ClassVar[int]
    LEADER_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_FIELD_NUMBER: _ClassVar[int]
    WORKERS_EXPECTED_FIELD_NUMBER: _ClassVar[int]
    WORKERS_MIN_FIELD_NUMBER: _ClassVar[int]
    WORKERS_READY_FIELD_NUMBER: _ClassVar[int]
    WORKERS_STANDBY_FIELD_NUMBER: _ClassVar[int]
    commit_index: int
    launcher: str
    leader_id: str
    term: int
    workers_expected: int
    workers_min: int
    workers_ready: int
    workers_standby: int
    def __init__(self, leader_id: _Optional[str] = ..., term: _Optional[int] = ..., commit_index: _Optional[int] = ..., workers_ready: _Optional[int] = ..., workers_expected: _Optional[int] = ..., workers_min: _Optional[int] = ..., workers_standby: _Optional[int] = ..., launcher: _Optional[str] = ...) -> None: ...

class CoordinatorMember(_message.Message):
    __slots__ = ["address", "leader", "node_id", "raft_address", "voter"]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    RAFT_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    VOTER_FIELD_NUMBER: _ClassVar[int]
    address: str
    leader: bool
    node_id: str
    raft_address: str
    voter: bool
    def __init__(self, node_id: _Optional[str] = ..., raft_address: _Optional[str] = ..., address: _Optional[str] = ..., voter: bool = ..., leader: bool = ...) -> None: ...

class DrainRequest(_message.Message):
    __slots__ = ["request_id", "worker_id"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    WORKER_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    worker_id: str
    def __init__(self, request_id: _Optional[str] = ..., worker_id: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ["id", "text", "time", "type", "worker"]
    ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    id: int
    text: str
    time: _timestamp_pb2.Timestamp
    type: str
    worker: str
    def __init__(self, id: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., type: _Optional[str] = ..., worker: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...

class Faults(_message.Message):
    __slots__ = ["goodput_ratio", "last_recovery_seconds", "lost", "quarantined", "rerun_steps", "restarts"]
    GOODPUT_RATIO_FIELD_NUMBER: _ClassVar[int]
    LAST_RECOVERY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    LOST_FIELD_NUMBER: _ClassVar[int]
    QUARANTINED_FIELD_NUMBER: _ClassVar[int]
    RERUN_STEPS_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    goodput_ratio: float
    last_recovery_seconds: float
    lost: _containers.RepeatedCompositeFieldContainer[LostTime]
    quarantined: _containers.RepeatedScalarFieldContainer[str]
    rerun_steps: int
    restarts: int
    def __init__(self, restarts: _Optional[int] = ..., rerun_steps: _Optional[int] = ..., goodput_ratio: _Optional[float] = ..., last_recovery_seconds: _Optional[float] = ..., lost: _Optional[_Iterable[_Union[LostTime, _Mapping]]] = ..., quarantined: _Optional[_Iterable[str]] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class Learning(_message.Message):
    __slots__ = ["embedding_std_ratio", "gradient_norm", "knn_known", "knn_pixels_known", "knn_pixels_top1_ratio", "knn_step", "knn_top1_ratio", "knn_untrained_known", "knn_untrained_top1_ratio", "learning_rate", "loss", "probe_eval_known", "probe_eval_top1_ratio", "probe_loss", "probe_top1_ratio", "target_tau"]
    EMBEDDING_STD_RATIO_FIELD_NUMBER: _ClassVar[int]
    GRADIENT_NORM_FIELD_NUMBER: _ClassVar[int]
    KNN_KNOWN_FIELD_NUMBER: _ClassVar[int]
    KNN_PIXELS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    KNN_PIXELS_TOP1_RATIO_FIELD_NUMBER: _ClassVar[int]
    KNN_STEP_FIELD_NUMBER: _ClassVar[int]
    KNN_TOP1_RATIO_FIELD_NUMBER: _ClassVar[int]
    KNN_UNTRAINED_KNOWN_FIELD_NUMBER: _ClassVar[int]
    KNN_UNTRAINED_TOP1_RATIO_FIELD_NUMBER: _ClassVar[int]
    LEARNING_RATE_FIELD_NUMBER: _ClassVar[int]
    LOSS_FIELD_NUMBER: _ClassVar[int]
    PROBE_EVAL_KNOWN_FIELD_NUMBER: _ClassVar[int]
    PROBE_EVAL_TOP1_RATIO_FIELD_NUMBER: _ClassVar[int]
    PROBE_LOSS_FIELD_NUMBER: _ClassVar[int]
    PROBE_TOP1_RATIO_FIELD_NUMBER: _ClassVar[int]
    TARGET_TAU_FIELD_NUMBER: _ClassVar[int]
    embedding_std_ratio: float
    gradient_norm: float
    knn_known: bool
    knn_pixels_known: bool
    knn_pixels_top1_ratio: float
    knn_step: int
    knn_top1_ratio: float
    knn_untrained_known: bool
    knn_untrained_top1_ratio: float
    learning_rate: float
    loss: float
    probe_eval_known: bool
    probe_eval_top1_ratio: float
    probe_loss: float
    probe_top1_ratio: float
    target_tau: float
    def __init__(self, loss: _Optional[float] = ..., learning_rate: _Optional[float] = ..., target_tau: _Optional[float] = ..., embedding_std_ratio: _Optional[float] = ..., probe_loss: _Optional[float] = ..., probe_top1_ratio: _Optional[float] = ..., knn_top1_ratio: _Optional[float] = ..., knn_step: _Optional[int] = ..., knn_untrained_top1_ratio: _Optional[float] = ..., knn_pixels_top1_ratio: _Optional[float] = ..., knn_known: bool = ..., gradient_norm: _Optional[float] = ..., probe_eval_top1_ratio: _Optional[float] = ..., probe_eval_known: bool = ..., knn_untrained_known: bool = ..., knn_pixels_known: bool = ...) -> None: ...

class ListCheckpointsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListCheckpointsResponse(_message.Message):
    __slots__ = ["checkpoints"]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    checkpoints: _containers.RepeatedCompositeFieldContainer[CheckpointInfo]
    def __init__(self, checkpoints: _Optional[_Iterable[_Union[CheckpointInfo, _Mapping]]] = ...) -> None: ...

class ListEventsRequest(_message.Message):
    __slots__ = ["after_id", "page_size"]
    AFTER_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    after_id: int
    page_size: int
    def __init__(self, after_id: _Optional[int] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListEventsResponse(_message.Message):
    __slots__ = ["events"]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class ListMembersRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListMembersResponse(_message.Message):
    __slots__ = ["members"]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    members: _containers.RepeatedCompositeFieldContainer[CoordinatorMember]
    def __init__(self, members: _Optional[_Iterable[_Union[CoordinatorMember, _Mapping]]] = ...) -> None: ...

class LostTime(_message.Message):
    __slots__ = ["cause", "seconds"]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    cause: str
    seconds: float
    def __init__(self, cause: _Optional[str] = ..., seconds: _Optional[float] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ["request_id"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class PhaseShare(_message.Message):
    __slots__ = ["latency_ratio", "phase", "ratio"]
    LATENCY_RATIO_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    latency_ratio: float
    phase: str
    ratio: float
    def __init__(self, phase: _Optional[str] = ..., ratio: _Optional[float] = ..., latency_ratio: _Optional[float] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ["elapsed", "epoch", "eta", "evaluation_eta", "evaluation_fraction", "fraction", "images_seen", "last_unreadable_image", "step", "target_epochs", "target_steps", "unreadable_images"]
    ELAPSED_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ETA_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_ETA_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FRACTION_FIELD_NUMBER: _ClassVar[int]
    FRACTION_FIELD_NUMBER: _ClassVar[int]
    IMAGES_SEEN_FIELD_NUMBER: _ClassVar[int]
    LAST_UNREADABLE_IMAGE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TARGET_EPOCHS_FIELD_NUMBER: _ClassVar[int]
    TARGET_STEPS_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_IMAGES_FIELD_NUMBER: _ClassVar[int]
    elapsed: _duration_pb2.Duration
    epoch: float
    eta: _duration_pb2.Duration
    evaluation_eta: _duration_pb2.Duration
    evaluation_fraction: float
    fraction: float
    images_seen: int
    last_unreadable_image: str
    step: int
    target_epochs: float
    target_steps: int
    unreadable_images: int
    def __init__(self, step: _Optional[int] = ..., target_steps: _Optional[int] = ..., epoch: _Optional[float] = ..., target_epochs: _Optional[float] = ..., images_seen: _Optional[int] = ..., fraction: _Optional[float] = ..., elapsed: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., eta: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., unreadable_images: _Optional[int] = ..., last_unreadable_image: _Optional[str] = ..., evaluation_fraction: _Optional[float] = ..., evaluation_eta: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Protection(_message.Message):
    __slots__ = ["by", "expires", "identity", "warning"]
    BY_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    by: str
    expires: _timestamp_pb2.Timestamp
    identity: str
    warning: str
    def __init__(self, by: _Optional[str] = ..., identity: _Optional[str] = ..., expires: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., warning: _Optional[str] = ...) -> None: ...

class RemoveMemberRequest(_message.Message):
    __slots__ = ["node_id"]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ["request_id"]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class RunConfig(_message.Message):
    __slots__ = ["ablation", "arch", "augment", "augment_area", "augment_blur", "augment_blur_sigma", "augment_brightness", "augment_contrast", "augment_flip", "augment_grayscale", "augment_hue", "augment_jitter", "augment_ratio", "augment_saturation", "augment_solarize", "base_lr", "base_tau", "batch_norm", "batch_size", "bucket_bytes", "cache_dir", "cache_gib", "checkpoint_dir", "classes", "data", "data_timeout_seconds", "determinism", "device", "epochs", "eval_data", "eval_every_steps", "failure_timeout_seconds", "image_size", "init_sha256", "isa", "keep", "kernels", "knn_k", "knn_temperature", "lars_eta", "manifest_hash", "max_steps", "momentum", "no_overlap", "padding", "precision", "predictor_hidden", "preset", "projector_hidden", "projector_out", "run_id", "s3_endpoint", "samples", "save_every_seconds", "save_every_steps", "seed", "shards", "shards_at_once", "stem", "sums", "threads", "total_steps", "verify_every_steps", "warmup_steps", "weight_decay", "width", "wire", "zero_init_last_gamma"]
    ABLATION_FIELD_NUMBER: _ClassVar[int]
    ARCH_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_AREA_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_BLUR_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_BLUR_SIGMA_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_BRIGHTNESS_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_CONTRAST_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_FLIP_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_GRAYSCALE_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_HUE_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_JITTER_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_RATIO_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_SATURATION_FIELD_NUMBER: _ClassVar[int]
    AUGMENT_SOLARIZE_FIELD_NUMBER: _ClassVar[int]
    BASE_LR_FIELD_NUMBER: _ClassVar[int]
    BASE_TAU_FIELD_NUMBER: _ClassVar[int]
    BATCH_NORM_FIELD_NUMBER: _ClassVar[int]
    BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    BUCKET_BYTES_FIELD_NUMBER: _ClassVar[int]
    CACHE_DIR_FIELD_NUMBER: _ClassVar[int]
    CACHE_GIB_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_DIR_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DATA_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    DETERMINISM_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    EPOCHS_FIELD_NUMBER: _ClassVar[int]
    EVAL_DATA_FIELD_NUMBER: _ClassVar[int]
    EVAL_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    INIT_SHA256_FIELD_NUMBER: _ClassVar[int]
    ISA_FIELD_NUMBER: _ClassVar[int]
    KEEP_FIELD_NUMBER: _ClassVar[int]
    KERNELS_FIELD_NUMBER: _ClassVar[int]
    KNN_K_FIELD_NUMBER: _ClassVar[int]
    KNN_TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    LARS_ETA_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_HASH_FIELD_NUMBER: _ClassVar[int]
    MAX_STEPS_FIELD_NUMBER: _ClassVar[int]
    MOMENTUM_FIELD_NUMBER: _ClassVar[int]
    NO_OVERLAP_FIELD_NUMBER: _ClassVar[int]
    PADDING_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    PREDICTOR_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    PRESET_FIELD_NUMBER: _ClassVar[int]
    PROJECTOR_HIDDEN_FIELD_NUMBER: _ClassVar[int]
    PROJECTOR_OUT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    S3_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SAVE_EVERY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    SAVE_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SHARDS_AT_ONCE_FIELD_NUMBER: _ClassVar[int]
    SHARDS_FIELD_NUMBER: _ClassVar[int]
    STEM_FIELD_NUMBER: _ClassVar[int]
    SUMS_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_STEPS_FIELD_NUMBER: _ClassVar[int]
    VERIFY_EVERY_STEPS_FIELD_NUMBER: _ClassVar[int]
    WARMUP_STEPS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_DECAY_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    WIRE_FIELD_NUMBER: _ClassVar[int]
    ZERO_INIT_LAST_GAMMA_FIELD_NUMBER: _ClassVar[int]
    ablation: str
    arch: str
    augment: str
    augment_area: str
    augment_blur: str
    augment_blur_sigma: str
    augment_brightness: str
    augment_contrast: str
    augment_flip: str
    augment_grayscale: str
    augment_hue: str
    augment_jitter: str
    augment_ratio: str
    augment_saturation: str
    augment_solarize: str
    base_lr: float
    base_tau: float
    batch_norm: str
    batch_size: int
    bucket_bytes: int
    cache_dir: str
    cache_gib: int
    checkpoint_dir: str
    classes: int
    data: str
    data_timeout_seconds: float
    determinism: str
    device: str
    epochs: float
    eval_data: str
    eval_every_steps: int
    failure_timeout_seconds: float
    image_size: int
    init_sha256: str
    isa: str
    keep: int
    kernels: str
    knn_k: int
    knn_temperature: float
    lars_eta: float
    manifest_hash: str
    max_steps: int
    momentum: float
    no_overlap: bool
    padding: str
    precision: str
    predictor_hidden: int
    preset: str
    projector_hidden: int
    projector_out: int
    run_id: str
    s3_endpoint: str
    samples: int
    save_every_seconds: float
    save_every_steps: int
    seed: int
    shards: int
    shards_at_once: int
    stem: str
    sums: str
    threads: int
    total_steps: int
    verify_every_steps: int
    warmup_steps: int
    weight_decay: float
    width: int
    wire: str
    zero_init_last_gamma: bool
    def __init__(self, run_id: _Optional[str] = ..., seed: _Optional[int] = ..., arch: _Optional[str] = ..., width: _Optional[int] = ..., stem: _Optional[str] = ..., padding: _Optional[str] = ..., image_size: _Optional[int] = ..., projector_hidden: _Optional[int] = ..., projector_out: _Optional[int] = ..., predictor_hidden: _Optional[int] = ..., classes: _Optional[int] = ..., batch_norm: _Optional[str] = ..., ablation: _Optional[str] = ..., zero_init_last_gamma: bool = ..., batch_size: _Optional[int] = ..., shards: _Optional[int] = ..., total_steps: _Optional[int] = ..., warmup_steps: _Optional[int] = ..., base_lr: _Optional[float] = ..., weight_decay: _Optional[float] = ..., base_tau: _Optional[float] = ..., momentum: _Optional[float] = ..., lars_eta: _Optional[float] = ..., epochs: _Optional[float] = ..., max_steps: _Optional[int] = ..., data: _Optional[str] = ..., eval_data: _Optional[str] = ..., samples: _Optional[int] = ..., manifest_hash: _Optional[str] = ..., eval_every_steps: _Optional[int] = ..., knn_k: _Optional[int] = ..., knn_temperature: _Optional[float] = ..., device: _Optional[str] = ..., threads: _Optional[int] = ..., checkpoint_dir: _Optional[str] = ..., save_every_steps: _Optional[int] = ..., save_every_seconds: _Optional[float] = ..., keep: _Optional[int] = ..., failure_timeout_seconds: _Optional[float] = ..., determinism: _Optional[str] = ..., preset: _Optional[str] = ..., augment: _Optional[str] = ..., bucket_bytes: _Optional[int] = ..., kernels: _Optional[str] = ..., isa: _Optional[str] = ..., no_overlap: bool = ..., verify_every_steps: _Optional[int] = ..., augment_area: _Optional[str] = ..., augment_ratio: _Optional[str] = ..., augment_flip: _Optional[str] = ..., augment_jitter: _Optional[str] = ..., augment_brightness: _Optional[str] = ..., augment_contrast: _Optional[str] = ..., augment_saturation: _Optional[str] = ..., augment_hue: _Optional[str] = ..., augment_grayscale: _Optional[str] = ..., augment_blur: _Optional[str] = ..., augment_blur_sigma: _Optional[str] = ..., augment_solarize: _Optional[str] = ..., wire: _Optional[str] = ..., precision: _Optional[str] = ..., sums: _Optional[str] = ..., data_timeout_seconds: _Optional[float] = ..., s3_endpoint: _Optional[str] = ..., cache_dir: _Optional[str] = ..., cache_gib: _Optional[int] = ..., shards_at_once: _Optional[int] = ..., init_sha256: _Optional[str] = ...) -> None: ...

class RunOperation(_message.Message):
    __slots__ = ["checkpoint", "generation", "state", "step"]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    checkpoint: CheckpointInfo
    generation: int
    state: RunState
    step: int
    def __init__(self, state: _Optional[_Union[RunState, str]] = ..., generation: _Optional[int] = ..., step: _Optional[int] = ..., checkpoint: _Optional[_Union[CheckpointInfo, _Mapping]] = ...) -> None: ...

class Status(_message.Message):
    __slots__ = ["age", "as_of", "build", "cluster", "config", "faults", "generation", "last_checkpoint", "last_save_error", "last_save_error_step", "last_save_error_time", "learning", "progress", "protection", "run_dir", "run_id", "stale", "stale_reason", "state", "state_reason", "throughput", "warnings", "workers"]
    AGE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    BUILD_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    LAST_CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LAST_SAVE_ERROR_FIELD_NUMBER: _ClassVar[int]
    LAST_SAVE_ERROR_STEP_FIELD_NUMBER: _ClassVar[int]
    LAST_SAVE_ERROR_TIME_FIELD_NUMBER: _ClassVar[int]
    LEARNING_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    PROTECTION_FIELD_NUMBER: _ClassVar[int]
    RUN_DIR_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    STALE_REASON_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_REASON_FIELD_NUMBER: _ClassVar[int]
    THROUGHPUT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    age: _duration_pb2.Duration
    as_of: _timestamp_pb2.Timestamp
    build: Build
    cluster: Cluster
    config: RunConfig
    faults: Faults
    generation: int
    last_checkpoint: CheckpointInfo
    last_save_error: str
    last_save_error_step: int
    last_save_error_time: _timestamp_pb2.Timestamp
    learning: Learning
    progress: Progress
    protection: Protection
    run_dir: str
    run_id: str
    stale: bool
    stale_reason: str
    state: RunState
    state_reason: str
    throughput: Throughput
    warnings: _containers.RepeatedScalarFieldContainer[str]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    def __init__(self, run_id: _Optional[str] = ..., state: _Optional[_Union[RunState, str]] = ..., state_reason: _Optional[str] = ..., generation: _Optional[int] = ..., as_of: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., learning: _Optional[_Union[Learning, _Mapping]] = ..., throughput: _Optional[_Union[Throughput, _Mapping]] = ..., cluster: _Optional[_Union[Cluster, _Mapping]] = ..., last_checkpoint: _Optional[_Union[CheckpointInfo, _Mapping]] = ..., workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ..., build: _Optional[_Union[Build, _Mapping]] = ..., config: _Optional[_Union[RunConfig, _Mapping]] = ..., run_dir: _Optional[str] = ..., faults: _Optional[_Union[Faults, _Mapping]] = ..., last_save_error: _Optional[str] = ..., stale: bool = ..., age: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., stale_reason: _Optional[str] = ..., warnings: _Optional[_Iterable[str]] = ..., last_save_error_step: _Optional[int] = ..., last_save_error_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., protection: _Optional[_Union[Protection, _Mapping]] = ...) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ["now", "request_id"]
    NOW_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    now: bool
    request_id: str
    def __init__(self, request_id: _Optional[str] = ..., now: bool = ...) -> None: ...

class Throughput(_message.Message):
    __slots__ = ["images_per_second", "mean_images_per_second", "mean_steps", "phases", "step_time_p50", "step_time_p99"]
    IMAGES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MEAN_IMAGES_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MEAN_STEPS_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    STEP_TIME_P50_FIELD_NUMBER: _ClassVar[int]
    STEP_TIME_P99_FIELD_NUMBER: _ClassVar[int]
    images_per_second: float
    mean_images_per_second: float
    mean_steps: int
    phases: _containers.RepeatedCompositeFieldContainer[PhaseShare]
    step_time_p50: _duration_pb2.Duration
    step_time_p99: _duration_pb2.Duration
    def __init__(self, images_per_second: _Optional[float] = ..., step_time_p50: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., step_time_p99: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., phases: _Optional[_Iterable[_Union[PhaseShare, _Mapping]]] = ..., mean_images_per_second: _Optional[float] = ..., mean_steps: _Optional[int] = ...) -> None: ...

class TransferLeaderRequest(_message.Message):
    __slots__ = ["node_id"]
    NODE_ID_FIELD_NUMBER: _ClassVar[int]
    node_id: str
    def __init__(self, node_id: _Optional[str] = ...) -> None: ...

class WatchStatusRequest(_message.Message):
    __slots__ = ["min_interval"]
    MIN_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    min_interval: _duration_pb2.Duration
    def __init__(self, min_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ["address", "device", "host", "id", "last_error", "last_seen", "peak_resident_bytes", "pid", "rank", "resident_bytes", "shard_begin", "shard_end", "state", "step", "waiting_for", "workers"]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    LAST_SEEN_FIELD_NUMBER: _ClassVar[int]
    PEAK_RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    RESIDENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHARD_BEGIN_FIELD_NUMBER: _ClassVar[int]
    SHARD_END_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    WAITING_FOR_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    address: str
    device: str
    host: str
    id: str
    last_error: str
    last_seen: _timestamp_pb2.Timestamp
    peak_resident_bytes: int
    pid: int
    rank: int
    resident_bytes: int
    shard_begin: int
    shard_end: int
    state: str
    step: int
    waiting_for: str
    workers: int
    def __init__(self, id: _Optional[str] = ..., rank: _Optional[int] = ..., state: _Optional[str] = ..., step: _Optional[int] = ..., last_seen: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., address: _Optional[str] = ..., host: _Optional[str] = ..., pid: _Optional[int] = ..., device: _Optional[str] = ..., resident_bytes: _Optional[int] = ..., peak_resident_bytes: _Optional[int] = ..., waiting_for: _Optional[str] = ..., last_error: _Optional[str] = ..., shard_begin: _Optional[int] = ..., shard_end: _Optional[int] = ..., workers: _Optional[int] = ...) -> None: ...

class RunState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
