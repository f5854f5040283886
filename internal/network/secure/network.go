// Package secure is a network on which everybody is known: TLS 1.3, both ends with a certificate that says who they
// are (spiffe://byol/RUN/ROLE/NAME), over any other network.Network. Who listens says which roles may come, who dials
// which role it expects to find; both ends are of one run. A host's name or address proves nothing here.
//
// A party's certificate, key and authorities come from a Source: files that may be replaced at any time, an authority
// in memory, or a word that all know. New connections use what the source has then; those that exist live on.
//
// What a stranger can have: a handshake, for handshakeLimit at most, of which no more than mostHandshakes go on at a
// time: of more the oldest is ended, as an honest one takes milliseconds. An address of which strangersAtOnce came is
// heard strangersPerSecond times a second from then on, and others are closed at once. Accept returns only connections
// of peers that are known and welcome.
//
// Ownership. A listener owns the goroutine that takes connections and one for each handshake; Close ends them and
// waits. A Conn starts none.
//
// When it fails: Dial's errors say which certificate is not accepted, by whom and why; whoever listens tells the
// dialler before the first byte of what is above. A Write that timed out has torn the connection: half a record cannot
// be taken back.
package secure

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"

	"byol/internal/network"
)

const (
	// ownProtocol is spoken by those that wait for a word whether they are welcome; others are programs that speak HTTP/2.
	ownProtocol = "byol/1"
	webProtocol = "h2"
	// handshakeLimit is how long a handshake may take.
	handshakeLimit = 5 * time.Second
)

// Network implements network.Network over Inner.
type Network struct {
	Inner  network.Network
	Source Source
	// Accept are the roles that may connect to what listens here, Expect those that may be at the end of what is dialled.
	Accept, Expect []Role
	// Refused is told of handshakes that failed, and of who was not heard, from goroutines of the listener's; nil: nobody
	// is. Their number is the strangers' to choose.
	Refused func(from net.Addr, why error)
}

// Error is why two parties do not talk.
type Error struct {
	Why string
	Err error // behind it, may be nil
}

// Error implements error.
func (e *Error) Error() string { return e.Why }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// LookupHost implements what network.Resolve asks for.
func (n *Network) LookupHost(ctx context.Context, host string) ([]string, error) {
	names, ok := n.Inner.(interface {
		LookupHost(ctx context.Context, host string) ([]string, error)
	})
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return names.LookupHost(ctx, host)
}

// Dial implements network.Network: the other end has said who it is, and that we are welcome.
func (n *Network) Dial(ctx context.Context, address string) (net.Conn, error) {
	raw, err := n.Inner.Dial(ctx, address)
	if err != nil {
		return nil, err
	}
	c, err := n.greet(ctx, raw)
	if err != nil {
		_ = raw.Close()
		if context.Cause(ctx) != nil {
			err = context.Cause(ctx)
		}
		return nil, &net.OpError{Op: "dial", Net: "tls", Addr: raw.RemoteAddr(), Err: err}
	}
	return c, nil
}

func (n *Network) greet(ctx context.Context, raw net.Conn) (*Conn, error) {
	m, err := n.Source.Current()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, handshakeLimit, &Error{Why: "it did not answer in time"})
	defer cancel()
	var peer Identity
	w := &wire{Conn: raw}
	c := tls.Client(w, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert},
		NextProtos: []string{ownProtocol}, DynamicRecordSizingDisabled: true,
		InsecureSkipVerify: true, // its name proves nothing; who it is, is asked below
		VerifyConnection: func(s tls.ConnectionState) error {
			peer, err = m.verify(s, x509.ExtKeyUsageServerAuth, n.Expect)
			return err
		}})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, explain(errors.Join(context.Cause(ctx), err))
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.SetReadDeadline(time.Unix(1, 0)) })
	why, err := readAnswer(c)
	if !stop() {
		err = errors.Join(context.Cause(ctx), err)
	}
	switch {
	case err != nil:
		return nil, explain(err)
	case why != "":
		return nil, &Error{Why: why}
	}
	return newConn(c, w, peer), nil
}

// verify is who is at the other end, or why that one is not let in.
func (m *Material) verify(s tls.ConnectionState, use x509.ExtKeyUsage, roles []Role) (Identity, error) {
	if len(s.PeerCertificates) == 0 {
		return Identity{}, &Error{Why: "it showed no certificate"}
	}
	leaf := s.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: m.roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use}})
	if err != nil {
		return Identity{}, certificateError(leaf, err)
	}
	who, err := identityOf(leaf)
	switch {
	case err != nil:
		return who, &Error{Why: err.Error()}
	case who.Run != m.Identity.Run:
		return who, &Error{Why: fmt.Sprintf("the certificate %s is for run %s, and this is of run %s", who.Short(), who.Run,
			m.Identity.Run)}
	case !slices.Contains(roles, who.Role):
		return who, &Error{Why: fmt.Sprintf("the certificate is of %s, and only %s may come here", who.Short(), words(roles))}
	}
	return who, nil
}

func words(roles []Role) string {
	var out []string
	for _, r := range roles {
		out = append(out, string(r)+"s")
	}
	return strings.Join(out, ", ")
}

// certificateError says in words why a certificate is not good.
func certificateError(leaf *x509.Certificate, err error) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && time.Now().After(leaf.NotAfter):
		return &Error{Err: err, Why: "the certificate expired at " + leaf.NotAfter.UTC().Format(time.RFC3339)}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return &Error{Err: err, Why: "the certificate is not good before " + leaf.NotBefore.UTC().Format(time.RFC3339) +
			", or its authority is out of date: look at the clocks"}
	case errors.As(err, &unknown):
		return &Error{Err: err, Why: "the certificate is of an authority that is not trusted here"}
	}
	return &Error{Err: err, Why: "the certificate is not accepted: " + err.Error()}
}

// explain says what an error of the handshake means.
func explain(err error) error {
	var own *Error
	var head tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &head):
		return &Error{Err: err, Why: "whoever is there does not speak TLS: was it started with --insecure?"}
	case errors.As(err, &op) && op.Op == "remote error":
		return &Error{Err: err, Why: "the other end does not accept this one's certificate"}
	case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Err: err, Why: "whoever is there hung up during the handshake: does it speak TLS?"}
	}
	return fmt.Errorf("TLS: %w", err)
}

// maxAnswer bounds the reason in an answer.
const maxAnswer = 255

// writeAnswer tells the dialler why it is not let in, or, with "", that it is: the length of the reason, and that.
func writeAnswer(w io.Writer, why string) error {
	why = why[:min(len(why), maxAnswer)]
	_, err := w.Write(append([]byte{byte(len(why))}, why...))
	return err
}

func readAnswer(r io.Reader) (why string, err error) {
	var b [1 + maxAnswer]byte
	if _, err := io.ReadFull(r, b[:1]); err != nil {
		return "", err
	}
	text := b[1 : 1+int(b[0])]
	if _, err := io.ReadFull(r, text); err != nil {
		return "", err
	}
	return strings.ToValidUTF8(string(text), "?"), nil
}
