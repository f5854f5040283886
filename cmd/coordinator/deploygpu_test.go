package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDeployGPU: the overlay's settings are a run on GPUs, and each worker has one, room for what it compiles, and more
// shared memory than a pod has by itself.
func TestDeployGPU(t *testing.T) {
	folder := filepath.Join(deployFolder, "overlays/gpu")
	p := deployed(t, manifests(t), filepath.Join(folder, "config.yaml"))
	if p.config.Device != "cuda" || p.config.Precision != "bf16" || int(p.config.Shards) != p.settings.Workers {
		t.Errorf("the run is %v", p.config)
	}
	objects := kustomized(t, folder)
	for _, job := range []string{"Job/byol-worker", "Job/byol-coordinator"} {
		checkGPUWorker(t, objects[job])
	}
}

// checkGPUWorker looks at the container of a worker on a GPU.
func checkGPUWorker(t *testing.T, job node) {
	t.Helper()
	worker := container(t, job, "worker")
	if worker["image"] != "byol-worker-cuda:dev" {
		t.Errorf("image %v", worker["image"])
	}
	limits, _ := worker.at("resources.limits").(node)
	if limits["nvidia.com/gpu"] != "1" {
		t.Errorf("a worker has %v GPUs, want one", limits["nvidia.com/gpu"])
	}
	mounted := map[string]any{}
	for _, m := range list[node](worker["volumeMounts"]) {
		mounted[m["mountPath"].(string)] = m["name"]
	}
	var shm node
	for _, v := range list[node](pod(job)["volumes"]) {
		if v["name"] == mounted["/dev/shm"] {
			shm = v
		}
	}
	if shm == nil || shm.at("emptyDir.medium") != "Memory" || shm.at("emptyDir.sizeLimit") == nil {
		t.Errorf("/dev/shm is %v", shm)
	}
	cache := ""
	for _, v := range variables(worker) {
		if name, value, _ := strings.Cut(v, "="); name == "XDG_CACHE_HOME" {
			cache = value
		}
	}
	if mounted["/"+strings.Split(cache+"/", "/")[1]] == nil {
		t.Errorf("compiled programs are kept in %q, want a place that can be written to: %v", cache, mounted)
	}
	if mounted["/tmp"] == nil || mounted["/keys"] == nil {
		t.Errorf("the overlay took mounts away: %v", mounted)
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
