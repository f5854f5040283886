package secure

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Material is what a party shows and whom it trusts, at a time. It does not change.
type Material struct {
	Identity Identity
	Expires  time.Time
	Hosts    []string // that the certificate names besides
	cert     tls.Certificate
	roots    *x509.CertPool
	cas      []byte
}

// Source has a party's material, which may be replaced while it is in use. Current is called for each connection, from
// any goroutine.
type Source interface {
	Current() (*Material, error)
}

// Parse makes material of a bundle.
func Parse(b Bundle) (*Material, error) {
	m := &Material{roots: x509.NewCertPool(), cas: b.CA}
	if !m.roots.AppendCertsFromPEM(b.CA) {
		return nil, errors.New("read certificates: there is no authority")
	}
	var err error
	if m.cert, err = tls.X509KeyPair(b.Cert, b.Key); err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	leaf := m.cert.Leaf
	if m.Identity, err = identityOf(leaf); err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	m.Expires, m.Hosts = leaf.NotAfter, leaf.DNSNames
	for _, ip := range leaf.IPAddresses {
		m.Hosts = append(m.Hosts, ip.String())
	}
	return m, nil
}

// Current implements Source: it stays as it is.
func (m *Material) Current() (*Material, error) { return m, nil }

// CA is the authorities that are trusted.
func (m *Material) CA() []byte { return slices.Clone(m.cas) }

// Trusting is a source whose party trusts one more authority: one that its own process has made for those it starts.
type Trusting struct {
	Source
	Authority *Authority

	mu   sync.Mutex // guards what follows
	base *Material
	with *Material
}

// Current implements Source.
func (t *Trusting) Current() (*Material, error) {
	base, err := t.Source.Current()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.base != base {
		with := *base
		with.cas = append(slices.Clone(base.cas), t.Authority.CertPEM()...)
		with.roots = base.roots.Clone()
		with.roots.AddCert(t.Authority.cert)
		t.base, t.with = base, &with
	}
	return t.with, nil
}

// Issued is a source that signs its own certificate, and another one in good time before that ends.
type Issued struct {
	authority *Authority
	who       Identity
	life      time.Duration
	clock     func() time.Time

	mu  sync.Mutex // guards what follows
	now *Material
}

// NewIssued is the source of who, with certificates of authority that are good for life.
func NewIssued(authority *Authority, who Identity, life time.Duration, clock func() time.Time) (*Issued, error) {
	s := &Issued{authority: authority, who: who, life: life, clock: clock}
	_, err := s.Current()
	return s, err
}

// Current implements Source.
func (s *Issued) Current() (*Material, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now != nil && s.now.Expires.Sub(s.clock()) > s.life/2 {
		return s.now, nil
	}
	b, err := s.authority.Issue(s.who, s.clock(), s.life)
	if err != nil {
		return nil, err
	}
	m, err := Parse(b)
	if err != nil {
		return nil, err
	}
	s.now = m
	return m, nil
}

// Files are where a party's PEM files are.
type Files struct{ CA, Cert, Key string }

// FilesIn are those of a directory.
func FilesIn(dir string) Files {
	return Files{CA: filepath.Join(dir, "ca.pem"), Cert: filepath.Join(dir, "cert.pem"),
		Key: filepath.Join(dir, "key.pem")}
}

func (f Files) all() []string { return []string{f.CA, f.Cert, f.Key} }

// Read is what the files hold.
func (f Files) Read() (Bundle, error) {
	var b Bundle
	for i, to := range []*[]byte{&b.CA, &b.Cert, &b.Key} {
		text, err := os.ReadFile(f.all()[i])
		if err != nil {
			return Bundle{}, err
		}
		*to = text
	}
	return b, nil
}

// Reloading is a source over files: whoever replaces them, one after the other, has new connections use them. While
// they do not belong together what was good before goes on.
type Reloading struct {
	files Files

	mu    sync.Mutex // guards what follows
	stamp [3]stamp
	now   *Material
	bad   error
}

// stamp tells one state of a file from another.
type stamp struct {
	changed time.Time
	size    int64
}

// NewReloading reads the files, which must be good at first.
func NewReloading(f Files) (*Reloading, error) {
	r := &Reloading{files: f}
	_, err := r.Current()
	return r, err
}

// Current implements Source.
func (r *Reloading) Current() (*Material, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var now [3]stamp
	for i, name := range r.files.all() {
		if info, err := os.Stat(name); err == nil { // through links, which Kubernetes swaps
			now[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	if r.now != nil && now == r.stamp {
		return r.now, nil
	}
	b, err := r.files.Read()
	var m *Material
	if err == nil {
		m, err = Parse(b)
	}
	r.bad = err
	if err == nil {
		r.now, r.stamp = m, now
	}
	if r.now == nil {
		return nil, err
	}
	return r.now, nil
}

// Bad says why the files of now are not used, nil while they are.
func (r *Reloading) Bad() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}
