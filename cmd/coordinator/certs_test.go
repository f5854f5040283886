package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"byol/coordinator"
	"byol/internal/failure"
)

// inDir runs coordinator with words to its end, in dir.
func inDir(t *testing.T, dir string, args ...string) (status int, out string) {
	t.Helper()
	cmd := program(t, "coordinator", args...)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	return exitStatus(err), string(text)
}

// TestCerts makes an authority and certificates, renews them, and looks at what is on the disk.
func TestCerts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"certs issue --role worker --name w -o w", failure.Usage, "there is no authority in certs"},
		{"certs init certs", 0, "an authority in certs, good until 20"},
		{"certs init certs", failure.Usage, "is there already"},
		{"certs issue --role coordinator --name a --host a.example --host 10.0.0.1 -o a", 0,
			"spiffe://byol/default/coordinator/a in a, good until 20"},
		{"certs issue --role observer --name o --run r1 --life 1ms -o o", 0, "spiffe://byol/r1/observer/o in o"},
		{"certs issue --role king --name a -o k", failure.Usage, `"king" is no role`},
		{"certs issue --role worker --name a/b -o k", failure.Usage, `"a/b" cannot be the name`},
		{"certs issue --role worker -o k", failure.Usage, "who the certificate is for"},
		{"certs issue --name w --life 100000h -o k", failure.Usage, "cannot be good for"},
		{"certs show a o", 0, "a: spiffe://byol/default/coordinator/a, good until 20"},
		{"certs show a", 0, "hosts a.example, 10.0.0.1"},
		{"certs show o", 0, "EXPIRED"},
		{"certs renew o a", 0, "spiffe://byol/default/coordinator/a in a"},
		{"certs show o", 0, "o: spiffe://byol/r1/observer/o, good until"},
		{"certs show nowhere", failure.Usage, "cannot use the certificates in nowhere"},
	} {
		status, out := inDir(t, dir, strings.Fields(c.args)...)
		if status != c.status || !strings.Contains(out, c.want) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", c.args, status, c.status, c.want, out)
		}
	}
	for _, name := range []string{"certs/ca-key.pem", "a/key.pem", "a/cert.pem", "a/ca.pem"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	if exists(filepath.Join(dir, "k")) {
		t.Error("a certificate that cannot be issued has left a directory")
	}
	_, one := inDir(t, dir, "certs", "token")
	if len(strings.TrimSpace(one)) < 20 {
		t.Errorf("token %q", one)
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(one), 0o600); err != nil {
		t.Fatal(err)
	}
	issue := strings.Fields("certs issue --token-file token --role observer --name ann -o ann")
	if status, out := inDir(t, dir, issue...); status != 0 || !exists(filepath.Join(dir, "ann", "key.pem")) {
		t.Errorf("a certificate of a token: status %d:\n%s", status, out)
	}
	issue[3] = "certs/ca.pem/none"
	if status, out := inDir(t, dir, issue...); status != failure.Usage || !strings.Contains(out, "is of no use") {
		t.Errorf("a certificate of no token: status %d:\n%s", status, out)
	}
}

// TestCertsOfNothing: whose certificates is said by whoever asks.
func TestCertsOfNothing(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"show", "renew"} {
		want := "error: coordinator certs " + verb + " wants a directory, or several\n"
		if status, out := inDir(t, t.TempDir(), "certs", verb); status != failure.Usage || !strings.HasPrefix(out, want) {
			t.Errorf("%s: status %d: %s", verb, status, out)
		}
	}
}

// TestStartsThatAreRefused: no port is open to others unless somebody has said so.
func TestStartsThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "short"), []byte("word\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"certs", "init", "certs"}, {"certs", "issue", "--name", "w", "-o", "w"},
		{"certs", "issue", "--role", "coordinator", "--run", "r1", "--name", "c", "-o", "c"}} {
		if status, out := inDir(t, dir, args...); status != 0 {
			t.Fatalf("%v: %s", args, out)
		}
	}
	for _, c := range []struct{ args, want string }{
		{"--listen 0.0.0.0:0", "refusing to listen on 0.0.0.0:0 without TLS"},
		{"--listen :0", "refusing to listen on :0 without TLS"},
		{"--listen [::]:0", "refusing to listen on [::]:0 without TLS"},
		{"--listen 127.0.0.1:0 --raft-listen 0.0.0.0:0", "refusing to listen on 0.0.0.0:0 without TLS"},
		{"--listen 0.0.0.0:0 --tls-dir none", "cannot use the certificates in none"},
		{"--listen 0.0.0.0:0 --tls-dir w", "the certificate in w is of worker/w"},
		{"--listen 0.0.0.0:0 --tls-dir c", "the certificate in c is for run r1"},
		{"--listen 0.0.0.0:0 --tls-dir c --insecure", "exclude each other"},
		{"--listen 0.0.0.0:0 --token-file short", "the token in short is of no use"},
		{"--listen 0.0.0.0:0 --token-file none", "cannot read the token"},
	} {
		args := append([]string{"--launcher", "none", "--workers", "1", "--run-dir", "run"}, strings.Fields(c.args)...)
		if status, out := inDir(t, dir, args...); status != failure.Usage || !strings.Contains(out, c.want) {
			t.Errorf("%s: status %d, want %q:\n%s", c.args, status, c.want, out)
		}
	}
}

// TestOperatorsFindTheirKeys: who started a run asks it without a word more, others need a certificate; that of an
// observer does not steer.
func TestOperatorsFindTheirKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range []string{"certs init certs", "certs issue --role coordinator --name c -o c",
		"certs issue --role observer --name eve -o eve", "certs init others",
		"certs issue --authority others --role operator --name mallory -o mallory"} {
		if status, out := inDir(t, dir, strings.Fields(args)...); status != 0 {
			t.Fatalf("%v: %s", args, out)
		}
	}
	run := program(t, "coordinator", waiting("runs/r", "--tls-dir", "c")...)
	run.Dir = dir
	var said bytes.Buffer
	run.Stdout, run.Stderr = &said, &said
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "card", func() bool { return exists(filepath.Join(dir, "runs/r", coordinator.CardFile)) })
	card, err := coordinator.ReadCard(filepath.Join(dir, "runs/r"))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "runs/r", coordinator.OperatorFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("the operator's keys: %v, %v", info, err)
	}
	elsewhere := t.TempDir()
	for _, c := range []struct {
		from   string
		args   string
		status int
		want   string
	}{
		{dir, "status", 0, "RUN r"},
		{dir, "status --run-dir runs/r", 0, "RUN r"},
		{dir, "status -s " + card.Address, 0, "RUN r"},
		{dir, "status -s " + card.Address + " --tls-dir eve", 0, "RUN r"},
		{dir, "pause -s " + card.Address + " --tls-dir eve", failure.Usage, "observer/eve may not call Pause"},
		{elsewhere, "status -s " + card.Address, failure.Unreachable, "--tls-dir"},
		{dir, "status -s " + card.Address + " --tls-dir mallory", failure.Unreachable, "authority that is not trusted"},
		{dir, "status -s " + card.Address + " --tls-dir none", failure.Usage, "cannot use the certificates in none"},
		{dir, "pause", 0, ""},
	} {
		if status, out := inDir(t, c.from, strings.Fields(c.args)...); status != c.status || !strings.Contains(out, c.want) {
			t.Errorf("%s: status %d, want %d and %q:\n%s", c.args, status, c.status, c.want, out)
		}
	}
	_, text := inDir(t, dir, "status", "-o", "json")
	var st struct {
		Protection struct{ By, Identity, Expires string }
	}
	if err := json.Unmarshal([]byte(text), &st); err != nil || st.Protection.By != byCertificates ||
		st.Protection.Identity != "spiffe://byol/default/coordinator/c" || st.Protection.Expires == "" {
		t.Errorf("status shows the protection %+v, %v", st.Protection, err)
	}
	if err := run.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := exitStatus(run.Wait()); got != failure.Temporary {
		t.Errorf("ended with %d:\n%s", got, &said)
	}
	if !strings.Contains(said.String(), "TLS as coordinator/c, certificate good until") {
		t.Errorf("the banner says\n%s", &said)
	}
	events, err := os.ReadFile(filepath.Join(dir, "runs/r/events.jsonl"))
	if err != nil || !strings.Contains(string(events), "asked by operator/") ||
		exists(filepath.Join(dir, "runs/r", coordinator.OperatorFile)) {
		t.Errorf("keys are left, or the events say %s, %v", events, err)
	}
}

// TestExpiryIsWarnedOf: in good time, and when it is too late; in words that stay the same as time goes on.
func TestExpiryIsWarnedOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if status, out := inDir(t, dir, "certs", "init", "certs"); status != 0 {
		t.Fatal(out)
	}
	for life, want := range map[string]string{"720h": "", "100h": "expires at 20", "1ms": "expired"} {
		args := []string{"certs", "issue", "--role", "coordinator", "--name", "c", "--life", life, "-o", "c"}
		if status, out := inDir(t, dir, args...); status != 0 {
			t.Fatal(out)
		}
		time.Sleep(2 * time.Millisecond)
		p, err := planned(t, "--tls-dir", filepath.Join(dir, "c"))
		if err != nil {
			t.Fatal(err)
		}
		guard, err := protect(p)
		if err != nil {
			t.Fatal(err)
		}
		w := guard.describe().Warning
		if (w == "") != (want == "") || !strings.Contains(w, want) {
			t.Errorf("a life of %s: %q, want %q", life, w, want)
		}
		time.Sleep(60 * time.Millisecond)
		if later := guard.describe().Warning; later != w {
			t.Errorf("a life of %s: %q, and then %q", life, w, later)
		}
	}
}
