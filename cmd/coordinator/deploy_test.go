package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"byol/coordinator/settings"
	"byol/internal/failure"
)

const deployFolder = "../../deploy"

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

// decode reads every object of a text, by kind and name.
func decode(t *testing.T, objects map[string]node, text []byte) {
	t.Helper()
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var object node
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		objects[object.at("kind").(string)+"/"+object.at("metadata.name").(string)] = object
	}
}

// manifests reads every object of the base.
func manifests(t *testing.T) map[string]node {
	t.Helper()
	base := filepath.Join(deployFolder, "base")
	text, err := os.ReadFile(filepath.Join(base, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var kustomization struct{ Resources []string }
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		t.Fatal(err)
	}
	objects := map[string]node{}
	for _, name := range kustomization.Resources {
		text, err := os.ReadFile(filepath.Join(base, name))
		if err != nil {
			t.Fatal(err)
		}
		decode(t, objects, text)
	}
	return objects
}

// kustomized is what kustomize makes of a folder: in the program of deploy/check/manifests, which make test builds
// before these tests, or in kubectl.
func kustomized(t *testing.T, folder string) map[string]node {
	t.Helper()
	command := []string{"../../bin/manifests", folder}
	if _, err := exec.LookPath(command[0]); err != nil {
		command = []string{"kubectl", "kustomize", folder}
		if _, err := exec.LookPath(command[0]); err != nil {
			t.Skip("no bin/manifests (make manifests) and no kubectl, whose kustomize this asks")
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(command, " "), err, &errs)
	}
	objects := map[string]node{}
	decode(t, objects, out)
	return objects
}

// pod is the specification of an object's pods.
func pod(object node) node {
	n, _ := object.at("spec.template.spec").(node)
	return n
}

// container is the one called name, also where it runs beside the others.
func container(t *testing.T, object node, name string) node {
	t.Helper()
	for _, c := range slices.Concat(list[node](pod(object)["containers"]), list[node](pod(object)["initContainers"])) {
		if c["name"] == name {
			return c
		}
	}
	t.Fatalf("%v has no container %s", object.at("metadata.name"), name)
	return nil
}

// variables are a container's, as a process has them.
func variables(c node) []string {
	var all []string
	for _, v := range list[node](c["env"]) {
		if value, ok := v["value"].(string); ok {
			all = append(all, fmt.Sprintf("%v=%s", v["name"], value))
		}
	}
	return all
}

// deployed is the plan of the coordinator in objects, with the settings of a file, by the program's own parsers.
func deployed(t *testing.T, objects map[string]node, config string) *plan {
	t.Helper()
	c := container(t, objects["Job/byol-coordinator"], "coordinator")
	replace := strings.NewReplacer("$(RUN)", "byol", "$(JOB_COMPLETION_INDEX)", "0", "$(JOB)", "byol-coordinator")
	var args []string
	for _, a := range list[string](c["args"]) {
		args = append(args, replace.Replace(a))
	}
	s := &settings.Values{}
	flags := newFlags(s)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	s.Config = config
	r, err := resolve(flags, s, variables(c))
	if err != nil {
		t.Fatal(err)
	}
	s.RunDir, s.TokenFile = t.TempDir(), ""
	p, err := makePlan(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDeployArguments parses the coordinator's arguments and settings with the program's own parsers: it starts no
// workers, and waits for as many as there are.
func TestDeployArguments(t *testing.T) {
	config := filepath.Join(deployFolder, "base/config.yaml")
	checkNumbers(t, manifests(t), config, 1)
	for overlay, beside := range map[string]int{"local-kind": 1, "ha": 0} {
		t.Run(overlay, func(t *testing.T) {
			objects := kustomized(t, filepath.Join(deployFolder, "overlays", overlay))
			checkNumbers(t, objects, config, beside)
			n, peers := 1, len(deployed(t, objects, config).peers)
			if overlay == "ha" {
				n = 3
			}
			if got := objects["Job/byol-coordinator"].at("spec.completions"); got != n || n > 1 && peers != n {
				t.Errorf("%v coordinators, --peers names %d, want %d", got, peers, n)
			}
		})
	}
}

// checkNumbers compares numbers of workers: beside is how many run beside the coordinator.
func checkNumbers(t *testing.T, objects map[string]node, config string, beside int) {
	t.Helper()
	p := deployed(t, objects, config)
	if p.launcher != "none" {
		t.Errorf("launcher %q, want none: the Job starts the workers", p.launcher)
	}
	job := objects["Job/byol-worker"]
	for _, field := range []string{"spec.completions", "spec.parallelism"} {
		if job.at(field) != p.settings.Workers-beside {
			t.Errorf("the Job's %s is %v, the coordinator's workers are %d", field, job.at(field), p.settings.Workers)
		}
	}
	if got := objects["PodDisruptionBudget/byol-worker"].at("spec.minAvailable"); got != p.settings.Workers-beside-1 {
		t.Errorf("a drain leaves %v workers, want all but one", got)
	}
}

// TestDeployReferences follows what one object says of another: labels, ports, names, volumes.
func TestDeployReferences(t *testing.T) {
	checkReferences(t, manifests(t), "byol")
	overlays, err := filepath.Glob(filepath.Join(deployFolder, "overlays/*"))
	if err != nil || len(overlays) < 4 {
		t.Fatal(overlays, err)
	}
	for _, path := range overlays {
		if filepath.Base(path) != "jobset" { // its Jobs are of the base, and are in one object
			t.Run(filepath.Base(path), func(t *testing.T) { checkReferences(t, kustomized(t, path), "byol") })
		}
	}
}

// TestDeploySecondRun: with a nameSuffix nothing of a run has the name of the first's, or leads to it.
func TestDeploySecondRun(t *testing.T) {
	for _, overlay := range []string{"base", "overlays/ha", "overlays/gpu", "overlays/jobset"} {
		t.Run(overlay, func(t *testing.T) {
			first := kustomized(t, filepath.Join(deployFolder, overlay))
			second := kustomized(t, folderOver(t, overlay, "nameSuffix: -b\n"))
			for name := range second {
				if first[name] != nil {
					t.Errorf("both have %s", name)
				}
			}
			if overlay != "overlays/jobset" {
				checkReferences(t, second, "byol-b")
			}
			text := fmt.Sprint(second)
			for _, field := range []string{"instance", "RUN value", "COORDINATOR value", "JOB value", "subdomain"} {
				for _, m := range regexp.MustCompile(field+`:(\S+?)[ \]]`).FindAllStringSubmatch(text, -1) {
					if !strings.HasSuffix(m[1], "-b") {
						t.Errorf("%s is %s", field, m[1])
					}
				}
			}
		})
	}
}

// folderOver is a folder with an overlay over one of ours.
func folderOver(t *testing.T, overlay, text string) string {
	t.Helper()
	folder := t.TempDir()
	deploy, err := filepath.Abs(deployFolder)
	if err == nil {
		deploy, err = filepath.Rel(folder, deploy)
	}
	if err != nil {
		t.Fatal(err)
	}
	text = strings.ReplaceAll(text, "DEPLOY", deploy)
	text = fmt.Sprintf("resources: [%s]\n%s", filepath.Join(deploy, overlay), text)
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestDeployCertificates: with certificates every program has them where its variable says, and no token.
func TestDeployCertificates(t *testing.T) {
	for _, overlay := range []string{"base", "overlays/gpu", "overlays/ha"} {
		objects := kustomized(t, folderOver(t, overlay, "components: [DEPLOY/components/tls, DEPLOY/components/s3]\n"))
		programs := [][2]string{{"coordinator", "coordinator"}, {"worker", "worker"}, {"coordinator", "worker"}}
		if overlay == "overlays/ha" {
			programs = programs[:2]
			if beside := list[node](pod(objects["Job/byol-coordinator"])["initContainers"]); len(beside) > 0 {
				t.Errorf("components bring a worker beside the coordinator: %v", beside)
			}
		}
		for _, at := range programs {
			c := container(t, objects["Job/byol-"+at[0]], at[1])
			v, secret := variables(c), any(nil)
			for _, m := range list[node](c["volumeMounts"]) {
				for _, volume := range list[node](pod(objects["Job/byol-"+at[0]])["volumes"]) {
					if m["mountPath"] == "/keys" && volume["name"] == m["name"] {
						secret = volume.at("secret.secretName")
					}
				}
			}
			if !slices.Contains(v, "BYOL_TLS_DIR=/keys") || strings.Contains(fmt.Sprint(v), "TOKEN") || secret != "byol-"+at[1] {
				t.Errorf("%s: %v has the variables %v and the keys %v", overlay, at, v, secret)
			}
		}
	}
}

func checkReferences(t *testing.T, objects map[string]node, run string) {
	t.Helper()
	pods := map[string]node{}
	for name, object := range objects {
		if strings.HasPrefix(name, "Job/") {
			labels, _ := object.at("metadata.labels").(node)
			pods[labels["app.kubernetes.io/component"].(string)] = object
		}
	}
	checkVolumes(t, objects, pods)
	// ports has the numbers of the names of ports of the pods that labels select.
	ports := func(labels node) (named map[string]any, found bool) {
		named = map[string]any{}
		for _, p := range pods {
			have, _ := p.at("spec.template.metadata.labels").(node)
			if !contains(have, labels) {
				continue
			}
			found = true
			for _, c := range slices.Concat(list[node](pod(p)["containers"]), list[node](pod(p)["initContainers"])) {
				for _, port := range list[node](c["ports"]) {
					named[port["name"].(string)] = port["containerPort"]
				}
			}
		}
		return named, found
	}
	for name, object := range objects {
		labels, _ := object.at("spec.selector").(node)
		switch object.at("kind") {
		case "NetworkPolicy":
			labels = object.at("spec.podSelector.matchLabels").(node)
		case "PodDisruptionBudget":
			labels = object.at("spec.selector.matchLabels").(node)
		case "Service":
		default:
			continue
		}
		named, found := ports(labels)
		if !found {
			t.Errorf("%s selects %v, as no pod is", name, labels)
		}
		for _, port := range list[node](object.at("spec.ports")) {
			if target, _ := port["targetPort"].(string); named[target] != port["port"] {
				t.Errorf("%s: port %v is %v of the pods", name, port, named[target])
			}
		}
		for _, rule := range slices.Concat(list[node](object.at("spec.ingress")), list[node](object.at("spec.egress"))) {
			for _, port := range list[node](rule["ports"]) {
				if word, ok := port["port"].(string); ok && named[word] == nil && word != "grpc" {
					t.Errorf("%s lets through to %s, which no pod has", name, word)
				}
			}
		}
	}
	if objects["Service/"+run] == nil {
		t.Errorf("there is no Service %s", run)
	}
	for role, variable := range map[string]string{"coordinator": "RUN=", "worker": "COORDINATOR="} {
		if v := variables(container(t, pods[role], role)); !slices.Contains(v, variable+run) {
			t.Errorf("the %s's variables are %v, want %s%s", role, v, variable, run)
		}
	}
}

// checkVolumes follows what is mounted, and by whom a probe is answered.
func checkVolumes(t *testing.T, objects, pods map[string]node) {
	t.Helper()
	for role, object := range pods {
		var volumes []string
		for _, v := range list[node](pod(object)["volumes"]) {
			volumes = append(volumes, v["name"].(string))
			if name, ok := v.at("configMap.name").(string); ok && objects["ConfigMap/"+name] == nil && name != "byol-config" {
				t.Errorf("%s: no ConfigMap %s", role, name)
			}
		}
		for _, c := range slices.Concat(list[node](pod(object)["containers"]), list[node](pod(object)["initContainers"])) {
			for _, m := range list[node](c["volumeMounts"]) {
				if !slices.Contains(volumes, m["name"].(string)) {
					t.Errorf("%s mounts %v, which is no volume of its", role, m["name"])
				}
			}
			for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
				for _, how := range []string{"tcpSocket", "httpGet"} {
					port := c.at(probe + "." + how + ".port")
					if port != nil && !slices.ContainsFunc(list[node](c["ports"]), func(p node) bool { return p["name"] == port }) {
						t.Errorf("%s: %s asks port %v, which it has not", role, probe, port)
					}
				}
			}
		}
	}
}

// contains reports whether labels have what a selector wants.
func contains(labels, selector node) bool {
	for key, value := range selector {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// TestDeployEnds: what comes of a Job when a pod of it ends is as the programs' exit codes mean it, nothing starts
// again what is complete, and what outlives a run is in no run's folder.
func TestDeployEnds(t *testing.T) {
	hopeless := map[string][]int{"FailJob": {failure.Usage, failure.Training, failure.Data, failure.Checkpoint},
		"FailIndex": {failure.Usage, failure.Data}}
	objects := manifests(t)
	for role, action := range map[string]string{"coordinator": "FailJob", "worker": "FailIndex"} {
		job := objects["Job/byol-"+role]
		want := map[string][]int{"Ignore": {failure.Temporary}, action: hopeless[action]}
		got := map[string][]int{}
		for _, rule := range list[node](job.at("spec.podFailurePolicy.rules")) {
			if codes := list[int](rule.at("onExitCodes.values")); codes != nil && rule.at("onExitCodes.containerName") == role {
				got[rule["action"].(string)] = codes
			}
		}
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("podFailurePolicy of the %s\n got %v\nwant %v", role, got, want)
		}
		if pod(job)["restartPolicy"] != "Never" || job.at("spec.podReplacementPolicy") != "Failed" {
			t.Errorf("the %s's pods are started again beside one that goes", role)
		}
	}
	for name, object := range objects {
		switch kind := object.at("kind"); kind {
		case "StatefulSet", "Deployment", "PersistentVolumeClaim", "Namespace", "Secret":
			t.Errorf("the base has %s: it would start again what has ended, or go with the run", name)
		}
	}
}
