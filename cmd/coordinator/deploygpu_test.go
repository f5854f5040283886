package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

const deployGPU = "../../deploy/gpu"

// TestDeployGPU: what the overlay patches is in the base, its settings are a run, and each worker has one GPU.
func TestDeployGPU(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deployGPU, "kustomization.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var k struct {
		Namespace string
		Resources []string
		Patches   []struct{ Path string }
		Images    []struct {
			Name    string
			NewName string `yaml:"newName"`
		}
	}
	if err := yaml.Unmarshal(text, &k); err != nil {
		t.Fatal(err)
	}
	base := manifests(t)
	if base["Namespace/"+k.Namespace] == nil || !slices.Equal(k.Resources, []string{"../base"}) || len(k.Patches) != 1 ||
		len(k.Images) != 1 {
		t.Fatalf("the overlay is %+v", k)
	}
	if job := base["Job/byol-worker"]; container(t, job)["image"] != k.Images[0].Name {
		t.Errorf("the overlay names the image %s, the base %v", k.Images[0].Name, container(t, job)["image"])
	}
	text, err = os.ReadFile(filepath.Join(deployGPU, k.Patches[0].Path))
	if err != nil {
		t.Fatal(err)
	}
	var patch node
	if err := yaml.Unmarshal(text, &patch); err != nil {
		t.Fatal(err)
	}
	job := base[patch.at("kind").(string)+"/"+patch.at("metadata.name").(string)]
	if job == nil || container(t, job)["name"] != container(t, patch)["name"] {
		t.Fatalf("the patch is for %v, which the base has not", patch.at("metadata.name"))
	}
	checkGPUWorker(t, patch)
	p := deployed(t, base, deployGPU)
	if p.config.Device != "cuda" || p.config.Precision != "bf16" || int(p.config.Shards) != p.settings.Workers {
		t.Errorf("the run is %v", p.config)
	}
}

// checkGPUWorker looks at the container of a worker on a GPU.
func checkGPUWorker(t *testing.T, job node) {
	t.Helper()
	worker := container(t, job)
	limits, _ := worker.at("resources.limits").(node)
	if limits["nvidia.com/gpu"] != "1" {
		t.Errorf("a worker has %v GPUs, want one", limits["nvidia.com/gpu"])
	}
	mounted := map[string]any{}
	for _, m := range list[node](worker["volumeMounts"]) {
		mounted[m["mountPath"].(string)] = m["name"]
	}
	var shm node
	for _, v := range list[node](job.at("spec.template.spec.volumes")) {
		if v["name"] == mounted["/dev/shm"] {
			shm = v
		}
	}
	if shm == nil || shm.at("emptyDir.medium") != "Memory" || shm.at("emptyDir.sizeLimit") == nil {
		t.Errorf("/dev/shm is %v", shm)
	}
	cache := ""
	for _, v := range list[node](worker["env"]) {
		if v["name"] == "XDG_CACHE_HOME" {
			cache, _ = v["value"].(string)
		}
	}
	if !strings.HasPrefix(cache, "/runs/") {
		t.Errorf("compiled programs are kept in %q, want a place that outlives a pod", cache)
	}
}

// TestDeployGPUKustomized: kustomize makes one whole of base and overlay, where there is one to ask.
func TestDeployGPUKustomized(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("no kubectl, whose kustomize this asks")
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	var errs bytes.Buffer
	cmd := exec.CommandContext(ctx, kubectl, "kustomize", deployGPU)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &errs)
	}
	found := false
	for d := yaml.NewDecoder(bytes.NewReader(out)); ; {
		var object node
		err := d.Decode(&object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if object.at("kind") != "Job" {
			continue
		}
		found = true
		checkGPUWorker(t, object)
		args, image := list[string](container(t, object)["args"]), container(t, object)["image"]
		if image != "byol-worker-cuda:dev" || !slices.Contains(args, "--coordinator=byol-coordinator:7070") {
			t.Errorf("image %v, arguments %v", image, args)
		}
		for _, path := range []string{"/runs", "/tmp"} {
			if !slices.ContainsFunc(list[node](container(t, object)["volumeMounts"]), func(m node) bool {
				return m["mountPath"] == path
			}) {
				t.Errorf("the overlay took %s away", path)
			}
		}
	}
	if !found {
		t.Errorf("no Job in\n%s", out)
	}
}

// TestDeployCUDA: every wheel of the image for GPUs is pinned by its hash, in one RUN line that insists on that, and
// what is fetched to compile without a GPU is the same.
func TestDeployCUDA(t *testing.T) {
	wheel := regexp.MustCompile(`(?m)^([a-z0-9-]+==[0-9.]+) \\\n  --hash=(sha256:[0-9a-f]{64})$`)
	pinned := func(path string) map[string]string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, m := range wheel.FindAllStringSubmatch(string(text), -1) {
			all[m[1]] = m[2]
		}
		if n := strings.Count(string(text), "=="); n != len(all)+strings.Count(string(text), "]==") {
			t.Errorf("%s: %d of %d wheels have a hash", path, len(all), n)
		}
		return all
	}
	image := pinned("../../deploy/worker-cuda.txt")
	for name, hash := range pinned("../../.ci/pjrt-cuda.txt") {
		if image[name] != hash {
			t.Errorf("%s is compiled with, and not in the image, or another", name)
		}
	}
	text, err := os.ReadFile("../../deploy/worker-cuda.Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	runs := regexp.MustCompile(`(?m)^RUN (.*)$`).FindAllStringSubmatch(string(text), -1)
	if len(image) < 10 || len(runs) != 1 || !strings.Contains(runs[0][1], "--require-hashes") {
		t.Errorf("%d wheels, RUN lines %q", len(image), runs)
	}
}
