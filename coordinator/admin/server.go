package admin

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"html/template"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"byol/coordinator/page"
	"byol/coordinator/status"
	"byol/internal/network/web"
)

// mostStreams is how many of a port's connections may be streams.
const mostStreams = 64

// NewToken is a word that nobody guesses.
func NewToken() string { return rand.Text() }

// Steering changes a run for somebody: what is one of Actions or drain, worker who is to leave. It does what
// the call of an operator does, with its rights and its line in the audit log.
type Steering interface {
	Steer(ctx context.Context, by Caller, what, worker string) error
}

// Actions are what the page can ask for, of the run; drain is of a worker.
var Actions = []string{"pause", "resume", "checkpoint", "stop"}

const drain = "drain"

//go:embed page.html live.js live.css uplot/uPlot.iife.min.js uplot/uPlot.min.css
var files embed.FS

// Handler serves a board.
type Handler struct {
	board    *Board
	guard    Guard
	steering Steering
	instance string // another one for each process: a page of an earlier one knows it by that
	html     *template.Template
	mux      *http.ServeMux
	streams  atomic.Int64
}

// NewHandler serves a board. Nothing is changed where steering is nil.
func NewHandler(b *Board, g Guard, s Steering) *Handler {
	h := &Handler{board: b, guard: g, steering: s, instance: rand.Text(), mux: http.NewServeMux(),
		html: template.Must(template.ParseFS(files, "page.html"))}
	h.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	h.mux.HandleFunc("GET /readyz", h.ready)
	metrics := promhttp.HandlerFor(b.Registry(), promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: web.RequestLimit})
	h.look("GET /metrics", metrics.ServeHTTP)
	h.look("GET /{$}", h.page)
	h.look("GET /api/v1/status", h.status)
	h.look("GET /api/v1/watch", h.watch)
	h.look("GET /style.css", text("text/css; charset=utf-8", []byte(page.Style()), read("live.css"),
		read("uplot/uPlot.min.css")))
	h.look("GET /live.js", text("text/javascript; charset=utf-8", read("live.js")))
	h.look("GET /uplot.js", text("text/javascript; charset=utf-8", read("uplot/uPlot.iife.min.js")))
	for _, what := range append(slices.Clone(Actions), drain) {
		h.mux.HandleFunc("POST /api/v1/"+what, func(w http.ResponseWriter, r *http.Request) { h.act(w, r, what) })
	}
	return h
}

func read(name string) []byte {
	text, err := files.ReadFile(name)
	if err != nil {
		panic("admin: " + err.Error()) // it is embedded
	}
	return text
}

// text serves files that never change while the process lives.
func text(kind string, parts ...[]byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Cache-Control", "no-cache")
		for _, p := range parts {
			_, _ = w.Write(p) // who reads has gone
		}
	}
}

// look serves what those see who may look.
func (h *Handler) look(pattern string, f http.HandlerFunc) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if no := h.guard.look(r); no.code != 0 {
			say(w, no.code, no.text)
			return
		}
		f(w, r)
	})
}

// say answers with a line.
func say(w http.ResponseWriter, code int, line string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, line+"\n") // who reads has gone
}

// policy lets a page load from here alone, run nothing that stands in it, and be in no frame.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin"} {
		w.Header().Set(name, value)
	}
	h.mux.ServeHTTP(w, r)
}

func (h *Handler) ready(w http.ResponseWriter, _ *http.Request) {
	if why := h.board.NotReady(time.Now()); why != "" {
		say(w, http.StatusServiceUnavailable, why)
		return
	}
	say(w, http.StatusOK, "ready")
}

// page is the one page. Its token is empty where whoever opens it may not steer, or has the token already.
func (h *Handler) page(w http.ResponseWriter, r *http.Request) {
	content := struct {
		Token, Instance, Run string
		Actions              []string
	}{Instance: h.instance, Run: h.board.Status().GetRunId()}
	if h.steering != nil {
		content.Actions = Actions
		if h.guard.mayAct(r) {
			content.Token = h.guard.Token
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = h.html.Execute(w, content) // who reads has gone
}

func (h *Handler) status(w http.ResponseWriter, _ *http.Request) {
	line, err := status.JSON(h.board.Status())
	if err != nil {
		say(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(line, '\n')) // who reads has gone
}

// act changes the run. The answer is {"error": …} with nothing in it where all went well.
func (h *Handler) act(w http.ResponseWriter, r *http.Request, what string) {
	by, no := h.guard.steer(r)
	if no.code == 0 && h.steering == nil {
		no = refusal{http.StatusForbidden, "nothing can be changed here"}
	}
	if no.code != 0 {
		answer(w, no.code, no.text)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), web.RequestLimit)
	defer cancel()
	if err := h.steering.Steer(ctx, by, what, r.URL.Query().Get("worker")); err != nil {
		answer(w, http.StatusConflict, err.Error())
		return
	}
	answer(w, http.StatusOK, "")
}

func answer(w http.ResponseWriter, code int, wrong string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	line, _ := json.Marshal(map[string]string{"error": wrong}) // a string can be marshalled
	_, _ = w.Write(line)                                       // who reads has gone
}
