package store_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/store"
)

// TestCertificates: a server that proves to be another one than was asked for is refused at once, and what helps is
// named; other errors of a connection may pass.
func TestCertificates(t *testing.T) {
	for _, c := range []struct {
		err    error
		try    string
		passes bool
	}{
		{x509.UnknownAuthorityError{}, "SSL_CERT_FILE", false},
		{x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"other"}}, Host: "pictures"}, "names", false},
		{x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}, "clock", false},
		{errors.New("connection reset by peer"), "the server answers", true},
	} {
		err := fmt.Errorf("get: %w", c.err)
		if got := store.Passes(err); got != c.passes {
			t.Errorf("%v may pass: %v", err, got)
		}
		var f *failure.Failure
		if !errors.As(store.Told("read", "https://pictures/a.tar", err), &f) || !strings.Contains(f.Try, c.try) ||
			f.Code != failure.Data {
			t.Errorf("%v is told as %+v, want %q", err, f, c.try)
		}
	}
}

// TestCertificateOfNobody is the first of them with a real server.
func TestCertificateOfNobody(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	client, notes := serve(t).client(store.Config{})
	_, err := open(t, client, server.URL+"/images.tar")
	var f *failure.Failure
	if !errors.As(err, &f) || !strings.Contains(f.Why, "certificate") || !strings.Contains(f.Try, "SSL_CERT_FILE") {
		t.Errorf("error %+v, want one that names SSL_CERT_FILE", err)
	}
	if n := notes(); len(n) != 0 {
		t.Errorf("it was waited for: %q", n)
	}
}
