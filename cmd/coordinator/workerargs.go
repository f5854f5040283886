package main

import (
	"fmt"
	"reflect"
	"strings"

	"byol/coordinator/settings"
)

// accelerating are the settings that local workers take as flags of their own, for accelerators.
var accelerating = []string{"memory-fraction", "preallocate", "program-cache"}

// workerArgs are the flags of local workers.
func workerArgs(s *settings.Values) []string {
	args := []string{"--grace", s.Grace.String()}
	for _, row := range changed(s, accelerating) {
		args = append(args, fmt.Sprintf("--%s=%v", row.Name, reflect.ValueOf(row.At(s)).Elem()))
	}
	return args
}

// changed are the rows of those names whose values are not the defaults.
func changed(s *settings.Values, names []string) []*settings.Setting {
	var rows []*settings.Setting
	for _, name := range names {
		if row := settings.Find(name); reflect.ValueOf(row.At(s)).Elem().Interface() != row.Default {
			rows = append(rows, row)
		}
	}
	return rows
}

// notStarted says of settings that only local workers take what to do where workers join by themselves; "" where there
// are none.
func notStarted(s *settings.Values) string {
	var flags []string
	for _, row := range changed(s, accelerating) {
		flags = append(flags, "--"+row.Name)
	}
	if flags == nil {
		return ""
	}
	return strings.Join(flags, " and ") + ": no worker is started here; worker takes the same flags where it is started"
}
