package secure

import (
	"fmt"
	"os"
	"strings"
	"time"

	"byol/internal/failure"
)

// Choice is what a person chose of certificates: at most one of them.
type Choice struct {
	Dir       string // has ca.pem, cert.pem and key.pem
	TokenFile string // has a word that all parties know
	Insecure  bool   // none, on any address
}

// Open is the source of who, nil where there are to be no certificates. Of a directory, who must be what its
// certificate says, except for the name.
func (c Choice) Open(who Identity) (Source, error) {
	bad := func(what string, err error, try string) error {
		return &failure.Failure{What: what, Why: err.Error(), Try: try, Code: failure.Usage, Err: err}
	}
	switch {
	case c.Dir != "" && c.TokenFile != "" || c.Insecure && c.Dir+c.TokenFile != "":
		return nil, &failure.Failure{What: "--tls-dir, --token-file and --insecure exclude each other", Try: "one of them",
			Code: failure.Usage}
	case c.TokenFile != "":
		text, err := os.ReadFile(c.TokenFile)
		if err != nil {
			return nil, bad("cannot read the token", err, "--token-file FILE")
		}
		const try = "coordinator certs token > FILE, and the same file for all"
		a, err := AuthorityOfToken(strings.TrimSpace(string(text)), time.Now())
		if err != nil {
			return nil, bad("the token in "+c.TokenFile+" is of no use", err, try)
		}
		s, err := NewIssued(a, who, LeafLife, time.Now)
		if err != nil {
			return nil, bad("the token in "+c.TokenFile+" is of no use", err, try)
		}
		return s, nil
	case c.Dir != "":
		s, err := NewReloading(FilesIn(c.Dir))
		if err != nil {
			return nil, bad("cannot use the certificates in "+c.Dir, err,
				fmt.Sprintf("coordinator certs issue --role %s --name NAME -o %s", who.Role, c.Dir))
		}
		if m, err := s.Current(); err != nil || m.Identity.Role != who.Role {
			return nil, &failure.Failure{What: "the certificate in " + c.Dir + " is of " + m.Identity.Short(),
				Why: fmt.Sprintf("this is to be a %s", who.Role), Code: failure.Usage,
				Try: fmt.Sprintf("coordinator certs issue --role %s --name NAME -o ANOTHER-DIR", who.Role)}
		}
		return s, nil
	}
	return nil, nil
}
