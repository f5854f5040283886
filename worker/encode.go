package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/pause"
	"byol/internal/vector"
	"byol/model"
	pb "byol/proto"
	"byol/worker/control"
	"byol/worker/data/source"
)

const (
	encodeMessage = 32 << 20         // the largest message of an evaluation
	encodeSilence = 30 * time.Second // after which a coordinator that answers nothing is lost
	encodeAgain   = 200 * time.Millisecond
)

// Encode is a worker of an evaluation: it joins the coordinator of one, computes the features of the images that it is
// asked for, and their nearest neighbours, until nothing is left to do. Where the coordinator goes away it waits for
// one to come back for the join timeout. Of opts it uses what says where, on what, and as whom it computes. It returns
// nil when the evaluation was over, and a *failure.Failure otherwise.
func Encode(ctx context.Context, opts Options) error {
	opts.setDefaults()
	opts.NoSharedMemory = true // workers of an evaluation don't talk to each other
	if !vector.LittleEndian() {
		return bigEndian()
	}
	coordinators, err := control.Addresses(opts.Coordinator)
	if err != nil {
		return err
	}
	heard := time.Now() // when a coordinator last had work for us
	for {
		if _, err := control.Reach(ctx, opts.Network, coordinators, opts.JoinTimeout); err != nil {
			return err
		}
		e := &encoding{opts: opts}
		err := e.run(ctx, coordinators[0])
		if e.job != nil {
			heard = time.Now()
		}
		var lost *lostError
		switch {
		case ctx.Err() != nil:
			return &failure.Failure{What: "left the evaluation", Why: context.Cause(ctx).Error(), Code: failure.Temporary,
				Try: "start it again; the others go on meanwhile"}
		case errors.As(err, &lost) && time.Since(heard) >= opts.JoinTimeout:
			return control.Unreachable(coordinators[:1], opts.JoinTimeout, lost.err)
		case errors.As(err, &lost):
			opts.Log.Warn("the line to the coordinator broke", zap.Error(lost.err))
			pause.For(ctx, encodeAgain)
			continue
		case err != nil:
			return failure.Of(err, failure.Failure{What: "the worker broke", Try: "report this with the worker's log",
				Code: failure.Internal})
		}
		return nil
	}
}

// lostError says that the stream broke: another one may do better.
type lostError struct{ err error }

// Error implements error.
func (e *lostError) Error() string { return "the coordinator is gone: " + e.err.Error() }

// lost is what an error of a stream means.
func lost(err error) error {
	if status.Code(err) == codes.Unimplemented {
		return &failure.Failure{What: "what answers is not the coordinator of an evaluation",
			Why: status.Convert(err).Message(), Code: failure.Unreachable,
			Try: "worker --coordinator without encode joins a training"}
	}
	return &lostError{err}
}

// encoding is one membership in one evaluation.
type encoding struct {
	opts      Options
	stream    grpc.BidiStreamingClient[pb.FromEncoder, pb.ToEncoder]
	job       *pb.FeatureJob
	equipment *equipment
	sets      []source.Source
	encoder   *model.Encoder
	near      nearest
	tuned     tuning
	tensors   []model.Tensor   // the encoder's, with torchvision's names
	block     *pb.FeatureBlock // of the task at hand
	explained bool             // the coordinator was told why this worker goes
	reader    *reader          // of the stream, while follow runs; nil: whoever asks receives
}

// reader is the one goroutine that receives from a stream.
type reader struct {
	free  func()        // has it pass messages over that nobody takes any more
	ended chan struct{} // closed when the stream has ended
	err   error         // why it has, after that
}

// run attaches, works until the coordinator says that it is over, and tells it what went wrong otherwise.
func (e *encoding) run(ctx context.Context, address string) error {
	conn, err := e.dial(address)
	if err != nil {
		return fmt.Errorf("open connection: %w", err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if e.stream, err = pb.NewFeaturePlaneClient(conn).Attach(ctx); err != nil {
		return lost(err)
	}
	if err = e.work(ctx); err != nil && e.explain(err) {
		for err := error(nil); err == nil; { // until it has heard
			_, err = e.stream.Recv()
		}
	}
	if e.equipment != nil {
		err = errors.Join(err, e.equipment.close())
	}
	return err
}

func (e *encoding) dial(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(encodeMessage), grpc.MaxCallSendMsgSize(encodeMessage)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: encodeSilence, Timeout: encodeSilence}),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := e.opts.Network.Dial(ctx, address)
			if err != nil {
				return nil, err
			}
			return c, network.LimitSilence(c, encodeSilence)
		}))
}

// explain says why this worker goes, as its last message, and reports whether it has said so now.
func (e *encoding) explain(err error) bool {
	var gone *lostError
	if e.explained || e.stream.Context().Err() != nil || errors.As(err, &gone) {
		return false
	}
	e.explained = true
	f := failure.Of(err, failure.Failure{What: "the worker broke", Code: failure.Internal})
	m := &pb.EncoderFailed{What: control.Text(f.What), Why: control.Text(f.Why), Try: control.Text(f.Try),
		ExitCode: int32(f.Code)}
	return e.stream.Send(&pb.FromEncoder{Message: &pb.FromEncoder_Failed{Failed: m}}) == nil && e.stream.CloseSend() == nil
}

// work joins, opens what the job needs, and computes.
func (e *encoding) work(ctx context.Context) error {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	hello := &pb.EncoderHello{Index: int32(e.opts.Index), Host: host, Pid: int32(os.Getpid()), Build: e.opts.Build}
	if err := e.send(&pb.FromEncoder{Message: &pb.FromEncoder_Hello{Hello: hello}}); err != nil {
		return err
	}
	m, err := e.receive()
	if err != nil {
		return err
	}
	if e.job = m.GetJob(); e.job == nil {
		return outOfOrder(m)
	}
	weights, err := e.weights()
	if err != nil {
		return err
	}
	if err := e.open(ctx, weights); err != nil {
		return err
	}
	ready := &pb.EncoderReady{Device: e.equipment.engine.Name(), Fingerprint: e.equipment.fingerprint(),
		Dim: int32(e.encoder.FeatureDim())}
	for _, s := range e.sets {
		ready.Manifests = append(ready.Manifests, s.Manifest())
	}
	e.opts.Log.Info("ready", zap.String("fingerprint", ready.Fingerprint))
	if err := e.send(&pb.FromEncoder{Message: &pb.FromEncoder_Ready{Ready: ready}}); err != nil {
		return err
	}
	return e.follow(ctx)
}

// weights receives the encoder.
func (e *encoding) weights() ([]model.Tensor, error) {
	var file []byte
	for int64(len(file)) < e.job.EncoderBytes {
		m, err := e.receive()
		if err != nil {
			return nil, err
		}
		if m.GetEncoder() == nil {
			return nil, outOfOrder(m)
		}
		file = append(file, m.GetEncoder().Data...)
	}
	if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != e.job.EncoderSha256 {
		return nil, &failure.Failure{What: "the encoder was damaged on its way", Why: "its checksum is another",
			Try: "start the worker again", Code: failure.Internal}
	}
	return encoderTensors(file)
}

// open opens the engine, the images and the encoder.
func (e *encoding) open(ctx context.Context, weights []model.Tensor) error {
	cfg := e.job.Config
	var err error
	e.tensors = weights
	if e.equipment, err = openEquipment(ctx, e.opts, cfg); err != nil {
		return err
	}
	e.sets = []source.Source{e.equipment.train}
	if cfg.EvalData != "" {
		_, judged, err := e.equipment.judged(ctx)
		if err != nil {
			return err
		}
		e.sets = append(e.sets, judged)
	}
	if e.encoder, err = model.NewEncoder(ctx, e.equipment.engine, learnerConfig(cfg), int(e.job.BatchSize)); err == nil {
		err = e.encoder.Load(weights)
	}
	if err != nil {
		return failure.Of(err, failure.Failure{What: "the encoder cannot be used", Try: "check --arch, --stem, --width and " +
			"--image-size", Code: failure.Usage})
	}
	return nil
}

// follow does what the coordinator asks for, one thing after the other. Images are decoded ahead.
func (e *encoding) follow(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	asked, decoded := make(chan *pb.ToEncoder, 4), make(chan piece, 1)
	r := &reader{free: func() { cancel(nil) }, ended: make(chan struct{})}
	e.reader = r
	var wg sync.WaitGroup
	defer func() {
		if err != nil {
			e.explain(err)
		} else {
			_ = e.stream.CloseSend() // then the coordinator ends the stream
		}
		cancel(err)
		wg.Wait()
		e.reader = nil
	}()
	wg.Go(func() {
		defer close(asked)
		defer close(r.ended)
		for { // to the stream's end, which the coordinator brings about
			m, err := e.receive()
			if err != nil {
				r.err = err
				cancel(err)
				return
			}
			select {
			case asked <- m:
			case <-ctx.Done():
			}
		}
	})
	wg.Go(func() {
		defer close(decoded)
		if err := e.decode(ctx, asked, decoded); err != nil {
			cancel(err)
		}
	})
	for p := range decoded {
		if over, err := e.compute(ctx, p); err != nil || over {
			return err
		}
	}
	return context.Cause(ctx)
}

func (e *encoding) send(m *pb.FromEncoder) error {
	err := e.stream.Send(m)
	if errors.Is(err, io.EOF) && e.reader != nil { // a stream has one receiver, who knows why it ended
		e.reader.free()
		<-e.reader.ended
		return e.reader.err
	}
	if errors.Is(err, io.EOF) { // Recv knows why
		_, err = e.stream.Recv()
	}
	if err != nil {
		return lost(err)
	}
	return nil
}

// receive gives the next message, and a refusal as a failure.
func (e *encoding) receive() (*pb.ToEncoder, error) {
	m, err := e.stream.Recv()
	if err != nil {
		return nil, lost(err)
	}
	if r := m.GetRefused(); r != nil {
		return nil, &failure.Failure{What: "the coordinator refused this worker", Why: control.Text(r.Reason),
			Try: control.Text(r.Hint), Code: failure.Usage}
	}
	return m, nil
}

func outOfOrder(m *pb.ToEncoder) error {
	return &failure.Failure{What: "the coordinator answered out of order", Why: fmt.Sprintf("%T", m.GetMessage()),
		Try: "use binaries of one build", Code: failure.Usage}
}
