package store_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"byol/internal/failure"
	"byol/worker/data/shards"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
	"byol/worker/data/store"
)

// service is a real S3 server in this process, behind a proxy that injects faults.
type service struct {
	t       *testing.T
	backend *s3mem.Backend
	server  *httptest.Server

	mu       sync.Mutex // guards all below
	fault    func(w http.ResponseWriter, r *http.Request) bool
	requests int
	bytes    int64
}

func serve(t *testing.T) *service {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_REGION", "us-east-1")
	s := &service{t: t, backend: s3mem.New()}
	if err := s.backend.CreateBucket("pictures"); err != nil {
		t.Fatal(err)
	}
	fake := gofakes3.New(s.backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests++
		fault := s.fault
		s.mu.Unlock()
		if fault == nil || !fault(w, r) {
			fake.ServeHTTP(&counting{w, s}, r)
		}
	}))
	t.Cleanup(s.server.Close)
	return s
}

type counting struct {
	http.ResponseWriter
	s *service
}

func (c *counting) Write(p []byte) (int, error) {
	c.s.mu.Lock()
	c.s.bytes += int64(len(p))
	c.s.mu.Unlock()
	return c.ResponseWriter.Write(p)
}

func (s *service) put(name string, content []byte) {
	s.t.Helper()
	meta := map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)}
	_, err := s.backend.PutObject("pictures", name, meta, bytes.NewReader(content), int64(len(content)), nil)
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) inject(fault func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func (s *service) sent() (requests int, sent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.bytes
}

// client is a Store of the service; notes are what it told.
func (s *service) client(cfg store.Config) (*store.Store, func() []string) {
	s.t.Helper()
	var mu sync.Mutex
	var notes []string
	cfg.Endpoint = s.server.URL
	if cfg.Patience == 0 {
		cfg.Patience = 2 * time.Second
	}
	cfg.Note = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		notes = append(notes, text)
	}
	c := store.New(s.t.Context(), cfg)
	s.t.Cleanup(func() { _ = c.Close() })
	return c, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(notes)
	}
}

// fill puts a small set there, as shards, and gives the folder it is of.
func (s *service) fill() source.Source {
	s.t.Helper()
	m := &sourcetest.Memory{}
	for i := range 60 {
		m.Write(fmt.Sprintf("set/%s/%02d.ppm", []string{"cat", "dog", "elk"}[i%3], i),
			append(fmt.Appendf(nil, "P6 100 100 255\n"), bytes.Repeat([]byte{byte(i)}, 30_000)...))
	}
	src, err := source.OpenIn(s.t.Context(), m, "set", source.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	dst := filepath.Join(s.t.TempDir(), "out")
	if _, err := shards.Write(s.t.Context(), src, dst, shards.Options{MiB: 1}); err != nil {
		s.t.Fatal(err)
	}
	entries, err := os.ReadDir(dst)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dst, e.Name()))
		if err != nil {
			s.t.Fatal(err)
		}
		s.put("shards/"+e.Name(), b)
	}
	for i := range src.Len() {
		b, err := src.Bytes(s.t.Context(), i, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		s.put("folder/"+src.Entry(i), b)
	}
	return src
}

const pattern = "s3://pictures/shards/images-{000000..000001}.tar"

func open(t *testing.T, c *store.Store, uri string) (source.Source, error) {
	t.Helper()
	return source.Open(t.Context(), uri, source.Options{Remote: c})
}

// same wants equal bytes and labels in equal order, read by several at once.
func same(t *testing.T, a, b source.Source) {
	t.Helper()
	if a.Len() != b.Len() || !slices.Equal(a.Classes(), b.Classes()) {
		t.Fatalf("%d images of %v, and %d of %v", a.Len(), a.Classes(), b.Len(), b.Classes())
	}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := g; i < a.Len(); i += 4 {
				x, errX := a.Bytes(context.WithoutCancel(t.Context()), i, nil)
				y, errY := b.Bytes(context.WithoutCancel(t.Context()), i, nil)
				if errX != nil || errY != nil || !bytes.Equal(x, y) || a.Label(i) != b.Label(i) {
					t.Errorf("image %d is %s of class %d, %v, and %s of class %d, %v", i, a.Name(i), a.Label(i), errX, b.Name(i),
						b.Label(i), errY)
				}
			}
		})
	}
	all.Wait()
}

// TestEveryForm: a folder, shards of it, and both in a bucket are one set: the same images, order, labels, classes and
// manifest; with and without a cache, by braces, wildcards and as a folder.
func TestEveryForm(t *testing.T) {
	s := serve(t)
	want := s.fill()
	for _, uri := range []string{pattern, "s3://pictures/shards/*.tar", "s3://pictures/**/images-*.tar",
		"s3://pictures/folder"} {
		for _, cached := range []int64{0, 1 << 30} {
			c, notes := s.client(store.Config{CacheDir: t.TempDir(), CacheBytes: cached})
			src, err := open(t, c, uri)
			if err != nil {
				t.Errorf("%s: %v", uri, err)
				continue
			}
			same(t, want, src)
			same(t, want, src)
			if src.Manifest() != want.Manifest() {
				t.Errorf("%s: manifest %s, want %s", uri, src.Manifest(), want.Manifest())
			}
			if n := notes(); len(n) > 0 {
				t.Errorf("%s: told %q", uri, n)
			}
		}
	}
}

// TestFetchedOnce: with a cache that has room, the scan fetches each shard, nothing fetches it again, and another start
// asks for none of it, whether the one before closed or was killed.
func TestFetchedOnce(t *testing.T) {
	s := serve(t)
	want := s.fill()
	dir := t.TempDir()
	read := func() int64 {
		_, before := s.sent()
		c, _ := s.client(store.Config{CacheDir: dir, CacheBytes: 1 << 30})
		src, err := open(t, c, pattern)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			same(t, want, src)
		}
		_, after := s.sent()
		return after - before
	}
	if n := read(); n < 1_800_000 || n > 2_100_000 {
		t.Errorf("the first start has %d bytes sent", n)
	}
	if n := read(); n > 50_000 { // index.json and classes.txt
		t.Errorf("the second start has %d bytes sent", n)
	}
	// What a killed process leaves: a part that nobody fetches any more, and an object without a record.
	records, err := filepath.Glob(filepath.Join(dir, "objects", "*.meta"))
	if err != nil || len(records) == 0 {
		t.Fatal(records, err)
	}
	for _, r := range records {
		if err := os.Remove(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "objects", "0123.part"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if n := read(); n < 500_000 {
		t.Errorf("after a kill %d bytes were sent: an object without a record was believed", n)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "objects", "0123.part")); err != nil || len(left) > 0 {
		t.Errorf("parts are left: %v, %v", left, err)
	}
}

// TestDamagedCache: a bit that turns in the cache is noticed where it is read, told, and costs another fetch.
func TestDamagedCache(t *testing.T) {
	s := serve(t)
	want := s.fill()
	dir := t.TempDir()
	c, notes := s.client(store.Config{CacheDir: dir, CacheBytes: 1 << 30})
	src, err := open(t, c, pattern)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "objects", "*.data"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 4
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	same(t, want, src)
	if n := strings.Join(notes(), "\n"); !strings.Contains(n, "is damaged in the cache") {
		t.Errorf("told %q", n)
	}
}

// TestBounds: a cache without room for all holds no more than it may, lets the least used of other sets go, and what it
// has no room for is read all the same; a disk that takes nothing is told once.
func TestBounds(t *testing.T) {
	s := serve(t)
	want := s.fill()
	dir := t.TempDir()
	const most = 1_500_000 // one shard and a half
	held := func() (total int64) {
		files, err := filepath.Glob(filepath.Join(dir, "objects", "*.data"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				t.Fatal(err)
			}
			total += info.Size()
		}
		return total
	}
	c, notes := s.client(store.Config{CacheDir: dir, CacheBytes: most})
	src, err := open(t, c, pattern)
	if err != nil {
		t.Fatal(err)
	}
	same(t, want, src)
	if n := held(); n == 0 || n > most {
		t.Errorf("%d bytes are held", n)
	}
	if n := strings.Join(notes(), "\n"); !strings.Contains(n, "has no room for all objects") {
		t.Errorf("told %q", n)
	}
	// Another start with another set has room: what the one before held goes.
	other := bytes.Repeat([]byte("x"), 1_400_000)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "a.jpg", Size: int64(len(other)), Mode: 0o644})); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(other); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s.put("other.tar", b.Bytes())
	c, _ = s.client(store.Config{CacheDir: dir, CacheBytes: most})
	if _, err = open(t, c, "s3://pictures/other.tar"); err != nil {
		t.Fatal(err)
	}
	if n := held(); n < 1_400_000 || n > most {
		t.Errorf("%d bytes are held of the other set", n)
	}
	// No folder can be made where a file is.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c, notes = s.client(store.Config{CacheDir: file, CacheBytes: 1 << 30})
	if src, err = open(t, c, pattern); err != nil {
		t.Fatal(err)
	}
	same(t, want, src)
	if n := notes(); len(n) != 1 || !strings.Contains(n[0], "takes nothing (not a directory)") {
		t.Errorf("told %q", n)
	}
}

// TestFaults: cut connections, truncated answers, errors of the server and silence in between change nothing but time.
func TestFaults(t *testing.T) {
	s := serve(t)
	want := s.fill()
	for _, cached := range []int64{0, 1 << 30} {
		var mu sync.Mutex
		n := 0
		s.inject(func(w http.ResponseWriter, r *http.Request) bool {
			mu.Lock()
			n++
			k := n
			mu.Unlock()
			if r.Method != http.MethodGet || k%3 > 0 {
				return false
			}
			switch k / 3 % 5 {
			case 0: // nothing
				panic(http.ErrAbortHandler)
			case 1:
				http.Error(w, "<Error><Code>InternalError</Code></Error>", http.StatusInternalServerError)
			case 2:
				http.Error(w, "<Error><Code>SlowDown</Code></Error>", http.StatusServiceUnavailable)
			case 3: // less than was promised
				s.passOn(w, r, 2, false)
			default: // a part, and then nothing more
				s.passOn(w, r, 2, true)
			}
			return true
		})
		c, _ := s.client(store.Config{CacheDir: t.TempDir(), CacheBytes: cached, Patience: 4 * time.Second})
		src, err := open(t, c, pattern)
		if err != nil {
			t.Fatal(err)
		}
		same(t, want, src)
	}
}

// passOn gives one part in so many of the true answer under its true head, and then nothing more or the end.
func (s *service) passOn(w http.ResponseWriter, r *http.Request, part int, hang bool) {
	var whole httptest.ResponseRecorder
	whole.Body = &bytes.Buffer{}
	gofakes3.New(s.backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server().ServeHTTP(&whole, r)
	for k, v := range whole.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(whole.Code)
	b := whole.Body.Bytes()
	_, _ = w.Write(b[:len(b)/part])
	w.(http.Flusher).Flush()
	if hang {
		<-r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

// TestRefusals: what a service says no to is told in words that lead on, at once, by the name that was asked for.
func TestRefusals(t *testing.T) {
	s := serve(t)
	s.fill()
	say := func(status int, code string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(status)
			if r.Method != http.MethodHead {
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
			}
			return true
		}
	}
	const one = "s3://pictures/shards/images-000000.tar"
	for _, c := range []struct {
		uri, why, try string
		fault         func(http.ResponseWriter, *http.Request) bool
	}{
		{one, "access is denied (403", "check AWS_ACCESS_KEY_ID", say(403, "AccessDenied")},
		{"s3://pictures/shards/*.tar", "access is denied (403 AccessDenied no)", "check AWS_", say(403, "AccessDenied")},
		{"s3://pictures/shards/*.tar", "the credentials have expired (400 ExpiredToken no)", "renew them",
			say(400, "ExpiredToken")},
		{"s3://pictures/none.tar", "it does not exist (404", "check the name", nil},
		{"s3://nobody/none.tar", "it does not exist (404", "check the name", nil},
		{"s3://nobody/*.tar", "there is no such bucket (404 NoSuchBucket", "check the bucket's name", nil},
		{"s3://pictures/none-*.tar", "nothing matches", "list the folder", nil},
		{"s3://b/*.tar", "400 InvalidBucketName", "whether the name is right", nil},
		{"s3:///x.tar", "it names no bucket or server", "s3://BUCKET/PATH", nil},
	} {
		s.inject(c.fault)
		client, _ := s.client(store.Config{})
		_, err := open(t, client, c.uri)
		var f *failure.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Why, c.why) || !strings.Contains(f.Try, c.try) ||
			f.Code != failure.Data {
			t.Errorf("%s: %+v (%v), want %q and %q", c.uri, f, err, c.why, c.try)
			continue
		}
		t.Logf("%s: %s; try: %s", c.uri, f.Why, f.Try)
	}
	client := store.New(t.Context(), store.Config{Endpoint: "ftp://x"})
	if _, err := open(t, client, one); err == nil || !strings.Contains(err.Error(), "is no https://HOST:PORT") {
		t.Errorf("a wrong endpoint: %v", err)
	}
}

// TestGivesUp: a server that says nothing, or nothing but errors, is given up after the patience, with the number of
// tries.
func TestGivesUp(t *testing.T) {
	s := serve(t)
	s.fill()
	for _, fault := range []func(http.ResponseWriter, *http.Request) bool{
		func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true },
		func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true },
	} {
		s.inject(fault)
		c, notes := s.client(store.Config{Patience: 400 * time.Millisecond})
		_, err := open(t, c, "s3://pictures/shards/images-000000.tar")
		if n := notes(); len(n) != 1 || !strings.HasPrefix(n[0], "waiting for s3://pictures/shards/images-000000.tar: ") ||
			!strings.Contains(n[0], "for up to 400ms") {
			t.Errorf("told %q", n)
		}
		var f *failure.Failure
		if !errors.As(err, &f) || !strings.Contains(f.Why, " tries in ") || !strings.Contains(f.Try, "--data-timeout") {
			t.Errorf("%+v, %v", f, err)
		}
	}
}

// TestChangedObject: an object that is written anew in the middle of a run is a data error that names it; what is in
// the cache stays what was indexed.
func TestChangedObject(t *testing.T) {
	s := serve(t)
	want := s.fill()
	for _, cached := range []int64{0, 1 << 30} {
		c, _ := s.client(store.Config{CacheDir: t.TempDir(), CacheBytes: cached})
		src, err := open(t, c, pattern)
		if err != nil {
			t.Fatal(err)
		}
		object, err := s.backend.GetObject("pictures", "shards/images-000001.tar", nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(object.Contents)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		s.put("shards/images-000001.tar", b)
		if cached > 0 {
			same(t, want, src)
			continue
		}
		_, err = src.Bytes(t.Context(), src.Len()-1, nil)
		var f *failure.Failure
		if !errors.As(err, &f) || !errors.Is(err, source.ErrChanged) || !strings.Contains(f.What, "images-000001.tar") ||
			!strings.Contains(f.Why, "another object than the one that was indexed") {
			t.Errorf("%+v, %v", f, err)
		}
		if _, err := src.Bytes(t.Context(), 0, nil); err != nil {
			t.Errorf("the other shard: %v", err)
		}
		b[len(b)/2] ^= 1
		s.put("shards/images-000001.tar", b)
	}
}

// TestWeb: a web server's files by ranges; one that knows none serves what is fetched whole; names must be given.
func TestWeb(t *testing.T) {
	s := serve(t)
	want := s.fill()
	dir := t.TempDir()
	for _, name := range []string{"images-000000.tar", "images-000001.tar", source.IndexFile, "classes.txt"} {
		object, err := s.backend.GetObject("pictures", "shards/"+name, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(object.Contents)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	files := http.FileServerFS(os.DirFS(dir))
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		cached  int64
		uri     string
		want    string
	}{
		"ranges": {handler: files.ServeHTTP, uri: "/images-{000000..000001}.tar"},
		"signed": {handler: files.ServeHTTP, uri: "/images-000000.tar?signature=a*b,/images-000001.tar",
			want: ""},
		"no head": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
				return
			}
			files.ServeHTTP(w, r)
		}, uri: "/images-{000000..000001}.tar"},
		"whole files": {handler: func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			files.ServeHTTP(w, r)
		}, cached: 1 << 30, uri: "/images-{000000..000001}.tar"},
		"whole files, no cache": {handler: func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			files.ServeHTTP(w, r)
		}, uri: "/images-{000000..000001}.tar", want: "gives whole files alone"},
		"wildcards": {handler: files.ServeHTTP, uri: "/images-*.tar", want: "it does not exist (404"},
		"nothing":   {handler: files.ServeHTTP, uri: "/none.tar", want: "it does not exist (404"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.handler)
			defer server.Close()
			client, _ := s.client(store.Config{CacheDir: t.TempDir(), CacheBytes: c.cached, Patience: 4 * time.Second})
			defer client.Close()
			src, err := open(t, client, server.URL+strings.ReplaceAll(c.uri, ",/", ","+server.URL+"/"))
			if err == nil && c.want != "" {
				_, err = src.Bytes(t.Context(), src.Len()-1, nil)
			}
			var f *failure.Failure
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
				same(t, want, src)
			case !errors.As(err, &f) || !strings.Contains(f.Why, c.want) || errors.Is(err, fs.ErrPermission):
				t.Errorf("%v (%+v), want %q", err, f, c.want)
			}
		})
	}
}
