package store

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"byol/worker/data/source"
)

// s3 is a bucket of a service that speaks as S3 does.
type s3 struct {
	core *minio.Core
	name string
}

// amazon is where s3:// is unless an endpoint is given.
const amazon = "s3.amazonaws.com"

// roleTimeout bounds the question for the role of a machine, which most machines have nobody to answer.
const roleTimeout = 3 * time.Second

// openS3 gives a bucket. Credentials are looked for where Amazon's programs look: variables, the shared file, the
// machine's role; without any the bucket is asked as anybody.
func openS3(client *http.Client, endpoint, name string) (bucket, error) {
	host, secure := amazon, true
	for _, variable := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"} {
		if endpoint == "" {
			endpoint = os.Getenv(variable)
		}
	}
	if endpoint != "" {
		if !strings.Contains(endpoint, "://") {
			endpoint = "https://" + endpoint
		}
		u, err := url.Parse(endpoint)
		if err != nil {
			return nil, err
		}
		if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" {
			return nil, errors.New("the endpoint " + endpoint + " is no https://HOST:PORT")
		}
		host, secure = u.Host, u.Scheme == "https"
	}
	chain := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if host == amazon || os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" {
		chain = append(chain, &credentials.IAM{Client: &http.Client{Transport: client.Transport, Timeout: roleTimeout}})
	}
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = os.Getenv("AWS_DEFAULT_REGION")
	}
	core, err := minio.NewCore(host, &minio.Options{Creds: credentials.NewChainCredentials(chain), Secure: secure,
		Transport: client.Transport, Region: region, MaxRetries: 1})
	if err != nil {
		return nil, err
	}
	return &s3{core: core, name: name}, nil
}

// stat implements bucket.
func (b *s3) stat(ctx context.Context, key string) (meta, error) {
	o, err := b.core.StatObject(ctx, b.name, key, minio.StatObjectOptions{})
	if err != nil {
		return meta{}, s3Error(err)
	}
	return metaOfObject(o), nil
}

func metaOfObject(o minio.ObjectInfo) meta {
	return meta{size: o.Size, etag: strings.Trim(o.ETag, `"`)}
}

// get implements bucket.
func (b *s3) get(ctx context.Context, key string, m meta, off, n int64) (io.ReadCloser, error) {
	var o minio.GetObjectOptions
	if err := o.SetMatchETag(m.etag); err != nil {
		return nil, err
	}
	if err := o.SetRange(off, off+n-1); err != nil {
		return nil, err
	}
	body, info, _, err := b.core.GetObject(ctx, b.name, key, o)
	if err != nil {
		return nil, s3Error(err)
	}
	if strings.Trim(info.ETag, `"`) != m.etag {
		_ = body.Close()
		return nil, source.ErrChanged
	}
	return body, nil
}

// list implements bucket.
func (b *s3) list(ctx context.Context, prefix string, fn func(string, meta)) error {
	if err := s3utils.CheckValidBucketName(b.name); err != nil { // the client says it in no answer's form here
		return &statusError{status: http.StatusBadRequest, code: "InvalidBucketName", message: err.Error()}
	}
	ctx, end := context.WithCancel(ctx)
	defer end() // ends the goroutine that lists
	for o := range b.core.Client.ListObjects(ctx, b.name, minio.ListObjectsOptions{Prefix: prefix}) {
		if o.Err != nil {
			return s3Error(o.Err)
		}
		fn(o.Key, metaOfObject(o))
	}
	return ctx.Err()
}

// s3Error is what the service said, as a statusError; an error of the connection as it is.
func s3Error(err error) error {
	r := minio.ToErrorResponse(err)
	if r.StatusCode == 0 {
		return err
	}
	return &statusError{status: r.StatusCode, code: r.Code, message: r.Message}
}
