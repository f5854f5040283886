package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"byol/coordinator/settings"
	"byol/internal/failure"
	pb "byol/proto"
)

// TestChoosePeers has what a person may say about several coordinators, and what becomes of it.
func TestChoosePeers(t *testing.T) {
	const three = "a=h1:7071,b=10.0.0.2:7071,c=h3:7071"
	for _, c := range []struct {
		name  string
		s     settings.Values
		want  string // raft-listen and advertise
		wrong string // what the refusal says
		warns string
	}{
		{"alone", settings.Values{NodeID: "a"}, " ", "", ""},
		{"a name", settings.Values{NodeID: "a", Peers: three, CheckpointDir: "/s"}, ":7071 h1", "", ""},
		{"an address", settings.Values{NodeID: "b", Peers: three, BootstrapExpect: 3, CheckpointDir: "/s"},
			"10.0.0.2:7071 10.0.0.2", "", ""},
		{"told", settings.Values{NodeID: "b", Peers: three, RaftListen: ":1", Advertise: "x", CheckpointDir: "/s"}, ":1 x",
			"", ""},
		{"each its own checkpoints", settings.Values{NodeID: "a", Peers: three}, ":7071 h1", "", "--checkpoint-dir"},
		{"two", settings.Values{NodeID: "a", Peers: "a=h:1,b=h:2", CheckpointDir: "/s"}, ":1 h", "",
			"2 coordinators bear no more losses than 1"},
		{"to be let in", settings.Values{NodeID: "d", Peers: three, RaftListen: "h4:1", CheckpointDir: "/s"}, "h4:1 h4", "",
			""},
		{"to grow later", settings.Values{NodeID: "a", RaftListen: "127.0.0.1:1"}, "127.0.0.1:1 127.0.0.1", "", ""},
		{"not among them", settings.Values{NodeID: "d", Peers: three}, "", "--peers does not name d", ""},
		{"no name", settings.Values{Peers: three}, "", `--node-id cannot be ""`, ""},
		{"not an address", settings.Values{NodeID: "a", Peers: "a=h1"}, "", `"a=h1" is not ID=HOST:PORT`, ""},
		{"no port", settings.Values{NodeID: "a", Peers: "a=h1:0"}, "", `"a=h1:0" is not ID=HOST:PORT`, ""},
		{"one name twice", settings.Values{NodeID: "a", Peers: "a=h1:1,a=h2:1"}, "", "two coordinators called a", ""},
		{"one address twice", settings.Values{NodeID: "a", Peers: "a=h1:1,b=h1:1"}, "", "a and b at one address", ""},
		{"fewer expected", settings.Values{NodeID: "a", Peers: three, BootstrapExpect: 1}, "",
			"--bootstrap-expect is 1, and --peers names 3", ""},
		{"nobody named", settings.Values{NodeID: "a", BootstrapExpect: 3}, "", "--bootstrap-expect 3 needs --peers", ""},
		{"with children", settings.Values{NodeID: "a", Peers: three, Launcher: "local"}, "", "starts no workers", ""},
	} {
		p := &plan{resolution: &resolution{settings: &c.s}}
		err := p.choosePeers()
		if c.wrong != "" {
			if f := failure.Of(err, unforeseen); err == nil || f.Code != failure.Usage || !strings.Contains(f.What, c.wrong) ||
				f.Try == "" {
				t.Errorf("%s: %v, want a refusal that says %q", c.name, err, c.wrong)
			}
			continue
		}
		warned := slices.ContainsFunc(p.warnings, func(w string) bool { return strings.Contains(w, c.warns) })
		if got := c.s.RaftListen + " " + c.s.Advertise; err != nil || got != c.want || warned != (c.warns != "") {
			t.Errorf("%s: got %q, %v, warned %q; want %q, %q", c.name, got, err, p.warnings, c.want, c.warns)
		}
	}
}

func (o *operated) members(r string) (*pb.ListMembersResponse, error) {
	o.mu.Lock()
	o.called = append(o.called, r)
	o.mu.Unlock()
	if o.err != nil {
		return nil, o.err
	}
	return &pb.ListMembersResponse{Members: []*pb.CoordinatorMember{
		{NodeId: "a", RaftAddress: "h1:7071", Address: "h1:7070", Voter: true, Leader: true},
		{NodeId: "b", RaftAddress: "h2:7071", Voter: true}, {NodeId: "new", RaftAddress: "h3:7071"}}}, nil
}

func (o *operated) ListMembers(context.Context, *pb.ListMembersRequest) (*pb.ListMembersResponse, error) {
	return o.members("ls")
}

func (o *operated) AddMember(_ context.Context, r *pb.AddMemberRequest) (*pb.ListMembersResponse, error) {
	return o.members(fmt.Sprint("add ", r.NodeId, " ", r.RaftAddress))
}

func (o *operated) RemoveMember(_ context.Context, r *pb.RemoveMemberRequest) (*pb.ListMembersResponse, error) {
	return o.members("remove " + r.NodeId)
}

// TestMemberCommands runs each, with right and wrong words.
func TestMemberCommands(t *testing.T) {
	const screen = "COORDINATOR  PART         RAFT ADDRESS  ADDRESS\n" +
		"a            leads        h1:7071       h1:7070\n" +
		"b            follows      h2:7071       \n" +
		"new          no vote yet  h3:7071       \n"
	for _, c := range []struct{ words, asks string }{
		{"ls", "ls"}, {"add new h3:7071", "add new h3:7071"}, {"remove new", "remove new"},
		{"ls new", ""}, {"add new", ""}, {"remove", ""}, {"frobnicate", ""},
	} {
		o := &operated{}
		args := append([]string{"member"}, strings.Fields(c.words)...)
		code, out, errs := command(append(args, "-s", o.serve(t))...)
		if asked := strings.Join(o.called, ";"); asked != c.asks {
			t.Errorf("%s: asked for %q, want %q", c.words, asked, c.asks)
		}
		if c.asks != "" && (code != 0 || out != screen) || c.asks == "" && code != failure.Usage {
			t.Errorf("%s: exit %d\n%s%s", c.words, code, out, errs)
		}
	}
}
