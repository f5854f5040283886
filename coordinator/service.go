package coordinator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator/lead"
	"byol/coordinator/raftnode"
	"byol/coordinator/run"
	"byol/coordinator/status"
	pb "byol/proto"
)

// service answers operators.
type service struct {
	pb.UnimplementedCoordinatorServer
	c *Coordinator
}

const (
	statusPatience   = 1500 * time.Millisecond // how long an operator waits for a new status
	minWatchInterval = 50 * time.Millisecond
	watchInterval    = time.Second
	effectWait       = time.Second // how long an operation waits to report its effect rather than its acceptance
	eventsPage       = 100
	maxEventsPage    = 1000
)

// GetStatus implements the service. Who cannot say anything new in time, because it waits for a disk, says what it
// knew.
func (s service) GetStatus(ctx context.Context, _ *pb.GetStatusRequest) (*pb.Status, error) {
	limited, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	err := s.c.post(limited, envelope{})
	if err != nil && ctx.Err() != nil {
		return nil, err
	}
	now, _ := s.c.latest.Look()
	if err != nil && limited.Err() != nil {
		return s.c.overdue(now, time.Now()), nil
	}
	return now, nil
}

// overdue is a status that nobody renewed in time, and why.
func (c *Coordinator) overdue(old *pb.Status, now time.Time) *pb.Status {
	st := proto.Clone(old).(*pb.Status)
	st.Stale, st.StaleReason = true, "this coordinator is busy"
	if begun := c.proposing.Load(); begun > 0 {
		what := "the log's disk has"
		if c.opts.several() {
			what = "the log's disk, or most of the other coordinators, have"
		}
		st.StaleReason = fmt.Sprintf("%s not answered for %.1f s", what,
			now.Sub(c.started.Add(time.Duration(begun))).Seconds())
	}
	if st.AsOf.IsValid() {
		st.Age = durationpb.New(now.Sub(st.AsOf.AsTime()))
	}
	return st
}

// WatchStatus implements the service. It ends with the run.
func (s service) WatchStatus(r *pb.WatchStatusRequest, stream pb.Coordinator_WatchStatusServer) error {
	interval := watchInterval
	if d := r.GetMinInterval(); d.IsValid() {
		interval = max(minWatchInterval, d.AsDuration())
	}
	pause := time.NewTicker(interval)
	defer pause.Stop()
	for {
		now, changed := s.c.latest.Look()
		if err := stream.Send(now); err != nil {
			return err
		}
		due, news := false, false
		for !due || !news {
			select {
			case <-pause.C:
				due = true
			case <-changed:
				news, changed = true, nil
			case <-stream.Context().Done():
				return grpcstatus.FromContextError(stream.Context().Err()).Err()
			case <-s.c.ended:
				last, _ := s.c.latest.Look()
				return stream.Send(last)
			}
		}
	}
}

// ListEvents implements the service. Without a leader to ask they are this coordinator's own.
func (s service) ListEvents(ctx context.Context, r *pb.ListEventsRequest) (*pb.ListEventsResponse, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.ListEvents); !here && err == nil {
		return answer, nil
	}
	size := int(r.PageSize)
	if size <= 0 {
		size = eventsPage
	}
	answer := &pb.ListEventsResponse{}
	files := s.c.report.Load()
	if files == nil {
		return answer, nil
	}
	for _, e := range files.Events(r.AfterId, min(size, maxEventsPage)) {
		answer.Events = append(answer.Events, &pb.Event{Id: e.ID, Time: timestamppb.New(e.Time), Type: e.Type,
			Worker: e.Worker, Text: e.Text})
	}
	return answer, nil
}

// ListCheckpoints implements the service.
func (s service) ListCheckpoints(context.Context, *pb.ListCheckpointsRequest) (*pb.ListCheckpointsResponse, error) {
	if s.c.opts.Checkpoints != nil {
		list, err := s.c.opts.Checkpoints.List()
		if err != nil {
			return nil, grpcstatus.Errorf(codes.Unavailable, "list checkpoints: %v", err)
		}
		return &pb.ListCheckpointsResponse{Checkpoints: list}, nil
	}
	view, _ := s.c.node.View()
	answer := &pb.ListCheckpointsResponse{}
	for _, k := range view.Checkpoints {
		answer.Checkpoints = append(answer.Checkpoints, status.Checkpoint(k))
	}
	return answer, nil
}

// Pause implements the service.
func (s service) Pause(ctx context.Context, r *pb.PauseRequest) (*pb.RunOperation, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.Pause); !here {
		return answer, err
	}
	id := requestID(r.RequestId)
	return s.operate(ctx, wish{kind: "paused", request: id, text: "training pauses at the next step boundary"},
		run.Pause{Request: id}, func(v *run.State) bool { return !v.Busy() })
}

// Resume implements the service.
func (s service) Resume(ctx context.Context, r *pb.ResumeRequest) (*pb.RunOperation, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.Resume); !here {
		return answer, err
	}
	id := requestID(r.RequestId)
	return s.operate(ctx, wish{kind: "resumed", request: id, text: "training goes on"}, run.Resume{Request: id}, nil)
}

// Stop implements the service.
func (s service) Stop(ctx context.Context, r *pb.StopRequest) (*pb.RunOperation, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.Stop); !here {
		return answer, err
	}
	id := requestID(r.RequestId)
	refused := func(v *run.State) string {
		request, _ := v.Request(id)
		return request.Error
	}
	asked := wish{kind: "stop-asked", request: id, text: "the run ends after a checkpoint"}
	if r.Now {
		asked.text = "the run ends at once"
	}
	op, err := s.operate(ctx, asked, run.Stop{Request: id, Reason: "asked by an operator", Now: r.Now},
		func(v *run.State) bool { return v.Phase.Final() || refused(v) != "" })
	if err != nil {
		return nil, err
	}
	if view, _ := s.c.node.View(); !view.Phase.Final() && refused(&view) != "" {
		return nil, grpcstatus.Errorf(codes.Aborted, "the run is paused and has not stopped: "+
			"its checkpoint was not saved: %s",
			refused(&view))
	}
	return op, nil
}

// Checkpoint implements the service.
func (s service) Checkpoint(ctx context.Context, r *pb.CheckpointRequest) (*pb.RunOperation, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.Checkpoint); !here {
		return answer, err
	}
	id := requestID(r.RequestId)
	op, err := s.operate(ctx, wish{kind: "checkpoint-asked", request: id, text: "a checkpoint is to be saved"},
		run.RequestSave{Request: id}, nil)
	if err != nil || !r.Wait {
		return op, err
	}
	for {
		view, changed := s.c.node.View()
		request, ok := view.Request(id)
		switch {
		case !ok:
			return nil, grpcstatus.Errorf(codes.Aborted, "request %s was forgotten among newer ones", id)
		case request.Error != "":
			return nil, grpcstatus.Errorf(codes.Aborted, "the checkpoint was not written: %s", request.Error)
		case request.Done:
			op = operationOf(&view)
			if k, ok := view.Stored(request.Step); ok {
				op.Checkpoint = status.Checkpoint(k)
			}
			return op, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, grpcstatus.FromContextError(ctx.Err()).Err()
		case <-s.c.ended:
			return nil, grpcstatus.Error(codes.Aborted, "the run ended before the checkpoint was written")
		}
	}
}

// Drain implements the service. A worker leaves once: who asks again finds it leaving, or gone.
func (s service) Drain(ctx context.Context, r *pb.DrainRequest) (*pb.RunOperation, error) {
	if answer, here, err := forward(ctx, s.c, r, pb.CoordinatorClient.Drain); !here {
		return answer, err
	}
	id := run.WorkerID(r.WorkerId)
	d := wish{kind: "drain-asked", request: requestID(r.RequestId), worker: r.WorkerId,
		text: lead.Plain(r.WorkerId, maxShown) + " leaves for good at the next step boundary"}
	view, _ := s.c.node.View()
	leaves, err := lead.Drains(&view, id)
	if d.again = leaves; err == nil && !leaves {
		err = s.c.post(ctx, envelope{event: lead.Drain{Worker: id}})
	}
	if err != nil {
		d.err = rpcError(err)
	}
	if s.c.audit(ctx, d); d.err != nil {
		return nil, d.err
	}
	return s.effective(ctx, func(v *run.State) bool {
		return !slices.ContainsFunc(v.Members, func(m run.Member) bool { return m.ID == id })
	})
}

// operate proposes c, writes down who asked for it, and waits a moment for its effect.
func (s service) operate(ctx context.Context, d wish, c run.Command, effect func(*run.State) bool) (*pb.RunOperation,
	error) {
	before, _ := s.c.node.View()
	_, d.again = before.Request(d.request)
	if err := s.c.node.Propose(ctx, c); err != nil {
		d.err = rpcError(err)
	}
	s.c.audit(ctx, d)
	if d.err != nil {
		return nil, d.err
	}
	return s.effective(ctx, effect)
}

// effective waits a moment for the effect of what was done; nil has none to wait for.
func (s service) effective(ctx context.Context, effect func(*run.State) bool) (*pb.RunOperation, error) {
	timer := time.NewTimer(effectWait)
	defer timer.Stop()
	for {
		view, changed := s.c.node.View()
		if effect == nil || effect(&view) || view.Phase.Final() {
			return operationOf(&view), nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return operationOf(&view), nil
		case <-ctx.Done():
			return nil, grpcstatus.FromContextError(ctx.Err()).Err()
		}
	}
}

func operationOf(v *run.State) *pb.RunOperation {
	return &pb.RunOperation{State: status.State(v.Phase), Generation: v.Generation, Step: v.Step}
}

func requestID(id string) string {
	if id == "" {
		return rand.Text()
	}
	return id
}

// rpcError gives an error of a proposal its code.
func rpcError(err error) error {
	if _, coded := grpcstatus.FromError(err); coded {
		return err
	}
	switch {
	case errors.Is(err, run.ErrInvalid):
		return grpcstatus.Error(codes.InvalidArgument, err.Error())
	case errors.Is(err, lead.ErrNoWorker):
		return grpcstatus.Error(codes.NotFound, strings.TrimPrefix(err.Error(), "lead: "))
	case errors.Is(err, lead.ErrTooFew):
		return grpcstatus.Error(codes.FailedPrecondition, strings.TrimPrefix(err.Error(), "lead: "))
	case refused(err) || errors.Is(err, raftnode.ErrMember) || errors.Is(err, raftnode.ErrLeads):
		return grpcstatus.Error(codes.FailedPrecondition, err.Error())
	}
	return grpcstatus.Error(codes.Unavailable, err.Error())
}
