package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/internal/network/secure"
)

// authorityKey is the secret of an authority, beside its ca.pem.
const authorityKey = "ca-key.pem"

func certsCommand() *cobra.Command {
	return parent("certs", "Certificates for a run: init, issue, renew, show, token",
		certsInit(), certsIssue(), certsRenew(), certsShow(), certsToken())
}

func certsInit() *cobra.Command {
	return &cobra.Command{Use: "init DIR", Short: "Make an authority: DIR/ca.pem for everybody, DIR/ca-key.pem for nobody",
		Args: oneArgument("directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			files := secure.Files{CA: filepath.Join(args[0], "ca.pem"), Key: filepath.Join(args[0], authorityKey)}
			for _, name := range []string{files.CA, files.Key} {
				if _, err := os.Stat(name); err == nil {
					return usage(name+" is there already", "certificates of another authority would be of no use with it",
						"another directory")
				}
			}
			a, err := secure.NewAuthority("byol authority", time.Now())
			if err != nil {
				return err
			}
			key, err := a.KeyPEM()
			if err != nil {
				return err
			}
			err = writeKeys(args[0], map[string][]byte{files.Key: key, files.CA: a.CertPEM()})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "an authority in %s, good until %s; keep %s away from the network\n"+
				"next: coordinator certs issue --authority %s --role coordinator --name NAME -o certs/NAME\n", args[0],
				day(time.Now().Add(secure.AuthorityLife)), files.Key, args[0])
			return nil
		}}
}

// issuing is what the flags of certs issue say.
type issuing struct {
	authority, token, role, name, run, out string
	hosts                                  []string
	life                                   time.Duration
}

func certsIssue() *cobra.Command {
	var i issuing
	cmd := &cobra.Command{Use: "issue --authority DIR --role ROLE --name NAME -o DIR",
		Short: "Sign a certificate for a coordinator, worker, operator or observer", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if i.out == "" || i.name == "" {
				return usage("who the certificate is for, and where it goes, must be said", "",
					"coordinator certs issue --role worker --name worker-0 -o certs/worker-0")
			}
			return i.write(cmd.OutOrStdout())
		}}
	f := cmd.Flags()
	f.StringVar(&i.authority, "authority", "certs", "`DIR` of certs init")
	f.StringVar(&i.token, "token-file", "", "`FILE` of certs token, whose authority signs instead")
	f.StringVar(&i.role, "role", "worker", "coordinator|worker|operator|observer")
	f.StringVar(&i.name, "name", "", "`NAME`: a coordinator's --node-id, a worker's --id, a person; any: for all workers")
	f.StringVar(&i.run, "run", secure.DefaultRun, "the only `RUN` it is good for (default: all of this authority)")
	f.Lookup("run").DefValue = ""
	f.StringSliceVar(&i.hosts, "host", nil, "`HOST` or address by which other programs (grpcurl) know it")
	f.DurationVar(&i.life, "life", secure.LeafLife, "how long it is good")
	f.StringVarP(&i.out, "out", "o", "", "`DIR` for ca.pem, cert.pem and key.pem")
	return cmd
}

// write signs a certificate and stores it whole: the files come last that make it count.
func (i *issuing) write(out io.Writer) error {
	a, ca, err := i.signer()
	if err != nil {
		return err
	}
	who := secure.Identity{Run: i.run, Role: secure.Role(i.role), Name: i.name}
	if err := who.Check(); err != nil {
		return usage("no such certificate can be issued", err.Error(), "--role worker --name worker-0")
	}
	if i.life <= 0 || i.life > secure.AuthorityLife {
		return usage(fmt.Sprintf("a certificate cannot be good for %v", i.life), "", "--life 720h")
	}
	b, err := a.Issue(who, time.Now(), i.life, i.hosts...)
	if err != nil {
		return err
	}
	f := secure.FilesIn(i.out)
	if err := writeKeys(i.out, map[string][]byte{f.CA: ca, f.Key: b.Key, f.Cert: b.Cert}); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s in %s, good until %s\n", who, i.out, day(time.Now().Add(i.life)))
	return nil
}

// signer is the authority that signs, and what is to be trusted: all of a bundle, while authorities change.
func (i *issuing) signer() (*secure.Authority, []byte, error) {
	if i.token == "" {
		a, err := openAuthority(i.authority)
		if err != nil {
			return nil, nil, err
		}
		ca, err := os.ReadFile(filepath.Join(i.authority, "ca.pem"))
		if err != nil {
			return nil, nil, unwritableKeys(i.authority, err)
		}
		return a, ca, nil
	}
	text, err := os.ReadFile(i.token)
	var a *secure.Authority
	if err == nil {
		a, err = secure.AuthorityOfToken(strings.TrimSpace(string(text)), time.Now())
	}
	if err != nil {
		return nil, nil, usage("the token in "+i.token+" is of no use", err.Error(), "coordinator certs token > FILE")
	}
	return a, a.CertPEM(), nil
}

func openAuthority(dir string) (*secure.Authority, error) {
	cert, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	var key []byte
	if err == nil {
		key, err = os.ReadFile(filepath.Join(dir, authorityKey))
	}
	var a *secure.Authority
	if err == nil {
		a, err = secure.ParseAuthority(cert, key)
	}
	if err != nil {
		return nil, usage("there is no authority in "+dir, err.Error(), "coordinator certs init DIR, and --authority DIR")
	}
	return a, nil
}

func certsRenew() *cobra.Command {
	var authority string
	var life time.Duration
	cmd := &cobra.Command{Use: "renew DIR...", Short: "Sign certificates anew, for the same holders, where they are",
		Args: severalArguments("directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, dir := range args {
				m, err := readKeys(dir)
				if err != nil {
					return err
				}
				i := issuing{authority: authority, role: string(m.Identity.Role), name: m.Identity.Name, run: m.Identity.Run,
					out: dir, hosts: m.Hosts, life: life}
				if err := i.write(cmd.OutOrStdout()); err != nil {
					return err
				}
			}
			return nil
		}}
	cmd.Flags().StringVar(&authority, "authority", "certs", "`DIR` of certs init")
	cmd.Flags().DurationVar(&life, "life", secure.LeafLife, "how long they are good")
	return cmd
}

func certsShow() *cobra.Command {
	return &cobra.Command{Use: "show DIR...", Short: "Say whose certificates they are, and how long they are good",
		Args: severalArguments("directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, dir := range args {
				m, err := readKeys(dir)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s, %s\n", dir, m.Identity, lasting(time.Until(m.Expires), m.Expires))
				if len(m.Hosts) > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "    hosts %s\n", strings.Join(m.Hosts, ", "))
				}
			}
			return nil
		}}
}

// lasting says how long something is good that ends at a time.
func lasting(left time.Duration, end time.Time) string {
	if left < 0 {
		return fmt.Sprintf("EXPIRED %s ago", spell(-left))
	}
	return fmt.Sprintf("good until %s (%s)", day(end), spell(left))
}

func certsToken() *cobra.Command {
	return &cobra.Command{Use: "token", Short: "Print a word for --token-file, the same for all parties of a lab",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fmt.Fprintln(cmd.OutOrStdout(), rand.Text())
			return nil
		}}
}

func readKeys(dir string) (*secure.Material, error) {
	b, err := secure.FilesIn(dir).Read()
	var m *secure.Material
	if err == nil {
		m, err = secure.Parse(b)
	}
	if err != nil {
		return nil, &failure.Failure{What: "cannot use the certificates in " + dir, Why: err.Error(), Err: err,
			Try: "the directory that certs issue -o was given", Code: failure.Usage}
	}
	return m, nil
}

// writeKeys stores files that only their owner reads, each whole or not at all.
func writeKeys(dir string, files map[string][]byte) error {
	err := os.MkdirAll(dir, 0o700)
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names) // ca, then cert, then key: who reads in between finds them not to match, and waits
	for _, name := range names {
		if err == nil {
			err = atomicfile.WriteSecret(name, files[name])
		}
	}
	if err != nil {
		return unwritableKeys(dir, err)
	}
	return nil
}

func unwritableKeys(dir string, err error) error {
	what := "cannot write certificates to " + dir
	if errors.Is(err, os.ErrNotExist) {
		what = "there are no certificates in " + dir
	}
	return &failure.Failure{What: what, Why: err.Error(), Err: err, Code: failure.Usage,
		Try: "a directory that you may write to"}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
