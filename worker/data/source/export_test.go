package source

// What the tests of this package ask of it beside its interface.
var (
	InTime   = inTime
	Punctual = punctual
)
