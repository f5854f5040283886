//go:build !release

package main

import (
	"os"

	"byol/internal/fault"
)

// faultPlan is what the variable wants to go wrong, for tests and drills. Builds with the tag release have no such
// thing.
func faultPlan() (fault.Plan, error) {
	faults, err := fault.Parse(os.Getenv(faultsVariable))
	if err != nil {
		return nil, usage(faultsVariable+" is not a fault plan", err.Error(), `"flip theta rank=1 step=3", or unset it`)
	}
	if lines := faults.Lines(); len(lines) > 0 {
		return nil, usage(faultsVariable+" has faults that a worker cannot carry out",
			lines.String()+" is of lines between hosts", "faults of lines belong to tests' networks: leave them out")
	}
	return faults, nil
}
