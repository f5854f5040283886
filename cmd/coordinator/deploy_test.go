package main

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"byol/coordinator/settings"
	"byol/internal/failure"
)

const deployBase = "../../deploy/base"

// node is a piece of a manifest, of which only what is asked for is looked at.
type node map[string]any

func (n node) at(path string) any {
	var v any = n
	for key := range strings.SplitSeq(path, ".") {
		m, ok := v.(node)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

func list[T any](v any) []T {
	items, _ := v.([]any)
	var out []T
	for _, item := range items {
		if t, ok := item.(T); ok {
			out = append(out, t)
		}
	}
	return out
}

// manifests reads every object of the base, by kind and name.
func manifests(t *testing.T) map[string]node {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deployBase, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	objects := map[string]node{}
	for _, name := range kustomization.Resources {
		text, err := os.ReadFile(filepath.Join(deployBase, name))
		if err != nil {
			t.Fatal(err)
		}
		for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
			var object node
			err := d.Decode(&object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			objects[object.at("kind").(string)+"/"+object.at("metadata.name").(string)] = object
		}
	}
	return objects
}

func container(t *testing.T, object node) node {
	t.Helper()
	containers := list[node](object.at("spec.template.spec.containers"))
	if len(containers) != 1 {
		t.Fatalf("want one container, have %d", len(containers))
	}
	return containers[0]
}

// deployed is the plan of the coordinator in objects, with the settings in a folder, by the program's own parsers.
func deployed(t *testing.T, objects map[string]node, folder string) *plan {
	t.Helper()
	s := &settings.Values{}
	flags := newFlags(s)
	if err := flags.Parse(list[string](container(t, objects["StatefulSet/byol-coordinator"])["args"])); err != nil {
		t.Fatal(err)
	}
	s.Config = filepath.Join(folder, "config.yaml")
	r, err := resolve(flags, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.RunDir = t.TempDir()
	p, err := makePlan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDeployArguments parses the coordinator's arguments and settings with the program's own parsers.
func TestDeployArguments(t *testing.T) {
	objects := manifests(t)
	p := deployed(t, objects, deployBase)
	if p.launcher != "none" {
		t.Errorf("launcher %q, want none: the Job starts the workers", p.launcher)
	}
	job := objects["Job/byol-worker"]
	for _, field := range []string{"spec.completions", "spec.parallelism"} {
		if job.at(field) != p.settings.Workers {
			t.Errorf("the Job's %s is %v, the coordinator's --workers is %d", field, job.at(field), p.settings.Workers)
		}
	}
}

// TestDeployReferences follows what one object says of another: labels, ports, names, volumes.
func TestDeployReferences(t *testing.T) {
	objects := manifests(t)
	pods := map[string]node{"coordinator": objects["StatefulSet/byol-coordinator"], "worker": objects["Job/byol-worker"]}
	for kindName, object := range objects {
		if object.at("kind") != "Service" {
			continue
		}
		selector := object.at("spec.selector").(node)
		pod := pods[selector["app.kubernetes.io/component"].(string)]
		if labels, _ := pod.at("spec.template.metadata.labels").(node); !maps.Equal(labels, selector) {
			t.Errorf("%s selects %v, the pods have %v", kindName, selector, labels)
		}
		for _, port := range list[node](object.at("spec.ports")) {
			named := slices.ContainsFunc(list[node](container(t, pod)["ports"]), func(p node) bool {
				return p["name"] == port["targetPort"] && p["containerPort"] == port["port"]
			})
			if !named {
				t.Errorf("%s: no container port %v with number %v", kindName, port["targetPort"], port["port"])
			}
		}
	}
	for name, pod := range pods {
		var volumes []string
		for _, v := range list[node](pod.at("spec.template.spec.volumes")) {
			volumes = append(volumes, v["name"].(string))
			if claim := v.at("persistentVolumeClaim.claimName"); claim != nil &&
				objects["PersistentVolumeClaim/"+claim.(string)] == nil {
				t.Errorf("%s: no PersistentVolumeClaim %v", name, claim)
			}
		}
		for _, m := range list[node](container(t, pod)["volumeMounts"]) {
			if !slices.Contains(volumes, m["name"].(string)) {
				t.Errorf("%s mounts %v, which is no volume of its", name, m["name"])
			}
		}
	}
	for _, field := range []string{"StatefulSet/byol-coordinator spec.serviceName",
		"Job/byol-worker spec.template.spec.subdomain"} {
		object, path, _ := strings.Cut(field, " ")
		if name, _ := objects[object].at(path).(string); objects["Service/"+name] == nil {
			t.Errorf("%s %s names no Service: %q", object, path, name)
		}
	}
	args := list[string](container(t, pods["worker"])["args"])
	if !slices.Contains(args, "--coordinator=byol-coordinator:7070") || objects["Service/byol-coordinator"] == nil {
		t.Errorf("the workers' %v don't name the coordinator's Service", args)
	}
}

// TestDeployExitCodes compares the Job's failure policy with the programs' exit codes.
func TestDeployExitCodes(t *testing.T) {
	want := map[string][]int{"Ignore": {failure.Temporary},
		"FailJob": {failure.Usage, failure.Data}}
	got := map[string][]int{}
	for _, rule := range list[node](manifests(t)["Job/byol-worker"].at("spec.podFailurePolicy.rules")) {
		if codes := list[int](rule.at("onExitCodes.values")); codes != nil {
			got[rule["action"].(string)] = codes
		}
	}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("podFailurePolicy\n got %v\nwant %v", got, want)
	}
}
