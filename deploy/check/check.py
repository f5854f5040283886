#!/usr/bin/env python3
"""Applies every overlay to a real API server and plays the pods with the real programs: make deploy-check.

Prints what each overlay did as a table, and ends with 1 where something is not as it should be.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error

import pods

HERE = os.path.dirname(os.path.abspath(__file__))
DEPLOY = os.path.dirname(HERE)
NAMESPACE = "byol"
SECONDS = 120  # of a run by two workers that nobody disturbs, about; twice where controllers wait 10, 20, 40 seconds

# Four shards, for one to four workers. How many steps, Check.reference decides.
CONFIG = """data: "synthetic:256,size=32,seed=1"
eval-data: ""
arch: resnet20
image-size: 16
augment: "byol-noblur,min-area=0.2"
batch-size: 16
shards: 4
epochs: 1000
proj-hidden-dim: 64
proj-dim: 32
pred-hidden-dim: 64
save-interval: "0"
seed: 7
log-interval: 5s
"""


class Check:
    """What the scenes share, and the rows of the table."""

    def __init__(self, options):
        self.options, self.rows, self.bad = options, [], 0
        self.dir = options.work
        self.token = os.path.join(self.dir, "token")
        self.images = {"byol-coordinator": os.path.join(self.dir, "images", "coordinator"),
                       "byol-worker": os.path.join(self.dir, "images", "worker")}
        self.coordinator = self.images["byol-coordinator"] + "-v1"
        if options.kubernetes:
            import cluster as kubernetes
            self.cluster = kubernetes.Cluster(options.kubernetes, os.path.join(self.dir, "cluster"))
        else:
            import small
            self.cluster = small.Small()
        self.kubelet, self.number = None, 0

    def row(self, scene, what, good, seen):
        self.rows.append((scene, what, "yes" if good else "NO", str(seen)))
        self.bad += not good
        print(f"  {'ok ' if good else 'BAD'} {scene}: {what}: {seen}", flush=True)

    def overlay(self, base, tag, suffix="", components=(), patches=(), config=CONFIG):
        """A folder with an overlay over one of ours, and its path."""
        self.number += 1
        path = os.path.join(self.dir, f"overlay-{self.number}")
        os.makedirs(path)
        near = lambda p: os.path.relpath(os.path.join(DEPLOY, p), path)
        k = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": NAMESPACE,
             "resources": [near(base)], "components": [near(c) for c in components],
             "patches": [{"patch": p} for p in patches],
             "images": [{"name": n, "newTag": tag} for n in self.images]}
        if suffix:
            k["nameSuffix"] = suffix
        if config:
            with open(os.path.join(path, "config.yaml"), "w") as f:
                f.write(config + f"max-steps: {self.steps}\n")
            k["configMapGenerator"] = [{"name": "byol-config", "behavior": "replace", "files": ["config.yaml"]}]
        with open(os.path.join(path, "kustomization.yaml"), "w") as f:
            json.dump(k, f)
        return path

    def apply(self, path, *more):
        return self.cluster.kubectl("apply", "--server-side", "--validate=strict", "-k", path, *more)

    def applied(self, scene, path, *more, what="applied, strictly"):
        """Applies a folder, and notes whether nothing of it was refused or warned of."""
        code, out = self.apply(path, *more)
        lines = out.splitlines()
        good = code == 0 and not any(line.startswith("Warning") for line in lines)
        self.row(scene, what, good, f"{len(lines)} objects" if good else out)
        return good

    def evict(self, pod):
        """Evicts a pod, as a drain does: again where a budget does not allow it yet."""
        end = time.monotonic() + 120
        while True:
            try:
                self.cluster.request("POST", self.kubelet.path(pod.name, "eviction"), {
                    "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod.name, "namespace": NAMESPACE}})
                return
            except urllib.error.HTTPError as e:
                if e.code != 429 or time.monotonic() > end:
                    raise SystemExit(f"evict {pod.name}: {e.code} {e.read().decode()}") from e
            time.sleep(1)

    def setup(self, six=False, setup="setup"):
        """A namespace, its claim and token, and machines to run pods on: all of it new."""
        self.cluster.must("apply", "--server-side", "--validate=strict", "-k", os.path.join(DEPLOY, setup))
        self.cluster.wait("the namespace's account", lambda: self.cluster.kubectl(
            "-n", NAMESPACE, "get", "serviceaccount", "default")[0] == 0, 60)
        self.cluster.must("-n", NAMESPACE, "create", "secret", "generic", "byol-token", "--from-file=token=" + self.token)
        self.kubelet = pods.Kubelet(self.cluster, NAMESPACE, tempfile.mkdtemp(prefix="pods-", dir=self.dir), self.images, six)
        os.chmod(self.kubelet.dir, 0o755)
        self.kubelet.start()

    def clear(self):
        # The Jobs first: one with a limit per index holds a failed pod until there is another, which a namespace that is
        # being deleted refuses, and such a namespace waits for its pods before it deletes Jobs (seen with 1.37).
        self.cluster.kubectl("delete", "jobs", "--all", "-n", NAMESPACE, "--wait=false")
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")
        self.cluster.wait("the end of the namespace", lambda: self.cluster.kubectl("get", "namespace", NAMESPACE)[0] != 0, 300)
        self.kubelet.stop()

    def job(self, name):
        return self.cluster.get(f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{name}")

    def ended(self, name):
        """Complete, Failed with its reason, or "" while it goes on."""
        for c in self.job(name)["status"].get("conditions", []):
            if c["type"] in ("Complete", "Failed") and c["status"] == "True":
                return c["type"] if c["type"] == "Complete" else "Failed: " + c.get("reason", "")
        return ""

    def step(self, prefix="byol-coordinator"):
        """The newest step that a coordinator tells of, -1 for none."""
        newest = -1
        for p in self.kubelet.find(prefix):
            address = f"[{p.address}]:7070" if ":" in p.address else p.address + ":7070"
            r = subprocess.run(["ip", "netns", "exec", p.space, self.coordinator, "status", "-s", address, "--token-file",
                                self.token, "-o", "json"], capture_output=True, text=True, timeout=60)
            if r.returncode == 0:
                newest = max(newest, int(json.loads(r.stdout).get("progress", {}).get("step", 0)))
        return newest

    def probe(self, pod, path):
        """What a kubelet hears from the admin port of a pod."""
        r = subprocess.run(["ip", "netns", "exec", pod.space, sys.executable, "-c", """
import ssl, sys, urllib.request
c = ssl.create_default_context()
c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
try:
    print(urllib.request.urlopen(sys.argv[1], context=c, timeout=20).status)
except urllib.error.HTTPError as e:
    print(e.code)
""", f"https://{pod.address}:9090{path}"], capture_output=True, text=True)
        return r.stdout.strip() or "none"

    def until_step(self, n, prefix="byol-coordinator", seconds=300):
        end, step = time.monotonic() + seconds, -1
        while step < n and time.monotonic() < end:
            step = self.step(prefix)
            time.sleep(0.5)
        if step < n:
            raise SystemExit(f"step {n} did not come within {seconds} s, but {step}: logs are in {self.kubelet.dir}/logs")
        return step

    def until_ended(self, name, seconds=900):
        end = time.monotonic() + seconds
        while not self.ended(name) and time.monotonic() < end:
            time.sleep(0.5)
        return self.ended(name) or f"goes on after {seconds} s"

    def result(self, run, checkpoints="checkpoints"):
        """Step and digest of a run's last checkpoint, as its claim has it."""
        return self.last(os.path.join(self.kubelet.dir, "claims", "byol-runs", run, checkpoints))

    def reference(self):
        """Decides how many steps runs have, by how long steps take here, and notes the bits of a run of so many by processes
        of this machine that nobody disturbs."""
        config = os.path.join(self.dir, "config.yaml")
        with open(config, "w") as f:
            f.write(CONFIG)
        folder = os.path.join(self.dir, "reference")
        self.steps = int(os.environ.get("STEPS", "0"))
        for steps in [self.steps] if self.steps else [10, 40, 0]:
            if not steps:
                seconds = SECONDS * (2 if self.options.kubernetes else 1)
                self.steps = steps = max(60, min(8000, int(seconds * 30 / took)))
            began = time.monotonic()
            subprocess.run([self.coordinator, "--config", config, "--workers", "2", "--worker-binary",
                            self.images["byol-worker"] + "-v1", "--run-dir", folder, "--quiet", "--max-steps", str(steps)],
                           check=True, stdout=subprocess.DEVNULL)
            took = time.monotonic() - began
        self.want = self.last(folder)
        print(f"runs have {self.steps} steps", flush=True)

    def last(self, folder):
        """Step and digest of the last checkpoint in a run directory."""
        r = subprocess.run([self.coordinator, "checkpoints", "ls", folder, "-o", "json"], capture_output=True, text=True)
        try:
            listed = json.loads(r.stdout)
            listed = listed.get("checkpoints", listed) if isinstance(listed, dict) else listed
            return int(listed[-1]["step"]), listed[-1]["state_sha256"]
        except (ValueError, KeyError, IndexError):
            return -1, r.stdout + r.stderr

    def same_bits(self, scene, run, checkpoints="checkpoints"):
        got = self.result(run, checkpoints)
        self.row(scene, "bits of a run that nobody disturbed", got == self.want, f"step {got[0]}, {got[1][:12]}")


def restricted(check):
    """The namespace refuses what a pod of ours is not."""
    check.setup()
    code, out = check.cluster.kubectl("-n", NAMESPACE, "run", "root", "--image=x", "--restart=Never")
    check.row("setup", "a pod that is not restricted is refused", code != 0 and "PodSecurity" in out, out.split(":")[0])
    check.clear()


def life(check):
    """local-kind from its start to its end: a lost worker, an eviction, another image, fewer workers, the end, deletion."""
    name, k = "local-kind", check.setup() or check.kubelet
    first = check.overlay("overlays/local-kind", "v1")
    check.applied(name, first)
    check.until_step(2)
    k.find("byol-worker")[0].containers[0].kill(9)
    time.sleep(3)
    check.until_step(check.step() + 4)
    check.cluster.wait("a worker in place of the lost one", lambda: k.find("byol-worker"), 120)
    check.row(name, "worker killed: another one came, the run went on", True, f"exit codes {k.exits('byol-worker')}")

    second = check.overlay("overlays/local-kind", "v2")
    code, out = check.apply(second)
    same = k.find("byol-coordinator")[0].object["spec"]["containers"][0]["image"].endswith(":v1")
    step = check.until_step(check.step() + 2)
    check.row(name, "v2 applied over v1 is refused whole, the run goes on", code != 0 and "immutable" in out and same,
              f"step {step}")

    code, out = check.cluster.kubectl("delete", "-k", first, "--cascade=foreground", "--timeout=200s")
    codes = k.exits("byol-coordinator")
    kept = check.result(NAMESPACE)
    check.row(name, "delete -k: asked by SIGTERM, saved, kept", code == 0 and codes[-1] == 75 and kept[0] >= step,
              f"coordinator {codes[-1]}, checkpoint of step {kept[0]}")
    code, out = check.apply(second)
    step = check.until_step(kept[0] + 1)
    check.row(name, "v2 applied after it goes on from there", code == 0 and step > kept[0], f"step {step}")

    answers = [check.probe(k.find("byol-coordinator")[0], path) for path in ("/healthz", "/readyz", "/metrics")]
    check.row(name, "probes are answered, without a certificate, and nothing else is", answers[:2] == ["200", "200"] and
              answers[2] != "200", ", ".join(answers))
    target = k.find("byol-worker")[0]
    check.evict(target)
    check.cluster.wait("another worker", lambda: [p for p in k.find("byol-worker") if p is not target], 120)
    failed = check.job("byol-worker")["status"].get("failed", 0)
    check.row(name, "worker evicted: replaced, not counted as a failure of the Job", k.exits("byol-worker")[-1] == 75,
              f"exit {k.exits('byol-worker')[-1]}, {failed} counted")
    target = k.find("byol-coordinator")[0]
    check.cluster.must("-n", NAMESPACE, "delete", "pod", target.name, "--wait=false")
    check.cluster.wait("another coordinator", lambda: [p for p in k.find("byol-coordinator") if p is not target], 200)
    step = check.until_step(kept[0] + 2)
    check.row(name, "coordinator's pod deleted: another one goes on", True, f"step {step}")
    finish(check, name)
    check.clear()


def finish(check, name, jobs=("byol-coordinator", "byol-worker"), run=NAMESPACE, checkpoints="checkpoints"):
    """A run's end: its Jobs are complete and stay so, its bits are right, and they outlive the deletion of the Jobs."""
    how = [check.until_ended(j) for j in jobs]
    before = len(check.kubelet.pods)
    time.sleep(15)
    after = len(check.kubelet.pods)
    check.row(name, "the run's end: Jobs are Complete, nothing starts again",
              how == ["Complete"] * len(jobs) and before == after and not check.kubelet.find(""),
              f"{', '.join(how)}; {after - before} pods came after it")
    check.same_bits(name, run, checkpoints)


def losses(check):
    """base: eight workers, of which each of the seven in the Job is lost once, and the one beside the coordinator."""
    name, k = "base", check.setup() or check.kubelet
    small = """apiVersion: batch/v1
kind: Job
metadata: {name: byol-coordinator}
spec: {template: {spec: {containers: [{name: coordinator, env: [{name: BYOL_WORKERS, value: "4"}]}]}}}""", """apiVersion: batch/v1
kind: Job
metadata: {name: byol-worker}
spec: {completions: 3, parallelism: 3}"""
    check.applied(name, check.overlay("base", "v1", patches=small), what="applied, strictly (4 workers, not 8)")
    check.until_step(3)
    check.cluster.wait("the workers", lambda: sum(p.containers[0].running() for p in k.find("byol-worker")) == 3, 200)
    killed = 0
    for round in range(3):
        for p in k.find("byol-worker"):
            p.containers[0].kill(9)
            killed += 1
        check.until_step(check.step() + 2)
        check.cluster.wait("the workers", lambda: sum(p.containers[0].running() for p in k.find("byol-worker")) == 3, 200)
    for s in k.find("byol-coordinator")[0].sidecars:
        s.kill(9)
    killed += 1
    check.until_step(check.step() + 2)
    check.row(name, f"{killed} workers lost: the Job goes on", check.ended("byol-worker") == "" or
              check.ended("byol-worker") == "Complete", f"exit codes {sorted(set(k.exits('byol-worker')))}")
    if not check.ended("byol-worker"):
        check.cluster.must("-n", NAMESPACE, "patch", "job", "byol-worker", "-p", '{"spec":{"completions":1,"parallelism":1}}')
        check.cluster.wait("fewer workers", lambda: len(k.find("byol-worker")) <= 1, 200)
        check.row(name, "scaled to one worker in the Job: the run goes on", check.ended("byol-worker") in ("", "Complete"),
                  f"exit codes {k.exits('byol-worker')[-2:]}")
    finish(check, name)
    check.clear()


def memory(check):
    """A worker that is out of memory is ended by the kernel, and the run goes on; so for the one beside the coordinator."""
    name, k = "out of memory", check.setup() or check.kubelet
    check.applied(name, check.overlay("overlays/local-kind", "v1"))
    step = check.until_step(2)
    victim = k.find("byol-worker")[0]
    if not victim.containers[0].crowd():
        check.rows.append((name, "a worker that is out of memory", "-", "no limits of memory here by groups of version 1"))
        return check.clear()
    check.cluster.wait("the end of " + victim.name, victim.over, 120)
    ended = check.cluster.get(k.path(victim.name))["status"]["containerStatuses"][0]["state"]["terminated"]
    check.cluster.wait("a worker in its place", lambda: k.find("byol-worker"), 120)
    step = check.until_step(max(step, check.step()) + 3)
    check.row(name, "a worker at its limit: ended by the kernel, another one came, the run went on",
              (ended["exitCode"], ended["reason"]) == (137, "OOMKilled"),
              f"exit code {ended['exitCode']}, {ended['reason']}; step {step}")
    beside = k.find("byol-coordinator")[0].sidecars[0]
    starts = beside.starts
    beside.crowd()
    check.cluster.wait("a worker beside the coordinator", lambda: beside.starts > starts and beside.running(), 120)
    step = check.until_step(step + 3)
    check.row(name, "the worker beside the coordinator likewise: started again in its pod", beside.deaths == 1 and
              k.exits("byol-coordinator") == [], f"{beside.starts} starts, {beside.deaths} out of memory; step {step}")
    finish(check, name)
    check.clear()


def wrong(check):
    """Settings that are wrong end the coordinator's Job at once."""
    name, k = "base, wrong", check.setup() or check.kubelet
    check.apply(check.overlay("overlays/local-kind", "v1", config=CONFIG.replace("resnet20", "resnet21")))
    how = check.until_ended("byol-coordinator", 120)
    check.row(name, "wrong settings: the coordinator's Job fails at once", how == "Failed: PodFailurePolicy",
              f"{how}, exit codes {k.exits('byol-coordinator')}")
    check.clear()


def two(check):
    """A second run by nameSuffix, beside the first."""
    name, _ = "nameSuffix: -b", check.setup()
    for suffix in ("", "-b"):
        check.applied(name, check.overlay("overlays/local-kind", "v1", suffix=suffix),
                      what=f"applied, strictly: {NAMESPACE}{suffix}")
    for suffix in ("", "-b"):
        finish(check, name, ("byol-coordinator" + suffix, "byol-worker" + suffix), NAMESPACE + suffix)
    check.clear()


def certificates(check):
    """components/tls with Secrets as cert-manager makes them, and pods with addresses of IPv6 alone."""
    name, _ = "tls, IPv6 alone", check.setup(six=True)
    certs = os.path.join(check.dir, "certs")
    subprocess.run([check.coordinator, "certs", "init", certs], check=True, capture_output=True)
    for role in ("coordinator", "worker"):
        keys = os.path.join(check.dir, "keys-" + role)
        subprocess.run([check.coordinator, "certs", "issue", "--authority", certs, "--role", role, "--name", "any", "-o", keys],
                       check=True, capture_output=True)
        check.cluster.must("-n", NAMESPACE, "create", "secret", "generic", "byol-" + role, f"--from-file=ca.crt={keys}/ca.pem",
                           f"--from-file=tls.crt={keys}/cert.pem", f"--from-file=tls.key={keys}/key.pem")
    check.applied(name, check.overlay("overlays/local-kind", "v1", components=["components/tls"]))
    finish(check, name)
    check.clear()


def three(check):
    """ha: each of the three coordinators goes, and each worker, one after another."""
    name, k = "ha", check.setup(setup="setup-shared") or check.kubelet
    small = """apiVersion: batch/v1
kind: Job
metadata: {name: byol-coordinator}
spec: {template: {spec: {containers: [{name: coordinator, env: [{name: BYOL_WORKERS, value: "2"}]}]}}}""", """apiVersion: batch/v1
kind: Job
metadata: {name: byol-worker}
spec: {completions: 2, parallelism: 2}""", """apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: byol-worker, namespace: byol}
spec: {minAvailable: 1}"""
    check.applied(name, check.overlay("overlays/ha", "v1", patches=small), what="applied, strictly (2 workers, not 8)")
    step = check.until_step(2)
    for p in sorted(k.find("byol-coordinator") + k.find("byol-worker"), key=lambda p: p.name):
        role = p.name.rsplit("-", 1)[0]
        check.evict(p)
        check.cluster.wait("one in place of " + p.name,
                           lambda: [q for q in k.find(role + "-") if q is not p], 200)
        step = check.until_step(step + 2)
    check.row(name, "3 coordinators and 2 workers evicted one after another", True,
              f"exit codes {k.exits('byol-coordinator')} and {k.exits('byol-worker')}, step {step}")
    finish(check, name)
    check.clear()


def rest(check):
    """What is not run: strictly decoded by the server, with the kinds of others where their definitions are given."""
    check.setup()
    if check.options.crds:
        for f in sorted(os.listdir(check.options.crds)):
            check.cluster.must("apply", "--server-side", "-f", os.path.join(check.options.crds, f))
        check.cluster.must("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    kinds = check.cluster.must("api-resources", "-o", "name")
    for what, needs in (("overlays/gpu", ""), ("overlays/jobset", "jobsets."), ("setup-tls", "certificates."),
                        ("components/monitoring", "podmonitors.")):
        path = os.path.join(DEPLOY, what)
        if what.startswith("components"):
            path = check.overlay("base", "v1", components=[what], config="")
        if needs and needs not in kinds:
            check.rows.append((what, "applied, strictly", "-", f"no definition of {needs.rstrip('.')} (KUBE_CRDS)"))
            continue
        check.applied(what, path, "--dry-run=server", what="applied, strictly (dry run)")
    for name in ("trainjob.yaml", "pytorchjob.yaml"):
        path = os.path.join(DEPLOY, "examples", name)
        needs = {"trainjob.yaml": "trainjobs.", "pytorchjob.yaml": "pytorchjobs."}[name]
        if needs not in kinds:
            check.rows.append((name, "applied, strictly", "-", f"no definition of {needs.rstrip('.')} (KUBE_CRDS)"))
            continue
        code, out = check.cluster.kubectl("apply", "--server-side", "--validate=strict", "--dry-run=server", "-f", path)
        check.row(name, "applied, strictly (dry run)", code == 0, f"{len(out.splitlines())} objects" if code == 0 else out)
    check.clear()


SCENES = {"restricted": restricted, "life": life, "losses": losses, "memory": memory, "wrong": wrong, "two": two,
          "certificates": certificates, "three": three, "rest": rest}

PLAYED = tuple(s for s in SCENES if s not in ("restricted", "rest"))  # those that small.py will do for


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--kubernetes", help="folder of etcd, kube-apiserver and kube-controller-manager; without: small.py")
    p.add_argument("--work", required=True, help="folder with images/{coordinator,worker}-{v1,v2}")
    p.add_argument("--crds", help="folder of CustomResourceDefinitions of JobSet, Trainer, cert-manager, …")
    p.add_argument("scenes", nargs="*", choices=[[], *SCENES], help="all by default")
    options = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs is stopped on the way out
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with open(os.path.join(options.work, "token"), "w") as f:
        f.write(subprocess.run([os.path.join(options.work, "images", "coordinator-v1"), "certs", "token"], check=True,
                               capture_output=True, text=True).stdout)
    check = Check(options)
    try:
        check.reference()
        for name in options.scenes or (SCENES if options.kubernetes else PLAYED):
            print(f"{name}: {SCENES[name].__doc__.splitlines()[0]}", flush=True)
            SCENES[name](check)
    finally:
        if check.kubelet and not check.kubelet.stopped.is_set():
            check.kubelet.stop()
        check.cluster.stop()
        print("\n| overlay | what | as it should be | seen |\n|---|---|---|---|")
        for r in check.rows:
            print("| " + " | ".join(c.replace("\n", " ").replace("|", "\\|")[:160] for c in r) + " |")
    return 1 if check.bad else 0


if __name__ == "__main__":
    sys.exit(main())
