package engine

import "byol/internal/failure"

// Broken is the failure of an engine whose accelerator broke while it did something ("compute a gradient").
func Broken(name, doing string, err error) error {
	return &failure.Failure{What: "device " + name + " broke", Why: "it could not " + doing + ": " + err.Error(),
		Try:  "look at the machine's own log (dmesg) for its accelerator; run the worker again there, or elsewhere",
		Code: failure.Internal, Err: err}
}
