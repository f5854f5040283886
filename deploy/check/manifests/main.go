// Package main builds a folder with kustomize and reads what comes of it as an API server does: into Kubernetes' own
// types, where a field that is unknown or named twice is an error, and with pods as a namespace wants them that is
// restricted. It prints the objects, so that tests of the programs can look at them where there is no kubectl.
//
//	manifests deploy/overlays/ha
//
// When it fails: one line on standard error for each thing that is wrong, with the object's kind and name, and status
// 1. What it does not see is in values: that a selector leads to pods, cmd/coordinator's tests show; what a server
// refuses besides, such as a policy of a Job that contradicts itself, make deploy-check does.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: manifests FOLDER")
		os.Exit(2)
	}
	text, err := build(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if wrong := problems(text); len(wrong) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(wrong, "\n"))
		os.Exit(1)
	}
	fmt.Print(string(text))
}
