//go:build break_barrier

package lead

// Safeguards that a build with a tag break_* leaves out, to see tests fail: see make mutants.
const (
	fences   = true  // messages of other generations and steps are refused
	compares = true  // what workers would commit is compared
	regroups = false // a new leader begins with a new generation
	verifies = true  // a step that is to be verified is
)
