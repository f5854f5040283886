package store

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"byol/worker/data/source"
)

// web is a web server: its files are objects.
type web struct {
	client *http.Client
	base   string
}

func (w *web) ask(ctx context.Context, method, key string, header http.Header) (*http.Response, error) {
	path, query, _ := strings.Cut(key, "?") // signed addresses have one
	at := w.base + "/" + (&url.URL{Path: path}).EscapedPath()
	if strings.Contains(path, "%") {
		at = w.base + "/" + path // it is spelled as an address already
	}
	if query != "" {
		at += "?" + query
	}
	q, err := http.NewRequestWithContext(ctx, method, at, nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		q.Header[k] = v
	}
	return w.client.Do(q)
}

// stat implements bucket. Servers that answer no HEAD are asked for the first byte.
func (w *web) stat(ctx context.Context, key string) (meta, error) {
	r, err := w.ask(ctx, http.MethodHead, key, nil)
	if err != nil {
		return meta{}, err
	}
	_ = r.Body.Close()
	if r.StatusCode == http.StatusOK && r.ContentLength >= 0 {
		return metaOf(r.Header, r.ContentLength), nil
	}
	if r, err = w.ask(ctx, http.MethodGet, key, http.Header{"Range": {"bytes=0-0"}}); err != nil {
		return meta{}, err
	}
	defer r.Body.Close()
	switch r.StatusCode {
	case http.StatusPartialContent:
		_, total, _ := strings.Cut(r.Header.Get("Content-Range"), "/")
		size, err := strconv.ParseInt(total, 10, 64)
		if err != nil {
			return meta{}, errNoRanges
		}
		return metaOf(r.Header, size), nil
	case http.StatusOK:
		return meta{}, errNoRanges
	}
	return meta{}, &statusError{status: r.StatusCode, message: http.StatusText(r.StatusCode)}
}

func metaOf(h http.Header, size int64) meta {
	m := meta{size: size, etag: h.Get("ETag")}
	if at, err := http.ParseTime(h.Get("Last-Modified")); err == nil {
		m.modified = at
	}
	return m
}

// get implements bucket.
func (w *web) get(ctx context.Context, key string, m meta, off, n int64) (io.ReadCloser, error) {
	h := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, off+n-1)}}
	switch {
	case m.etag != "" && !strings.HasPrefix(m.etag, "W/"):
		h["If-Match"] = []string{m.etag}
	case !m.modified.IsZero():
		h["If-Unmodified-Since"] = []string{m.modified.UTC().Format(http.TimeFormat)}
	}
	r, err := w.ask(ctx, http.MethodGet, key, h)
	if err != nil {
		return nil, err
	}
	whole := r.StatusCode == http.StatusOK && off == 0 && n == m.size
	if r.StatusCode == http.StatusPartialContent || whole {
		if now := metaOf(r.Header, m.size); now.etag != m.etag || !now.modified.Equal(m.modified) || whole &&
			r.ContentLength != m.size {
			_ = r.Body.Close()
			return nil, source.ErrChanged
		}
		return r.Body, nil
	}
	_ = r.Body.Close()
	if r.StatusCode == http.StatusOK {
		return nil, errNoRanges
	}
	return nil, &statusError{status: r.StatusCode, message: http.StatusText(r.StatusCode)}
}

// list implements bucket.
func (*web) list(context.Context, string, func(string, meta)) error { return errNoList }
