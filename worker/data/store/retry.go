package store

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"byol/internal/failure"
	"byol/internal/pause"
	"byol/worker/data/source"
)

// statusError is an answer that is none: its HTTP status, and the words of the service.
type statusError struct {
	status  int
	code    string // NoSuchKey, AccessDenied, …; "" where the service has no such words
	message string
}

// Error implements error.
func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", e.status, e.code, e.message))
}

const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
	// patient is how long nothing is said of what may pass.
	patient = 3 * time.Second
)

// retry calls f until it succeeds, fails for good, or Patience has passed since anything came: f says whether something
// did. Pauses double and are spread, so that many workers do not come back at once. A wait that people notice is told,
// once until something comes again, whatever else waits as well.
func (s *Store) retry(ctx context.Context, verb, name string, f func(context.Context) (came bool, err error)) error {
	begun, gap := time.Now(), firstPause
	for tries := 1; ; tries++ {
		attempt, end := context.WithTimeout(ctx, s.cfg.Patience)
		came, err := f(attempt)
		end()
		switch {
		case err == nil:
			s.waiting.Store(false)
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !passes(err):
			return told(verb, name, err)
		}
		if came {
			begun, gap = time.Now(), firstPause
		}
		if time.Since(begun) >= min(patient, s.cfg.Patience/4) && s.waiting.CompareAndSwap(false, true) {
			s.cfg.Note(fmt.Sprintf("waiting for %s: %v; asked again for up to %v (--data-timeout)", name, err, s.cfg.Patience))
		}
		wait := gap/2 + time.Duration(time.Now().UnixNano())%gap
		if left := s.cfg.Patience - time.Since(begun); wait >= left {
			return &failure.Failure{What: verb + " " + name, Code: failure.Data, Err: err,
				Why: fmt.Sprintf("%v, after %d tries in %v", err, tries, time.Since(begun).Round(time.Millisecond)),
				Try: "look whether the server answers; --data-timeout tries for longer"}
		}
		if !pause.For(ctx, wait) {
			return context.Cause(ctx)
		}
		gap = min(2*gap, longPause)
	}
}

// passes reports whether an error may be gone when one tries again.
func passes(err error) bool {
	var status *statusError
	switch {
	case errors.As(err, &status):
		return status.status >= 500 && status.status != http.StatusNotImplemented ||
			status.status == http.StatusTooManyRequests || status.status == http.StatusRequestTimeout ||
			status.code == "SlowDown" || status.code == "RequestTimeout"
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, source.ErrChanged), errors.Is(err, errNoRanges),
		errors.Is(err, errNoList):
		return false
	}
	return certificateHint(err) == ""
}

// certificateHint is what to do about a server that proved to be another one than was asked for, "" for other errors.
func certificateHint(err error) string {
	var unknown x509.UnknownAuthorityError
	var wrongHost x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "the certificate of who vouches for the server in SSL_CERT_FILE, for the workers too"
	case errors.As(err, &wrongHost):
		return "one of the names that its certificate has"
	case errors.As(err, &invalid):
		return "look after the server's certificate, and this machine's clock"
	}
	return ""
}

var (
	errNoRanges = errors.New("this server gives whole files alone")
	errNoList   = errors.New("a web server cannot be asked what it has")
)

// told is an error for people: what a status means, and what to do about it.
func told(verb, name string, err error) error {
	f := &failure.Failure{What: verb + " " + name, Why: err.Error(), Code: failure.Data, Err: err,
		Try: cmp.Or(certificateHint(err), "look whether the name is right and the server answers")}
	var status *statusError
	if errors.As(err, &status) {
		switch {
		case status.code == "ExpiredToken" || status.code == "TokenRefreshRequired" || status.code == "RequestExpired":
			f.Why = "the credentials have expired (" + err.Error() + ")"
			f.Try = "renew them (aws sso login, or new AWS_… variables) and start again: the run goes on"
			f.Err = errors.Join(err, source.ErrDenied)
		case status.code == "RequestTimeTooSkewed":
			f.Why, f.Try = "this machine's clock is wrong ("+err.Error()+")", "set the clock"
		case status.code == "NoSuchBucket":
			f.Why, f.Try = "there is no such bucket ("+err.Error()+")", "check the bucket's name, and --s3-endpoint"
		case status.status == http.StatusNotFound:
			f.Why, f.Try, f.Err = "it does not exist ("+err.Error()+")", "check the name", errors.Join(err, fs.ErrNotExist)
		case status.status == http.StatusForbidden || status.status == http.StatusUnauthorized:
			f.Why, f.Err = "access is denied ("+err.Error()+")", errors.Join(err, source.ErrDenied)
			f.Try = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE or the machine's role, " +
				"and what they may read"
		case status.status == http.StatusPreconditionFailed || status.status == http.StatusRequestedRangeNotSatisfiable:
			err = source.ErrChanged
		}
	}
	switch {
	case errors.Is(err, source.ErrChanged):
		f.Why, f.Err = "it is another object than the one that was indexed", errors.Join(err, source.ErrChanged)
		f.Try = "bring the object back as it was, or restart the run if this was meant"
	case errors.Is(err, fs.ErrNotExist) && status == nil:
		f.Why, f.Try = "it does not exist", "check the name"
	case errors.Is(err, errNoRanges):
		f.Try = "a server that knows ranges, or a copy on this machine"
	case errors.Is(err, errNoList):
		f.Try = "name the files: https://HOST/train-{0000..1023}.tar"
	}
	return f
}
