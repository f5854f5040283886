//go:build bench_unguarded

package network

import "time"

const longestHeartbeat = time.Hour
