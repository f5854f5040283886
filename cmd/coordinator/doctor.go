package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator"
	"byol/coordinator/settings"
	"byol/internal/network"
	pb "byol/proto"
)

// knock bounds each attempt to look up a name or to reach a port.
const knock = 3 * time.Second

// doctor looks at what a run needs of this machine.
type doctor struct {
	s        *settings.Values
	peers    map[string]string
	at       []string // coordinators that workers of this machine would be told
	here     bool     // it is the one that serves the run directory
	findings []finding
	runs     *pb.Status // what one of them says, nil where none answers
}

func doctorCommand() *cobra.Command {
	s := &settings.Values{}
	var e endpoint
	at := ""
	cmd := &cobra.Command{Use: "doctor [flags of a run] [--coordinator HOST:PORT,...]",
		Short: "Look at this machine: names, ports, keys, clock, disk, data",
		Long: "Look at what a run with these flags needs of this machine, and say of each thing whether it is there and\n" +
			"what to do: names of --peers and --coordinator, ports, certificates, the clock beside the coordinator's,\n" +
			"room on disks, open files, the data, checkpoints that the coordinator sees, proxies. It starts nothing and\n" +
			"changes nothing.\n" +
			"Exit codes: 0 when nothing fails (warnings may be), otherwise that of the first failure: 2, 3, 5 or 7.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			r, err := resolve(runFlags(cmd), s, os.Environ())
			if err != nil {
				return err
			}
			d := &doctor{s: s}
			if d.peers, err = parsePeers(s.Peers); err != nil {
				return err
			}
			for address := range strings.SplitSeq(at, ",") {
				if address = strings.TrimSpace(address); address != "" {
					d.at = append(d.at, network.HostPort(address))
				}
			}
			d.look(cmd, r)
			return e.showFindings(cmd, d.findings)
		}}
	addRunFlags(cmd, s)
	cmd.Flags().StringVar(&at, "coordinator", "", "`HOST:PORT,...` of coordinators that this machine is to reach")
	e.addOutput(cmd)
	return cmd
}

func (d *doctor) add(f finding) { d.findings = append(d.findings, f) }

// look makes all findings.
func (d *doctor) look(cmd *cobra.Command, r *resolution) {
	ctx := cmd.Context()
	if len(d.at) == 0 && d.s.RunDir != "" { // a run of this machine that is going on
		if card, err := coordinator.ReadCard(d.s.RunDir); err == nil {
			d.at, d.here = []string{card.Address}, true
		}
	}
	hosts := d.names(ctx)
	d.ports(ctx)
	d.keys()
	d.asked(cmd)
	d.machine()
	d.directories()
	d.images(ctx, r)
	d.add(checkProxy(os.Environ(), hosts))
}

// names looks up the hosts of all addresses, and returns them.
func (d *doctor) names(ctx context.Context) []string {
	var hosts []string
	for _, address := range append(slices.Sorted(maps.Values(d.peers)), d.at...) {
		host, _, err := net.SplitHostPort(address)
		if err == nil && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	for _, host := range hosts {
		if net.ParseIP(host) != nil {
			continue
		}
		limited, cancel := context.WithTimeout(ctx, knock)
		addresses, err := network.System{}.LookupHost(limited, host)
		cancel()
		d.add(checkName(host, addresses, err))
	}
	return hosts
}

// ports dials the coordinators, for workers and among themselves, and tries this machine's own.
func (d *doctor) ports(ctx context.Context) {
	dial := func(what, address string) {
		limited, cancel := context.WithTimeout(ctx, knock)
		defer cancel()
		began := time.Now()
		c, err := network.System{}.Dial(limited, address)
		if err == nil {
			err = c.Close()
		}
		d.add(checkReach(what, address, time.Since(began), err))
	}
	for _, id := range slices.Sorted(maps.Keys(d.peers)) {
		if id != d.s.NodeID {
			dial("raft port of coordinator "+id, d.peers[id])
		}
	}
	for _, address := range d.at {
		dial("coordinator", address)
	}
	if len(d.at) > 0 { // who is reached need not be started here
		return
	}
	for _, address := range []string{d.s.Listen, d.s.RaftListen} {
		if address == "" {
			continue
		}
		l, err := network.System{}.Listen(ctx, network.HostPort(address))
		if err == nil {
			err = l.Close()
		}
		d.add(checkListen(address, err))
	}
}

// keys looks at certificates and tokens.
func (d *doctor) keys() {
	if dir := d.s.TLSDir; dir != "" {
		m, err := readKeys(dir)
		identity, expires := "", time.Time{}
		if err == nil {
			identity, expires = m.Identity.String(), m.Expires
		}
		d.add(checkKeys(dir, identity, expires, time.Now(), err))
	}
	if path := d.s.TokenFile; path != "" {
		info, err := os.Stat(path)
		mode := os.FileMode(0)
		if err == nil {
			mode = info.Mode()
		}
		d.add(checkToken(path, uint32(mode.Perm()), err))
	}
}

// asked has the coordinators tell their time and what they saved.
func (d *doctor) asked(cmd *cobra.Command) {
	for _, address := range d.at {
		var quiet cobra.Command
		quiet.SetContext(cmd.Context())
		e := endpoint{server: address, output: "json", tlsDir: d.s.TLSDir, tokenFile: d.s.TokenFile}
		if d.here { // whose keys lie there
			e.server, e.runDir = "", d.s.RunDir
		}
		var began time.Time
		var st *pb.Status
		err := e.call(&quiet, knock, func(ctx context.Context, c pb.CoordinatorClient) (err error) {
			if _, err = c.GetStatus(ctx, &pb.GetStatusRequest{}); err != nil { // the connection is there now
				return err
			}
			began = time.Now()
			st, err = c.GetStatus(ctx, &pb.GetStatusRequest{})
			return err
		})
		if err != nil {
			d.add(checkReach("coordinator's service", address, 0, err))
			continue
		}
		if !st.Stale {
			round := time.Since(began)
			d.add(checkClock(address, st.GetAsOf().AsTime(), began.Add(round/2), round/2))
		}
		d.runs = st
	}
	k := d.runs.GetLastCheckpoint()
	if path := k.GetPath(); filepath.IsAbs(path) {
		info, err := os.Stat(path)
		bytes := int64(0)
		if err == nil {
			bytes = info.Size()
		}
		d.add(checkSeen(k, bytes, err))
	}
}

// machine looks at what the system gives.
func (d *doctor) machine() {
	var limit syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	d.add(checkFiles(limit.Cur, err))
	var fs syscall.Statfs_t
	err = syscall.Statfs("/dev/shm", &fs)
	d.add(checkShm(uint64(fs.Bsize)*fs.Blocks, err))
}

// directories looks at the disks under what a run writes: of what is not there yet, at what it would be made in.
func (d *doctor) directories() {
	dirs := []string{d.s.RunDir}
	if d.s.RunDir == "" {
		dirs[0] = runsDir
	}
	if d.s.CheckpointDir != "" {
		dirs = append(dirs, d.s.CheckpointDir)
	}
	for _, dir := range dirs {
		free, err := freeIn(dir)
		d.add(checkDisk(dir, free, err))
	}
}

// freeIn is how much may be written in dir, or in the nearest directory above it that is there.
func freeIn(dir string) (uint64, error) {
	at, err := filepath.Abs(dir)
	if err != nil {
		return 0, err
	}
	for {
		_, err := os.Stat(at)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrNotExist) || at == filepath.Dir(at) {
			return 0, err
		}
		at = filepath.Dir(at)
	}
	f, err := os.CreateTemp(at, ".byol-doctor-*")
	if err != nil {
		return 0, err
	}
	if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
		return 0, err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(at, &fs); err != nil {
		return 0, err
	}
	return uint64(fs.Bsize) * fs.Bavail, nil
}

// images opens the data as a run would.
func (d *doctor) images(ctx context.Context, r *resolution) {
	for _, set := range [][2]string{{"--data", d.s.Data}, {"--eval-data", d.s.EvalData}} {
		if set[1] == "" || r.demo {
			continue
		}
		seen, err := inspect(ctx, strings.TrimPrefix(set[0], "--"), set[1], accessOf(d.s))
		if err != nil {
			seen.uri = set[1]
		}
		d.add(checkData(set[0], seen, err, d.runs.GetConfig()))
	}
}

// showFindings prints what was found, and fails as the first failure says.
func (e *endpoint) showFindings(cmd *cobra.Command, all []finding) error {
	if e.structured() {
		text, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if err := e.printJSON(cmd, text); err != nil {
			return err
		}
		return worst(all)
	}
	w := cmd.OutOrStdout()
	for _, f := range all {
		fmt.Fprintf(w, "%-4s  %s: %s\n", f.Level, plain(f.Check), plain(f.Found))
		if f.Try != "" {
			fmt.Fprintf(w, "        try: %s\n", plain(f.Try))
		}
	}
	return worst(all)
}
