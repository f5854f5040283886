package admin

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"byol/coordinator/report"
	"byol/internal/network/secure"
	"byol/internal/network/web"
)

// TestLibrary is that the files are those that were published: uPlot 1.6.32, as npm has it.
func TestLibrary(t *testing.T) {
	for name, want := range map[string]string{
		"uplot/uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
		"uplot/uPlot.min.css":     "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
	} {
		if got := fmt.Sprintf("%x", sha256.Sum256(read(name))); got != want {
			t.Errorf("%s has SHA-256 %s, want %s", name, got, want)
		}
	}
}

// asked remembers what was steered.
type asked struct {
	by   []Caller
	what []string
	err  error
}

func (a *asked) Steer(_ context.Context, by Caller, what, worker string) error {
	a.by, a.what = append(a.by, by), append(a.what, strings.TrimSpace(what+" "+worker))
	return a.err
}

// TestGuard tries requests at a port without TLS that steers for all, and at one that is private.
func TestGuard(t *testing.T) {
	owner := secure.Identity{Run: "default", Role: secure.Operator, Name: "ann"}
	for _, c := range []struct {
		what    string
		request string // METHOD PATH
		header  string // NAME: VALUE, …
		private bool
		want    int
	}{
		{"page", "GET /", "", false, 200},
		{"metrics", "GET /metrics", "", true, 200},
		{"page by a name that anybody may point here", "GET /", "Host: evil.example", false, 421},
		{"metrics by such a name", "GET /metrics", "Host: evil.example:9090", false, 421},
		{"stream by such a name", "GET /api/v1/watch", "Host: evil.example", false, 421},
		{"status by such a name", "GET /api/v1/status", "Host: 127.0.0.1.evil.example", false, 421},
		{"probe by any name", "GET /healthz", "Host: evil.example", false, 200},
		{"page by its own name", "GET /", "Host: LAB.example.", false, 200},
		{"page by a service's name", "GET /", "Host: byol-coordinator.byol.svc:9090", false, 200},
		{"page by an address", "GET /", "Host: [fd00::1]:9090", false, 200},
		{"pause", "POST /api/v1/pause", "X-Byol-Token: word", false, 200},
		{"pause of a private port", "POST /api/v1/pause", "X-Byol-Token: word", true, 200},
		{"pause from the page", "POST /api/v1/pause",
			"X-Byol-Token: word, Origin: http://127.0.0.1:9090, Sec-Fetch-Site: same-origin", false, 200},
		{"drain of a worker", "POST /api/v1/drain?worker=worker-1", "X-Byol-Token: word", false, 200},
		{"without the token", "POST /api/v1/stop", "", false, 403},
		{"with another", "POST /api/v1/stop", "X-Byol-Token: Word", false, 403},
		{"from another origin", "POST /api/v1/stop", "X-Byol-Token: word, Origin: http://127.0.0.1:8080", false, 403},
		{"from a page of no origin", "POST /api/v1/stop", "X-Byol-Token: word, Origin: null", false, 403},
		{"from another site", "POST /api/v1/stop", "X-Byol-Token: word, Sec-Fetch-Site: cross-site", false, 403},
		{"from another port of this site", "POST /api/v1/stop", "X-Byol-Token: word, Sec-Fetch-Site: same-site", false, 403},
		{"by another name", "POST /api/v1/stop", "X-Byol-Token: word, Host: evil.example", false, 421},
		{"by GET, as pictures do", "GET /api/v1/stop", "X-Byol-Token: word", false, 405},
		{"what does not exist", "POST /api/v1/explode", "X-Byol-Token: word", false, 404},
		{"a file that is none", "GET /page.html", "", false, 404},
	} {
		steering := &asked{}
		h := NewHandler(trainedBoard(time.Now()), Guard{Token: "word", Private: c.private, Owner: owner,
			Hosts: []string{"lab.example"}}, steering)
		method, path, _ := strings.Cut(c.request, " ")
		r := httptest.NewRequest(method, "http://127.0.0.1:9090"+path, nil)
		for _, line := range strings.Split(c.header, ", ") {
			if name, value, _ := strings.Cut(line, ": "); name == "Host" {
				r.Host = value
			} else if name != "" {
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: got %d, want %d: %s", c.what, w.Code, c.want, w.Body)
		}
		if _, worker, of := strings.Cut(path, "?worker="); of && !slices.Equal(steering.what, []string{"drain " + worker}) {
			t.Errorf("%s: it was asked for %v", c.what, steering.what)
		}
		done := method == "POST" && c.want == 200
		if len(steering.what) > 0 != done {
			t.Errorf("%s: it was asked for %v", c.what, steering.what)
		}
		if done && (steering.by[0].Known != c.private || c.private && steering.by[0].Who != owner ||
			steering.by[0].From.String() != r.RemoteAddr) {
			t.Errorf("%s: by %+v", c.what, steering.by[0])
		}
		if w.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s: the policy is %q", c.what, w.Header().Get("Content-Security-Policy"))
		}
	}
}

// TestStatus is the status as every program prints it: numbers are numbers.
func TestStatus(t *testing.T) {
	board := trainedBoard(time.Now())
	w := httptest.NewRecorder()
	NewHandler(board, Guard{}, nil).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/api/v1/status", nil))
	var got struct {
		Progress struct{ Step int64 }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if want := board.Status().GetProgress().GetStep(); want == 0 || got.Progress.Step != want {
		t.Errorf("step %d, want %d", got.Progress.Step, want)
	}
}

// TestPage has the token where whoever opens it may steer, and nothing that the policy forbids.
func TestPage(t *testing.T) {
	for _, private := range []bool{false, true} {
		h := NewHandler(trainedBoard(time.Now()), Guard{Token: "secretword", Private: private}, &asked{})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost:9090/", nil))
		text := w.Body.String()
		if strings.Contains(text, "secretword") == private {
			t.Errorf("private is %v, and the page is\n%s", private, text)
		}
		for _, bad := range []string{"<style", "style=", "onclick", "javascript:", "http://", "https://", "<script>"} {
			if strings.Contains(text, bad) {
				t.Errorf("there is %s on the page", bad)
			}
		}
	}
	for path, want := range map[string]string{"/style.css": "--ground", "/live.js": "EventSource", "/uplot.js": "uPlot"} {
		w := httptest.NewRecorder()
		NewHandler(NewBoard(""), Guard{}, nil).ServeHTTP(w, httptest.NewRequest("GET", "http://localhost"+path, nil))
		if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// TestRefused tells the page why.
func TestRefused(t *testing.T) {
	h := NewHandler(NewBoard(""), Guard{Token: "word"}, &asked{err: errors.New("the run has ended")})
	r := httptest.NewRequest("POST", "http://localhost/api/v1/pause", nil)
	r.Header.Set(tokenHeader, "word")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if got := w.Body.String(); w.Code != http.StatusConflict || got != `{"error":"the run has ended"}` {
		t.Errorf("got %d %s", w.Code, got)
	}
}

// served is a handler on a port of its own, until the test ends.
func served(t *testing.T, c *tls.Config, h http.Handler) (address string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- web.Port{Listener: l, TLS: c, Log: zap.NewNop(), Streams: true}.Serve(ctx, h) }()
	stop = func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		ended <- nil
	}
	t.Cleanup(stop)
	return l.Addr().String(), stop
}

// TestStream hears everything once, then what is new, and ends with the server.
func TestStream(t *testing.T) {
	b := trainedBoard(time.Now())
	address, stop := served(t, nil, NewHandler(b, Guard{}, nil))
	answer, err := http.Get("http://" + address + "/api/v1/watch")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<20)
	next := func(kind string, to any) bool {
		for lines.Scan() {
			if lines.Text() != "event: "+kind {
				continue
			}
			lines.Scan()
			if err := json.Unmarshal([]byte(strings.TrimPrefix(lines.Text(), "data: ")), to); err != nil {
				t.Fatal(err)
			}
			return true
		}
		return false
	}
	var h hello
	if !next("hello", &h) || h.Instance == "" {
		t.Fatalf("the first word is %+v", h)
	}
	// The JSON of figures is read as numbers here.
	type heard struct {
		View *struct {
			Progress struct{ Step int64 }
			Workers  []struct {
				ID       string
				Lag      int64
				Restarts int64
			}
		}
		Curves *struct {
			From int
			Step []int64
		}
		Events   []report.Event
		Timeline []stretch
	}
	var n heard
	if !next("news", &n) || n.View == nil || n.View.Progress.Step != 7 || len(n.View.Workers) != 2 ||
		n.View.Workers[1].Restarts != 1 || n.Curves == nil || len(n.Curves.Step) != 7 || len(n.Events) != 4 ||
		len(n.Timeline) != 1 {
		t.Fatalf("at first: %+v", n)
	}
	b.Committed(report.Step{Step: 8, Loss: 1})
	n = heard{}
	if !next("news", &n) || n.View != nil || n.Curves == nil || n.Curves.From != 6 ||
		!slices.Equal(n.Curves.Step, []int64{7, 8}) ||
		n.Events != nil {
		t.Fatalf("after a step: %+v", n.Curves)
	}
	stop()
	if next("news", &n) {
		t.Error("the stream goes on after the server's end")
	}
}

// visitor is a client with a certificate of an authority, or without one.
func visitor(t *testing.T, a *secure.Authority, role secure.Role) *http.Client {
	t.Helper()
	config := &tls.Config{InsecureSkipVerify: true} // who serves is not what is tested
	if a != nil {
		b, err := a.Issue(secure.Identity{Run: "default", Role: role, Name: "x"}, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		own, err := tls.X509KeyPair(b.Cert, b.Key)
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config}, Timeout: time.Minute}
}

// TestTLS lets look who shows a certificate, steer whose is an operator's, and probe everybody.
func TestTLS(t *testing.T) {
	authority, err := secure.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	other, err := secure.NewAuthority("another", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	source, err := secure.NewIssued(authority, secure.Identity{Run: "default", Role: secure.Coordinator, Name: "a"},
		secure.LeafLife, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	steering := &asked{}
	web := secure.Web(source, []secure.Role{secure.Observer, secure.Operator})
	address, _ := served(t, web, NewHandler(trainedBoard(time.Now()), Guard{Token: "word", Private: true}, steering))
	for _, c := range []struct {
		who               string
		by                *secure.Authority
		role              secure.Role
		page, probe, stop int // 0: no connection
	}{
		{"nobody", nil, "", 401, 200, 401},
		{"an observer", authority, secure.Observer, 200, 200, 403},
		{"an operator", authority, secure.Operator, 200, 200, 200},
		{"a worker", authority, secure.Worker, 0, 0, 0},
		{"an operator of elsewhere", other, secure.Operator, 0, 0, 0},
	} {
		client := visitor(t, c.by, c.role)
		for path, want := range map[string]int{"GET /": c.page, "GET /healthz": c.probe, "POST /api/v1/stop": c.stop} {
			method, path, _ := strings.Cut(path, " ")
			r, err := http.NewRequestWithContext(t.Context(), method, "https://"+address+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(tokenHeader, "word")
			answer, err := client.Do(r)
			got := 0
			if err == nil {
				got = answer.StatusCode
				text, _ := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				if path == "/" && strings.Contains(string(text), `content="word"`) != (c.role == secure.Operator) {
					t.Errorf("%s: the page has the token, or lacks it", c.who)
				}
			}
			if got != want {
				t.Errorf("%s %s %s: got %d, want %d (%v)", c.who, method, path, got, want, err)
			}
		}
		client.CloseIdleConnections()
	}
	if len(steering.by) != 1 || steering.by[0].Who.Role != secure.Operator || !steering.by[0].Known {
		t.Errorf("it was steered by %+v", steering.by)
	}
}

// TestChartIsTold once a step has been traced by all, and to each reader once.
func TestChartIsTold(t *testing.T) {
	b := trainedBoard(time.Now())
	at := newCursor()
	n, changed := b.since(&at)
	if n.Chart != nil {
		t.Fatalf("nothing was traced: %+v", n.Chart)
	}
	traceSteps(b, 7)
	<-changed
	if n, _ = b.since(&at); n.Chart == nil || n.Chart.Step != 8 || len(n.Chart.Rows) != 2 {
		t.Fatalf("%+v", n.Chart)
	}
	if n, _ = b.since(&at); n.Chart != nil {
		t.Error("it is told again")
	}
	var none *Board
	none.Traced(nil, time.Now())
}
