package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"byol/internal/failure"
	pb "byol/proto"
)

// TestFindings: each check with what is well, what is worth a word, and what fails.
func TestFindings(t *testing.T) {
	t.Parallel()
	now, none := time.Unix(1_800_000_000, 0), errors.New("none")
	const gib = 1 << 30
	data := dataset{uri: "/d", images: 10, classes: 2, manifest: "m"}
	of := func(m string) *pb.RunConfig { return &pb.RunConfig{Data: "/d", ManifestHash: m, Samples: 9} }
	saved := &pb.CheckpointInfo{Path: "/c", SizeBytes: 5}
	for _, c := range []struct {
		f     finding
		level string
		says  string // in what was found or what to try
	}{
		{checkName("a", []string{"10.0.0.1"}, nil), "ok", "10.0.0.1"},
		{checkName("a", nil, none), "fail", "/etc/hosts"},
		{checkName("a", []string{"10.0.0.1", "127.0.1.1"}, nil), "warn", "this machine itself"},
		{checkName("localhost", []string{"::1"}, nil), "ok", "::1"},
		{checkReach("coordinator", "a:1", time.Millisecond, nil), "ok", "answers (1ms)"},
		{checkReach("coordinator", "a:1", 0, none), "fail", "firewall"},
		{checkListen(":1", nil), "ok", "free"},
		{checkListen(":1", none), "fail", "port 0"},
		{checkKeys("d", "i", now.Add(240*time.Hour), now, nil), "ok", "good until"},
		{checkKeys("d", "i", now.Add(24*time.Hour), now, nil), "warn", "certs renew d"},
		{checkKeys("d", "i", now, now, nil), "fail", "certs renew d"},
		{checkKeys("d", "", time.Time{}, now, none), "fail", "certs issue"},
		{checkToken("t", 0o600, nil), "ok", ""},
		{checkToken("t", 0o644, nil), "warn", "chmod 600 t"},
		{checkToken("t", 0, none), "fail", "certs token"},
		{checkClock("a:1", now.Add(time.Second), now, 10*time.Millisecond), "ok", "1.01s at most"},
		{checkClock("a:1", now.Add(-3*time.Second), now, 0), "warn", "-3s"},
		{checkClock("a:1", now.Add(3*time.Second), now, 2*time.Second), "ok", "5s at most"},
		{checkClock("a:1", now.Add(2*time.Minute), now, 0), "fail", "certificates"},
		{checkDisk("d", 20*gib, nil), "ok", "20 GiB free"},
		{checkDisk("d", 5*gib, nil), "warn", "make room"},
		{checkDisk("d", gib/2, nil), "fail", "another directory"},
		{checkDisk("d", 0, none), "fail", "written"},
		{checkShm(64<<20, nil), "ok", "64 MiB"}, {checkShm(0, none), "ok", "not there"},
		{checkFiles(1<<20, nil), "ok", "1048576"}, {checkFiles(512, nil), "warn", "ulimit"},
		{checkFiles(100, nil), "fail", "ulimit"}, {checkFiles(0, none), "ok", "nobody"},
		{checkData("--data", data, nil, nil), "ok", "10 images, 2 classes"},
		{checkData("--data", data, nil, of("m")), "ok", "10 images"},
		{checkData("--data", data, nil, of("n")), "fail", "the run has 9 others"},
		{checkData("--eval-data", data, nil, of("n")), "ok", ""},
		{checkData("--data", data, none, nil), "fail", "data inspect /d"},
		{checkSeen(saved, 5, nil), "ok", ""}, {checkSeen(saved, 4, nil), "warn", "has 4 bytes here, and 5"},
		{checkSeen(saved, 0, none), "warn", "same path"},
		{checkProxy([]string{"A=b", "https_proxy="}, []string{"h"}), "ok", "none"},
		{checkProxy([]string{"HTTPS_PROXY=p", "http_proxy=p"}, []string{"h", "i"}), "warn", "no_proxy=h,i"},
		{checkProxy([]string{"https_proxy=p", "NO_PROXY=x,.example"}, []string{"h.example", "x"}), "ok", "https_proxy are"},
		{checkProxy([]string{"https_proxy=p", "no_proxy=*"}, []string{"h"}), "ok", ""},
	} {
		if c.f.Level != c.level || !strings.Contains(c.f.Found+c.f.Try, c.says) || c.level == "ok" != (c.f.Try == "") ||
			c.level == "fail" != (c.f.code != 0) {
			t.Errorf("got %+v, want %s with %q", c.f, c.level, c.says)
		}
	}
	if err := worst([]finding{well("a", ""), well("b", "x").warn("y")}); err != nil {
		t.Errorf("warnings alone: %v", err)
	}
	err := worst([]finding{well("b", "x").fail(failure.Data, "y"), well("c", "z").fail(failure.Usage, "y")})
	var f *failure.Failure
	if !errors.As(err, &f) || f.Code != failure.Data || f.What != "2 checks failed" || f.Why != "b: x" {
		t.Errorf("got %+v", err)
	}
}

// TestDoctorCommand looks at this machine beside a coordinator that goes on, and where things are not there.
func TestDoctorCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	images := filepath.Join(dir, "none")
	o := &operated{statuses: []*pb.Status{whole()}} // whose clock stands still
	code, out, errs := command("doctor", "--coordinator", o.serve(t)+", 127.0.0.1:1", "--run-dir", filepath.Join(dir, "r"),
		"--data", images, "-o", "json")
	var got []finding
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s%s", err, out, errs)
	}
	levels := map[string]string{}
	for _, f := range got {
		name, _, _ := strings.Cut(f.Check, " ")
		levels[name] += f.Level + " "
	}
	for name, want := range map[string]string{"port": "ok fail fail ", "clock": "fail ", "--data": "fail "} {
		if levels[name] != want {
			t.Errorf("%s: got %q, want %q in\n%s", name, levels[name], want, out)
		}
	}
	if code != failure.Unreachable || !strings.Contains(errs, "4 checks failed") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, out, _ = command("doctor", "--listen", l.Addr().String(), "--run-dir", filepath.Join(dir, "r"))
	if code != failure.Usage || !strings.Contains(out, "fail  listen "+l.Addr().String()) ||
		!strings.Contains(out, "        try: --listen with another port") {
		t.Errorf("a port in use: exit code %d:\n%s", code, out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
