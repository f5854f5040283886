package raftnode

import (
	"io"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLogger returns raft's logger that writes to log. What raft calls information is of use only to whoever debugs
// raft, and an election of a single voter is no warning.
func newLogger(log *zap.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Info, Output: io.Discard})
	l.RegisterSink(sink{log.Named("raft").Sugar()})
	return l
}

type sink struct{ log *zap.SugaredLogger }

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(_ string, level hclog.Level, message string, args ...any) {
	to := zapcore.DebugLevel
	switch level {
	case hclog.Warn:
		to = zapcore.InfoLevel
	case hclog.Error:
		to = zapcore.ErrorLevel
	}
	s.log.Logw(to, message, args...)
}
