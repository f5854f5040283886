//go:build bench_unguarded

package network

import "time"

const longestHeartbeat = 5 * time.Second
