package secure

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

const (
	// AuthorityLife is how long an authority is good.
	AuthorityLife = 10 * 365 * 24 * time.Hour
	// LeafLife is how long a certificate that it signs is.
	LeafLife = 30 * 24 * time.Hour
	// skew is how far the clocks of two machines may be apart.
	skew = 10 * time.Minute
	// leastToken is the length of a token that nobody guesses: 100 bits where it has five to a letter.
	leastToken = 20
)

// Blocks of PEM files.
const (
	certBlock = "CERTIFICATE"
	keyBlock  = "PRIVATE KEY"
)

// Bundle is what one party has, as PEM: the authorities it trusts, its own certificate and the key to it.
type Bundle struct{ CA, Cert, Key []byte }

// Text is the bundle as one file.
func (b Bundle) Text() []byte { return bytes.Join([][]byte{b.Key, b.Cert, b.CA}, nil) }

// ParseBundle reads what Text writes: the first certificate is the party's own.
func ParseBundle(text []byte) (Bundle, error) {
	var b Bundle
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		to := &b.CA
		switch {
		case block.Type == keyBlock:
			to = &b.Key
		case b.Cert == nil:
			to = &b.Cert
		}
		*to = append(*to, pem.EncodeToMemory(block)...)
	}
	if b.CA == nil || b.Key == nil {
		return Bundle{}, errors.New("read certificates: there must be a key, a certificate and its authority")
	}
	return b, nil
}

// Authority signs certificates.
type Authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes one of that name, good from now on.
func NewAuthority(name string, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make authority: %w", err)
	}
	return selfSigned(name, key, now)
}

// AuthorityOfToken is the authority that everybody makes of the same secret word: who has the word may be anybody.
func AuthorityOfToken(token string, now time.Time) (*Authority, error) {
	if len(token) < leastToken {
		return nil, fmt.Errorf("a token has at least %d letters, or somebody guesses it; this one has %d", leastToken,
			len(token))
	}
	for try := range 256 {
		seed, err := hkdf.Key(sha256.New, []byte(token), nil, fmt.Sprintf("byol authority %d", try), 32)
		if err != nil {
			return nil, fmt.Errorf("make authority: %w", err)
		}
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed)
		if err != nil {
			continue // one of 2³² is no key
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			return nil, fmt.Errorf("make authority: %w", err)
		}
		sum := sha256.Sum256(point)
		return selfSigned(fmt.Sprintf("byol token %x", sum[:4]), key, now)
	}
	return nil, errors.New("make authority: the token makes no key")
}

func selfSigned(name string, key *ecdsa.PrivateKey, now time.Time) (*Authority, error) {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, SerialNumber: serial(),
		NotBefore: now.Add(-skew), NotAfter: now.Add(AuthorityLife), IsCA: true, BasicConstraintsValid: true,
		MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	return &Authority{cert: cert, key: key}, nil
}

// ParseAuthority reads an authority's certificate and key.
func ParseAuthority(certPEM, keyPEM []byte) (*Authority, error) {
	cert, err := firstCertificate(certPEM)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil || block.Type != keyBlock {
		return nil, errors.New("read authority: its key is no PEM file")
	}
	secret, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read authority: %w", err)
	}
	key, ok := secret.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) {
		return nil, errors.New("read authority: the key is not the certificate's")
	}
	if !cert.IsCA {
		return nil, errors.New("read authority: the certificate is no authority's")
	}
	return &Authority{cert: cert, key: key}, nil
}

// CertPEM and KeyPEM are the authority's files.
func (a *Authority) CertPEM() []byte { return pemOf(certBlock, a.cert.Raw) }

// KeyPEM is the secret of the authority.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.key) }

// Issue signs a certificate and a new key for who, good from now on for life, for hosts besides: names and IP addresses
// by which programs that know nothing of identities reach the holder.
func (a *Authority) Issue(who Identity, now time.Time, life time.Duration, hosts ...string) (Bundle, error) {
	if err := who.Check(); err != nil {
		return Bundle{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Bundle{}, fmt.Errorf("issue certificate: %w", err)
	}
	end := now.Add(life)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: who.Short()}, SerialNumber: serial(),
		NotBefore: now.Add(-skew), NotAfter: end, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs:        []*url.URL{who.url()}, BasicConstraintsValid: true}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return Bundle{}, fmt.Errorf("issue certificate: %w", err)
	}
	secret, err := keyPEM(key)
	return Bundle{CA: a.CertPEM(), Cert: pemOf(certBlock, der), Key: secret}, err
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func keyPEM(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return pemOf(keyBlock, der), nil
}

func firstCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != certBlock {
		return nil, errors.New("it is no PEM file with a certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}
