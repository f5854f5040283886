// Package store reads objects of S3, of services that speak as it does, and of web servers as source.Files: by parts,
// with retries, and through a cache of whole objects on this machine's disk.
//
// An object that is read for the first time begins to be fetched into the cache, in the order in which objects are
// first wanted, which is that of the epoch; until it is there, parts of it are asked for one by one. The cache is
// bounded. It drops what was used longest ago, but nothing that this Store uses: with a new order each epoch no object
// is likelier than another to be wanted next.
//
// A Store is safe for concurrent use and owns the goroutines that fetch; Close ends them and waits.
//
// # When it fails
//
// What is not there wraps fs.ErrNotExist, what may not be seen source.ErrDenied, and an object that is no longer the
// one that was first seen source.ErrChanged: all are *failure.Failure with the advice that fits. What may pass (cut
// connections, errors of a server, silence) is tried again, with longer and longer pauses, until Patience is over. A
// cache that cannot be written or is damaged costs time, never an error.
package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"byol/internal/failure"
	"byol/worker/data/source"
)

// Config says where objects are and how they are read.
type Config struct {
	// Endpoint is where s3:// is, as https://HOST:PORT or HOST:PORT; "": Amazon's.
	Endpoint string
	// CacheDir is where whole objects are kept; "": nowhere.
	CacheDir string
	// CacheBytes bounds it.
	CacheBytes int64
	// Patience is how long a part may take to come, with all that is tried; 0: 2 minutes.
	Patience time.Duration
	// Note, if not nil, is told what a person may want to know: of the cache, and of servers that do not answer. It may be
	// called from any goroutine.
	Note func(string)
}

const defaultPatience = 2 * time.Minute

// meta is what identifies an object.
type meta struct {
	size     int64
	etag     string // with its quotes where the server has them
	modified time.Time
}

// version is another for another object of the same name.
func (m meta) version() int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s\x00%d\x00%d", m.etag, m.size, m.modified.UnixNano())
	return int64(h.Sum64()>>1) | 1
}

// bucket is a service that holds objects by key.
type bucket interface {
	stat(ctx context.Context, key string) (meta, error)
	// get gives bytes [off, off+n) of the object that m identifies, or an error that says that it is another one.
	get(ctx context.Context, key string, m meta, off, n int64) (io.ReadCloser, error)
	// list tells fn what lies below a prefix: objects, and folders by names that end in "/".
	list(ctx context.Context, prefix string, fn func(key string, m meta)) error
}

// Store implements source.Files.
type Store struct {
	cfg   Config
	http  *http.Client
	cache *cache // nil: none
	ctx   context.Context
	end   context.CancelFunc

	waiting atomic.Bool // it was told that something does not come

	mu      sync.Mutex // guards both
	known   map[string]meta
	buckets map[string]bucket
}

var _ source.Files = (*Store)(nil)

// New gives a Store. It looks at the cache's folder, and at no server. It lives until Close, whatever becomes of ctx.
func New(ctx context.Context, cfg Config) *Store {
	if cfg.Patience <= 0 {
		cfg.Patience = defaultPatience
	}
	if cfg.Note == nil {
		cfg.Note = func(string) {}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.DisableCompression = 64, true
	transport.ResponseHeaderTimeout = stall(cfg.Patience)
	s := &Store{cfg: cfg, http: &http.Client{Transport: transport}, known: map[string]meta{}, buckets: map[string]bucket{}}
	s.ctx, s.end = context.WithCancel(context.WithoutCancel(ctx))
	if cfg.CacheDir != "" && cfg.CacheBytes > 0 {
		s.cache = newCache(s, cfg.CacheDir, cfg.CacheBytes)
	}
	return s
}

// Close ends the fetching of objects and all that is being read.
func (s *Store) Close() error {
	s.end()
	if s.cache != nil {
		s.cache.close()
	}
	s.http.CloseIdleConnections()
	return nil
}

// stall is how long one answer may stand still before another is asked for.
func stall(patience time.Duration) time.Duration { return min(patience/4, 30*time.Second) }

// of gives the service of a name, and its key there.
func (s *Store) of(name string) (bucket, string, error) {
	scheme, rest, _ := strings.Cut(name, "://")
	host, key, _ := strings.Cut(rest, "/")
	if host == "" {
		return nil, "", &failure.Failure{What: "read " + name, Why: "it names no bucket or server", Code: failure.Data,
			Try: "s3://BUCKET/PATH or https://HOST/PATH"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := scheme + "://" + host
	if b := s.buckets[at]; b != nil {
		return b, key, nil
	}
	var b bucket
	var err error
	switch scheme {
	case "s3":
		b, err = openS3(s.http, s.cfg.Endpoint, host)
	case "gs":
		b, err = openS3(s.http, "https://storage.googleapis.com", host)
	default:
		b = &web{client: s.http, base: at}
	}
	if err != nil {
		return nil, "", &failure.Failure{What: "read " + name, Why: err.Error(), Code: failure.Data,
			Try: "--s3-endpoint https://HOST:PORT", Err: err}
	}
	s.buckets[at] = b
	return b, key, nil
}

// Stat implements source.Files. What was seen once is what is meant from then on.
func (s *Store) Stat(ctx context.Context, name string) (source.Info, error) {
	m, err := s.stat(ctx, name)
	if err == nil {
		return source.Info{Kind: source.Regular, Size: m.size, Version: m.version()}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return source.Info{}, err
	}
	// A folder has no version: it is looked at anew each time.
	if entries, listErr := s.List(ctx, name); listErr == nil && len(entries) > 0 {
		return source.Info{Kind: source.Folder, Version: time.Now().UnixNano()}, nil
	}
	return source.Info{}, err
}

func (s *Store) stat(ctx context.Context, name string) (meta, error) {
	if m, ok := s.seen(name); ok {
		return m, nil
	}
	b, key, err := s.of(name)
	if err != nil {
		return meta{}, err
	}
	if key == "" {
		return meta{}, told("find", name, fs.ErrNotExist)
	}
	var m meta
	err = s.retry(ctx, "find", name, func(ctx context.Context) (bool, error) {
		m, err = b.stat(ctx, key)
		return false, err
	})
	if err != nil {
		return meta{}, err
	}
	return s.pin(name, m), nil
}

func (s *Store) seen(name string) (meta, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, ok := s.known[name]
	return m, ok
}

func (s *Store) pin(name string, m meta) meta {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.known[name]; ok {
		return old
	}
	s.known[strings.Clone(name)] = m
	return m
}

// List implements source.Files.
func (s *Store) List(ctx context.Context, folder string) ([]source.Entry, error) {
	folder = strings.TrimRight(folder, "/") + "/"
	b, prefix, err := s.of(folder)
	if err != nil {
		return nil, err
	}
	var out []source.Entry
	found := map[string]meta{}
	err = s.retry(ctx, "list", folder, func(ctx context.Context) (bool, error) {
		out = nil
		return false, b.list(ctx, prefix, func(key string, m meta) {
			name := strings.TrimPrefix(key, prefix)
			switch {
			case name == "":
			case strings.HasSuffix(name, "/"):
				out = append(out, source.Entry{Name: strings.TrimSuffix(name, "/"), Kind: source.Folder})
			default:
				out = append(out, source.Entry{Name: name})
				found[folder+name] = m
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, told("list", folder, fs.ErrNotExist)
	}
	for name, m := range found {
		s.pin(name, m)
	}
	return sorted(out), nil
}

// Open implements source.Files.
func (s *Store) Open(ctx context.Context, name string) (source.File, error) {
	m, err := s.stat(ctx, name)
	if err != nil {
		return nil, err
	}
	return &object{in: s, name: strings.Clone(name), meta: m}, nil
}

// Open is source.Open of a URI that may name objects: the Source owns the Store that it is read by.
func Open(ctx context.Context, uri string, cfg Config, opts source.Options) (source.Source, error) {
	if !strings.Contains(opts.Roots.Apply(uri), "://") {
		return source.Open(ctx, uri, opts)
	}
	s := New(ctx, cfg)
	opts.Remote = s
	src, err := source.Open(ctx, uri, opts)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &owned{src, s}, nil
}

type owned struct {
	source.Source
	store *Store
}

// Close implements source.Source.
func (o *owned) Close() error { return errors.Join(o.store.Close(), o.Source.Close()) }

// CacheAt is where objects are kept unless somewhere is named; "" where the system has no place for caches.
func CacheAt(named string) string {
	dir, err := os.UserCacheDir()
	switch {
	case named != "":
		return named
	case err != nil:
		return ""
	}
	return filepath.Join(dir, "byol")
}
