//go:build release

package main

import (
	"os"

	"byol/internal/fault"
)

// faultPlan is none: a program that is released carries out no faults, whoever sets its environment.
func faultPlan() (fault.Plan, error) {
	if os.Getenv(faultsVariable) == "" {
		return nil, nil
	}
	return nil, usage("this worker carries out no faults", faultsVariable+" is set, and it was built with the tag release",
		"unset it, or make build")
}
