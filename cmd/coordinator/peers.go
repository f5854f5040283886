package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"byol/internal/network"
)

// parsePeers takes a list of coordinators apart: ID=HOST:PORT with commas between.
func parsePeers(list string) (map[string]string, error) {
	peers, at := map[string]string{}, map[string]string{}
	for entry := range strings.SplitSeq(list, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		id, address, _ := strings.Cut(entry, "=")
		address = network.HostPort(address)
		_, port, err := net.SplitHostPort(address)
		switch {
		case id == "" || err != nil || port == "" || port == "0":
			return nil, usage(fmt.Sprintf("--peers: %q is not ID=HOST:PORT", entry), "",
				"--peers a=host-a:7071,b=host-b:7071,c=host-c:7071")
		case peers[id] != "":
			return nil, usage("--peers has two coordinators called "+id, "each has a name and an address of its own",
				"another name for one of them")
		case at[address] != "":
			return nil, usage(fmt.Sprintf("--peers has %s and %s at one address", at[address], id),
				address+" can be one coordinator's only", "another address for one of them")
		}
		peers[id], at[address] = address, id
	}
	return peers, nil
}

// choosePeers decides which coordinators there are, and where this one listens for the others.
func (p *plan) choosePeers() error {
	s := p.settings
	var err error
	if p.peers, err = parsePeers(s.Peers); err != nil {
		return err
	}
	own := p.peers[s.NodeID]
	n := max(1, len(p.peers))
	switch {
	case s.NodeID == "" || strings.ContainsAny(s.NodeID, "=,# \t"):
		return usage(fmt.Sprintf("--node-id cannot be %q", s.NodeID), "it is a word", "--node-id a")
	case s.BootstrapExpect > 1 && len(p.peers) == 0:
		return usage(fmt.Sprintf("--bootstrap-expect %d needs --peers", s.BootstrapExpect),
			"the coordinators that begin a run must know each other", "--peers a=host-a:7071,b=host-b:7071,c=host-c:7071")
	case s.BootstrapExpect > 0 && s.BootstrapExpect != n:
		return usage(fmt.Sprintf("--bootstrap-expect is %d, and --peers names %d", s.BootstrapExpect, n),
			"those that begin a run together are those that --peers names", fmt.Sprintf("--bootstrap-expect %d", n))
	case own == "" && len(p.peers) > 0 && s.RaftListen == "":
		return usage(fmt.Sprintf("--peers does not name %s, which this coordinator is", s.NodeID),
			"it has "+strings.Join(slices.Sorted(maps.Keys(p.peers)), ", "),
			"--node-id with one of them, or --raft-listen HOST:PORT to be let in later (coordinator member add)")
	case s.Launcher == "local" && (s.RaftListen != "" || own != ""):
		return usage("a coordinator among several starts no workers", "they outlive it, and are not its children",
			"--launcher none, and worker --coordinator with the addresses of all coordinators")
	}
	if len(p.peers) > 1 && len(p.peers)%2 == 0 {
		p.warnings = append(p.warnings, fmt.Sprintf("%d coordinators bear no more losses than %d", n, n-1))
	}
	if len(p.peers) > 1 && s.CheckpointDir == "" {
		p.warnings = append(p.warnings, "--checkpoint-dir is not given: each coordinator would look for checkpoints in "+
			"its own run directory")
	}
	p.chooseRaftListen(own)
	return nil
}

// chooseRaftListen takes what --peers says of this coordinator where the flags say nothing.
func (p *plan) chooseRaftListen(own string) {
	s := p.settings
	if s.RaftListen == "" && own != "" {
		host, port, _ := net.SplitHostPort(own)
		if s.RaftListen = own; net.ParseIP(host) == nil {
			s.RaftListen = ":" + port
		}
	}
	if s.RaftListen == "" || s.Advertise != "" {
		return
	}
	if own == "" {
		own = s.RaftListen
	}
	s.Advertise, _, _ = net.SplitHostPort(own)
	if own != network.Dialable(own) { // all interfaces
		s.Advertise, _ = os.Hostname()
	}
}

// coordinatorsLine says in the banner who the coordinators are.
func (p *plan) coordinatorsLine() string {
	s := p.settings
	if len(p.peers) == 0 {
		return fmt.Sprintf("%s, listening for others on %s", s.NodeID, s.RaftListen)
	}
	return fmt.Sprintf("%s of %d: %s", s.NodeID, len(p.peers), s.Peers)
}
