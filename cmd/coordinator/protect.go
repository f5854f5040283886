package main

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/timestamppb"

	"byol/coordinator"
	"byol/coordinator/features"
	"byol/coordinator/lead"
	"byol/internal/failure"
	"byol/internal/network"
	"byol/internal/network/secure"
	pb "byol/proto"
)

// How the connections of a run are protected, as status shows it.
const (
	byCertificates = "certificates" // of --tls-dir
	byToken        = "token"        // certificates that everybody makes of one word
	byOurselves    = "local"        // certificates that the coordinator makes for its own workers
	byLoopback     = "loopback"     // nothing, on this machine alone
	byNothing      = "insecure"
)

// protection is what a coordinator's connections are protected by.
type protection struct {
	by     string
	source *secure.Trusting  // nil where connections are plain
	family *secure.Authority // signs for those that this process starts, and for who started it
}

// protect decides it for a run.
func protect(p *plan) (*protection, error) {
	s := p.settings
	t, err := protectWith(secure.Choice{Dir: s.TLSDir, TokenFile: s.TokenFile, Insecure: s.Insecure}, s.NodeID,
		p.launcher == coordinator.LauncherLocal && secure.IsLoopback(s.Listen))
	if err != nil || t.source == nil {
		return t, err
	}
	return t, t.suits(p)
}

// protectWith is what a choice comes to for the coordinator called name. Whoever starts workers here, on an address of
// this machine alone, and says nothing else, has certificates that nobody sees.
func protectWith(choice secure.Choice, name string, here bool) (*protection, error) {
	who := secure.Identity{Run: secure.DefaultRun, Role: secure.Coordinator, Name: name}
	source, err := choice.Open(who)
	switch {
	case err != nil:
		return nil, err
	case choice.Insecure:
		return &protection{by: byNothing}, nil
	case source == nil && !here:
		return &protection{by: byLoopback}, nil
	}
	t := &protection{by: byOurselves}
	if t.family, err = secure.NewAuthority("byol of one coordinator", time.Now()); err != nil {
		return nil, err
	}
	switch {
	case source == nil:
		if source, err = secure.NewIssued(t.family, who, secure.AuthorityLife, time.Now); err != nil {
			return nil, err
		}
	case choice.Dir != "":
		t.by = byCertificates
	default:
		t.by = byToken
	}
	t.source = &secure.Trusting{Source: source, Authority: t.family}
	return t, nil
}

// suits checks that the certificate is of this coordinator and run.
func (t *protection) suits(p *plan) error {
	m, err := t.source.Current()
	if err != nil {
		return err
	}
	s, who := p.settings, m.Identity
	switch {
	case who.Run != secure.DefaultRun && who.Run != s.RunName:
		return usage(fmt.Sprintf("the certificate in %s is for run %s", s.TLSDir, who.Run), "this is run "+s.RunName,
			"--run-name "+who.Run+", or a certificate for this run (or for any: leave --run of certs issue out)")
	case s.RaftListen != "" && !who.Calls(s.NodeID):
		return usage(fmt.Sprintf("the certificate in %s is of coordinator %s", s.TLSDir, who.Name),
			"this is coordinator "+s.NodeID, "--node-id "+who.Name)
	}
	return nil
}

// plain is the network of those without certificates.
func (t *protection) plain() network.Network {
	if t.by == byLoopback {
		return secure.Loopback{}
	}
	return network.System{}
}

// protect has an evaluation use it: nobody but workers has anything to do there.
func (t *protection) protect(o *features.Options) {
	if t.source == nil {
		o.Network = t.plain()
		return
	}
	o.Network = &secure.Network{Inner: network.System{}, Source: t.source, Accept: []secure.Role{secure.Worker}}
	o.Keys = t.workerKeys
}

func (t *protection) workerKeys(index int) ([]byte, error) {
	return t.issue(secure.Worker, fmt.Sprintf("worker-%d", index))
}

// apply has the coordinator use it.
func (t *protection) apply(o *coordinator.Options) {
	o.Protection = t.describe
	if t.source == nil {
		o.Network = t.plain()
		return
	}
	told := &refusals{log: o.Log}
	peers := []secure.Role{secure.Coordinator}
	o.Network = &secure.Network{Inner: network.System{}, Source: t.source, Accept: secure.Roles, Expect: peers,
		Refused: told.tell}
	o.RaftNetwork = &secure.Network{Inner: network.System{}, Source: t.source, Accept: peers, Expect: peers,
		Refused: told.tell}
	o.OperatorKeys = func() ([]byte, error) { return t.issue(secure.Operator, userName()) }
	o.WorkerKeys = t.workerKeys
}

// reach says for people who can connect to addr.
func (t *protection) reach(addr string) string {
	switch t.by {
	case byOurselves:
		return addr + ": not reachable from other machines; TLS with keys that this run's processes have"
	case byLoopback:
		return addr + ": not reachable from other machines; without TLS"
	case byNothing:
		return addr + ": INSECURE, whoever reaches it controls the run"
	}
	who := "no certificate"
	if m, err := t.source.Current(); err == nil {
		who = fmt.Sprintf("%s, certificate good until %s", m.Identity.Short(), day(m.Expires))
	}
	return fmt.Sprintf("%s: TLS as %s", addr, who)
}

// issue makes keys for a process of this machine; they are good for as long as the authority, which ends with this
// process.
func (t *protection) issue(role secure.Role, name string) ([]byte, error) {
	m, err := t.source.Current()
	if err != nil {
		return nil, err
	}
	b, err := t.family.Issue(secure.Identity{Run: m.Identity.Run, Role: role, Name: name}, time.Now(),
		secure.AuthorityLife)
	b.CA = m.CA()
	return b.Text(), err
}

// expirySoon is how long before its end a certificate is warned of.
const expirySoon = 7 * 24 * time.Hour

// describe is what status shows. A warning stays the same while its cause does: the screen prints those that are new.
func (t *protection) describe() *pb.Protection {
	d := &pb.Protection{By: t.by}
	if t.by == byNothing {
		d.Warning = "INSECURE: whoever reaches this coordinator's port controls the run (--insecure)"
	}
	if t.source == nil {
		return d
	}
	m, err := t.source.Current()
	if err != nil {
		d.Warning = "there is no certificate: " + err.Error()
		return d
	}
	d.Identity, d.Expires = m.Identity.String(), timestamppb.New(m.Expires)
	left := time.Until(m.Expires)
	switch files, _ := t.source.Source.(*secure.Reloading); {
	case files != nil && files.Bad() != nil:
		d.Warning = "the certificates on the disk are not used: " + files.Bad().Error()
	case left < 0:
		d.Warning = fmt.Sprintf("the certificate expired at %s: nobody can connect any more before coordinator certs renew",
			day(m.Expires))
	case left < expirySoon:
		d.Warning = fmt.Sprintf("the certificate expires at %s: coordinator certs renew", day(m.Expires))
	}
	return d
}

// refusals tells the log of strangers, of whom there may be any number.
type refusals struct {
	log *zap.Logger

	mu    sync.Mutex // guards what follows
	last  time.Time
	count int
}

// reasonBytes is the most of a reason that is logged.
const reasonBytes = 256

// refusalsEvery is how often strangers are worth a line.
const refusalsEvery = time.Second

func (r *refusals) tell(from net.Addr, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if now := time.Now(); now.Sub(r.last) >= refusalsEvery {
		r.log.Warn("refused a connection", zap.Stringer("from", from), zap.Int("since_last", r.count),
			zap.String("why", lead.Plain(why.Error(), reasonBytes)))
		r.last, r.count = now, 0
	}
}

// userName is who started this program, as a name in a certificate.
func userName() string {
	name := "operator"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	return notInIdentities.ReplaceAllString(name, "-")
}

var notInIdentities = regexp.MustCompile(`[^A-Za-z0-9_-]`)

// keysOf finds what an operator shows to the coordinator at an address: what was asked for, or what a coordinator of
// this machine has left for its user in a run directory. nil: nothing, the connection is plain.
func (e *endpoint) keysOf(address string) (secure.Source, error) {
	choice := secure.Choice{Dir: e.tlsDir, TokenFile: e.tokenFile}
	if choice == (secure.Choice{}) {
		choice = secure.Choice{Dir: os.Getenv("BYOL_TLS_DIR"), TokenFile: os.Getenv("BYOL_TOKEN_FILE")}
	}
	who := secure.Identity{Run: secure.DefaultRun, Role: secure.Operator, Name: userName()}
	if choice.TokenFile != "" {
		return choice.Open(who)
	}
	if choice.Dir != "" {
		source, err := secure.NewReloading(secure.FilesIn(choice.Dir)) // an observer's will do, too
		if err != nil {
			return nil, usage("cannot use the certificates in "+choice.Dir, err.Error(),
				"coordinator certs issue --role operator --name NAME -o "+choice.Dir)
		}
		return source, nil
	}
	dirs := []string{e.runDir}
	if e.runDir == "" {
		names, _ := filepath.Glob(filepath.Join("runs", "*", coordinator.CardFile)) // the pattern is good
		dirs = nil
		for _, name := range names {
			dirs = append(dirs, filepath.Dir(name))
		}
	}
	for _, dir := range dirs {
		card, err := coordinator.ReadCard(dir)
		if err != nil || card.Address != address {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, coordinator.OperatorFile))
		if err != nil {
			if os.IsPermission(err) {
				return nil, &failure.Failure{What: "the keys to the run in " + dir + " are another user's", Why: err.Error(),
					Try: "ask as the user who started it, or with --tls-dir", Code: failure.Usage}
			}
			continue
		}
		b, err := secure.ParseBundle(text)
		if err != nil {
			return nil, usage("cannot use the keys in "+dir, err.Error(), "--tls-dir DIR")
		}
		return secure.Parse(b)
	}
	return nil, nil
}

// network is how the coordinator at an address is dialled.
func (e *endpoint) network(address string) (network.Network, error) {
	if e.through != nil {
		return e.through, nil
	}
	keys, err := e.keysOf(address)
	if err != nil || keys == nil {
		return network.System{}, err
	}
	return &secure.Network{Inner: network.System{}, Source: keys, Expect: []secure.Role{secure.Coordinator}}, nil
}
