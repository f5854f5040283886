package store

// What errors are made of, without a server that brings them about.
var (
	Passes = passes
	Told   = told
)
