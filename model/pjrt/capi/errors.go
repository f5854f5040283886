package capi

import (
	"errors"
	"fmt"
)

// Code is what kind of error a plugin reports; the numbers are those of absl::StatusCode.
type Code int32

// The codes.
const (
	Cancelled          Code = 1
	Unknown            Code = 2
	InvalidArgument    Code = 3
	DeadlineExceeded   Code = 4
	NotFound           Code = 5
	AlreadyExists      Code = 6
	PermissionDenied   Code = 7
	ResourceExhausted  Code = 8
	FailedPrecondition Code = 9
	Aborted            Code = 10
	OutOfRange         Code = 11
	Unimplemented      Code = 12
	Internal           Code = 13
	Unavailable        Code = 14
	DataLoss           Code = 15
	Unauthenticated    Code = 16
)

var codeNames = [...]string{"no code", "cancelled", "unknown", "invalid argument", "deadline exceeded", "not found",
	"already exists", "permission denied", "out of memory", "failed precondition", "aborted", "out of range",
	"not offered", "internal error", "unavailable", "data loss", "unauthenticated"}

func (c Code) String() string {
	if c < 0 || int(c) >= len(codeNames) {
		return fmt.Sprintf("code %d", int32(c))
	}
	return codeNames[c]
}

// ErrOutOfMemory is what an *Error is when a device or its host has no room for what was asked.
var ErrOutOfMemory = errors.New("capi: out of memory")

// Error is what a plugin reported.
type Error struct {
	Code    Code
	Message string
}

func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code.String()
	}
	return fmt.Sprintf("%s (%v)", e.Message, e.Code)
}

// Is reports whether the error is ErrOutOfMemory.
func (e *Error) Is(target error) bool { return target == ErrOutOfMemory && e.Code == ResourceExhausted }

// takeError makes a Go error of a PJRT_Error, and frees that.
func (p *Plugin) takeError(e uintptr) error {
	var m struct {
		head
		err, at, n uintptr
		tail
	}
	m.err = e
	if _, err := raw(p, errorMessage, &m); err != nil {
		return err
	}
	var c struct {
		head
		err  uintptr
		code Code
		tail
	}
	c.err = e
	if r, err := raw(p, errorGetCode, &c); err != nil || r != 0 {
		c.code = Unknown
	}
	out := &Error{c.code, text(m.at, m.n)}
	var d struct {
		head
		err uintptr
		tail
	}
	d.err = e
	_, _ = raw(p, errorDestroy, &d)
	return out
}
