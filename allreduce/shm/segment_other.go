//go:build !linux

package shm

import "time"

// Segment is a mapped anonymous file; there are none on this system.
type Segment struct{}

// Create returns ErrUnsupported.
func Create(int) (*Segment, error) { return nil, ErrUnsupported }

// Open returns ErrUnsupported.
func Open(string) (*Segment, error) { return nil, ErrUnsupported }

// Bytes is the memory.
func (s *Segment) Bytes() []byte { return nil }

// Commit returns ErrUnsupported.
func (s *Segment) Commit(int, int) error { return ErrUnsupported }

// Renew returns ErrUnsupported.
func (s *Segment) Renew(int) error { return ErrUnsupported }

// Offer is what another process of this host needs to Open the segment.
func (s *Segment) Offer() string { return "" }

// Drop ends the offer.
func (s *Segment) Drop() {}

// Close unmaps the memory.
func (s *Segment) Close() error { return nil }

func sleep(*uint32, uint32, uint32, time.Duration) {}

func wake(*uint32, uint32) {}
