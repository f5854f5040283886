// Package data turns a set of image files into batches of augmented views. It decides which image is read by
// whom at which step (Sampler: pure, a function of seed and position) and keeps batches ready ahead of time (Loader);
// the packages below it read (source), decode (picture, jpeg, turbo) and augment (views).
//
// Everything that decides what a view looks like is a pure function of (seed, epoch, image, view): the same
// step and shard give the same bits on every worker, whatever the number of workers, threads or restarts. Only
// the decoder can differ, so workers of one run must share it; Decoder.Name belongs in a worker's fingerprint.
//
// A Loader owns the goroutines it starts, and Close returns when they have ended. Batches belong to the caller until
// Recycle.
//
// # When it fails
//
// Reading fails with source.ErrChanged when a file is not the one that was indexed, or with the operating system's
// error: both end the Loader, because another worker may have read something else. An image whose bytes are fine to
// read but cannot be decoded does not: it is reported once to OnUnreadable and replaced by the next image of the
// epoch's order that decodes, the same one on every worker. After any error a Loader is broken for good: Close it and
// make another at the step to go on from.
package data

import "errors"

// ErrClosed is returned by calls on a closed Loader.
var ErrClosed = errors.New("data: closed")
