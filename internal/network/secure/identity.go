package secure

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Role is what a certificate's holder is in a run.
type Role string

// The roles.
const (
	Worker      Role = "worker"
	Coordinator Role = "coordinator"
	Operator    Role = "operator" // steers a run
	Observer    Role = "observer" // looks at one
)

// Roles are all of them.
var Roles = []Role{Worker, Coordinator, Operator, Observer}

const (
	scheme = "spiffe"
	domain = "byol"
	// DefaultRun is the run of a certificate that is for all runs of its authority.
	DefaultRun = "default"
	// AnyName is the name of a certificate whose holder may call itself by any: one for all workers of a lab.
	AnyName = "any"
	// maxPart bounds each part of an identity.
	maxPart = 128
)

// Identity is who somebody is: spiffe://byol/RUN/ROLE/NAME.
type Identity struct {
	Run  string
	Role Role
	Name string
}

// String is the identity as the certificate has it.
func (i Identity) String() string { return i.url().String() }

func (i Identity) url() *url.URL {
	return &url.URL{Scheme: scheme, Host: domain, Path: "/" + i.Run + "/" + string(i.Role) + "/" + i.Name}
}

// Short is the identity for people: ROLE/NAME.
func (i Identity) Short() string { return string(i.Role) + "/" + i.Name }

// Calls reports whether the holder may call itself name.
func (i Identity) Calls(name string) bool { return i.Name == AnyName || i.Name == name }

// Check says what is wrong with an identity.
func (i Identity) Check() error {
	for _, part := range []struct{ what, text string }{{"run", i.Run}, {"name", i.Name}} {
		plain := strings.IndexFunc(part.text, func(r rune) bool {
			letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
			return !letter && !strings.ContainsRune("._-", r)
		}) < 0
		if part.text == "" || len(part.text) > maxPart || !plain || part.text[0] == '.' {
			return fmt.Errorf("%.*q cannot be the %s of a certificate: letters, digits, dots, dashes, and at most %d of them",
				maxPart, part.text, part.what, maxPart)
		}
	}
	for _, r := range Roles {
		if i.Role == r {
			return nil
		}
	}
	return fmt.Errorf("%.*q is no role: they are %v", maxPart, i.Role, Roles)
}

// ParseIdentity reads what String writes.
func ParseIdentity(text string) (Identity, error) {
	rest, ours := strings.CutPrefix(text, scheme+"://"+domain+"/")
	parts := strings.Split(rest, "/")
	if !ours || len(parts) != 3 {
		return Identity{}, fmt.Errorf("%.*q is no identity of byol", maxPart, text)
	}
	i := Identity{Run: parts[0], Role: Role(parts[1]), Name: parts[2]}
	return i, i.Check()
}

// identityOf is what a certificate says its holder is.
func identityOf(c *x509.Certificate) (Identity, error) {
	if len(c.URIs) != 1 {
		return Identity{}, errors.New("the certificate has no identity of byol")
	}
	return ParseIdentity(c.URIs[0].String())
}
