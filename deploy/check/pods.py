"""Plays the pods of a namespace, as a kubelet would: each container is a process in namespaces of its own (network, mounts,
processes, host name), as its user, without capabilities, on a read-only root with the volumes that its pod names, and told its
end by SIGTERM, then SIGKILL after the pod's grace. Images are programs of this machine. Names of Services without an address
of their own are lines of /etc/hosts, which change when pods do."""

import base64
import datetime
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error

# Arguments: root, host name, the sources and targets of mounts, "--", the command. As process 1 of its namespace.
CONTAINER = r"""
root=$1 name=$2; shift 2
mount --make-rprivate / && mount -t tmpfs -o mode=755 none "$root"
cd "$root" && mkdir proc dev usr etc && mkdir dev/shm && ln -s usr/lib lib && ln -s usr/lib64 lib64 && ln -s usr/bin bin
mount --bind /usr usr && mount -o remount,ro,bind usr
mount -t proc none proc && mount -t tmpfs -o size=64m,mode=1777 none dev/shm
for d in null zero random urandom; do touch dev/$d; mount --bind /dev/$d dev/$d; done
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p ".$2"; else mkdir -p "$(dirname ".$2")"; touch ".$2"; fi
  mount --bind "$1" ".$2"; shift 2
done
shift
mount -o remount,ro . && hostname "$name"
exec chroot . "$@"
"""

# What takes memory until the kernel ends another process of its group for it. Its argument is the group's oom_control.
CROWD = """
import sys
def killed():
    with open(sys.argv[1]) as f:
        return [line for line in f if line.startswith("oom_kill ")]
before, kept = killed(), []
while killed() == before:
    kept.append(bytearray(4 << 20))
    kept[-1][::4096] = b"x" * 1024
"""

GROUPS = "/sys/fs/cgroup/memory"

NOW = "%Y-%m-%dT%H:%M:%SZ"


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime(NOW)


def expand(text, variables):
    """$(NAME) as Kubernetes expands it: names that are not known stay as they are."""
    return re.sub(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)", lambda m: variables.get(m.group(1), m.group(0)), text)


class Network:
    """A bridge on which each pod has an address, of IPv4 or of IPv6 alone."""

    def __init__(self, six):
        self.six, self.next, self.mutex = six, 10, threading.Lock()
        subprocess.run("ip link del bylcheck 2>/dev/null; ip link add bylcheck type bridge && ip link set bylcheck up",
                       shell=True, check=True)

    def add(self):
        with self.mutex:
            n, self.next = self.next, self.next + 1
        space, address = f"bylcheck{n}", f"fd77:b01::{n:x}" if self.six else f"10.213.{n // 250}.{n % 250 + 2}"
        mask = "64 nodad" if self.six else "16"
        subprocess.run(
            f"ip netns del {space} 2>/dev/null; ip link del bylc{n} 2>/dev/null; ip netns add {space} && "
            f"ip link add bylc{n} type veth peer name eth0 netns {space} && "
            f"ip link set bylc{n} master bylcheck up && ip -n {space} link set lo up && ip -n {space} link set eth0 up && "
            f"ip -n {space} addr add {address}/{mask} dev eth0", shell=True, check=True)
        return space, address

    def remove(self, space):
        subprocess.run(["ip", "netns", "del", space], capture_output=True)

    def stop(self):
        subprocess.run(["ip", "link", "del", "bylcheck"], capture_output=True)


class Container:
    """A container of a pod, and what became of it."""

    def __init__(self, pod, spec, sidecar):
        self.pod, self.spec, self.sidecar = pod, spec, sidecar
        self.process, self.code, self.starts, self.began, self.killed = None, None, 0, None, False
        limit = spec.get("resources", {}).get("limits", {}).get("memory", "").removesuffix("i")
        self.limit = limit if os.access(GROUPS + "/memory.limit_in_bytes", os.F_OK) and os.access(GROUPS, os.W_OK) else ""
        self.group, self.short, self.deaths = f"{GROUPS}/bylcheck-{pod.name}-{spec['name']}", False, 0

    def environment(self):
        values = {}
        for source in self.spec.get("envFrom", []):
            for key, value in self.pod.data("secrets", source["secretRef"]["name"]).items():
                values[key] = base64.b64decode(value).decode()
        for e in self.spec.get("env", []):
            field = e.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            if field is None:
                values[e["name"]] = expand(e.get("value", ""), values)
            elif field == "status.podIP":
                values[e["name"]] = self.pod.address
            else:  # metadata.NAME, or metadata.labels['KEY'] and annotations
                name, _, key = field.removeprefix("metadata.").partition("['")
                value = self.pod.object["metadata"][name]
                values[e["name"]] = value[key.removesuffix("']")] if key else value
        return values

    def start(self):
        kubelet, pod = self.pod.kubelet, self.pod
        image = self.spec["image"]
        program = kubelet.images[image.split(":")[0]] + "-" + image.split(":")[1]
        target = "/" + image.split(":")[0].removeprefix("byol-").removesuffix("-cuda")
        values = self.environment()
        root = os.path.join(pod.dir, self.spec["name"] + ".root")
        os.makedirs(root, exist_ok=True)
        mounts = [program, target, kubelet.hosts, "/etc/hosts"]
        for m in self.spec.get("volumeMounts", []):
            mounts += [pod.volumes[m["name"]], m["mountPath"]]
        security = pod.object["spec"]["securityContext"]
        user, group = str(security["runAsUser"]), str(security["runAsGroup"])
        command = ["/usr/bin/env", "-i", *[f"{k}={v}" for k, v in values.items()], "PATH=/usr/bin",
                   "/usr/bin/setpriv", "--reuid", user, "--regid", group, "--groups", str(security["fsGroup"]),
                   "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all",
                   target, *[expand(a, values) for a in self.spec.get("args", [])]]
        log = open(os.path.join(kubelet.dir, "logs", f"{pod.name}.{self.spec['name']}.log"), "a")
        log.write(f"-- start {self.starts + 1}\n")
        log.flush()
        self.deaths = self.out_of_memory()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", pod.space, "unshare", "-m", "-u", "-p", "--fork", "sh", "-ec", CONTAINER, "sh", root,
             pod.host, *mounts, "--", *command], stdout=log, stderr=log, start_new_session=True, preexec_fn=self.confine)
        self.code, self.killed, self.began, self.starts = None, False, now(), self.starts + 1

    def confine(self):
        """Enters a group of control with the container's limit of memory, where this machine has them (of version 1)."""
        if self.limit:
            os.makedirs(self.group, exist_ok=True)
            for name, text in ("memory.limit_in_bytes", self.limit), ("cgroup.procs", str(os.getpid())):
                with open(os.path.join(self.group, name), "w") as f:
                    f.write(text)

    def crowd(self):
        """Takes the memory that the container may have, so that the kernel ends its program. False without a limit."""
        if self.limit:
            with open(f"/proc/{self.first()}/oom_score_adj", "w") as f:
                f.write("1000")  # before what takes the memory
            subprocess.run([sys.executable, "-c", CROWD, self.group + "/memory.oom_control"], check=True,
                           preexec_fn=self.confine, timeout=120)
        return bool(self.limit)

    def out_of_memory(self):
        """How many processes of the container the kernel ended for want of memory."""
        try:
            with open(self.group + "/memory.oom_control") as f:
                return int(re.search(r"^oom_kill (\d+)", f.read(), re.M).group(1))
        except OSError:
            return 0

    def first(self):
        """The container's process 1, the child of unshare; None where it is not there yet."""
        if self.process is None:
            return None
        try:
            with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as f:
                children = f.read().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def kill(self, number):
        pid = self.first()
        if pid and self.running():
            self.killed = self.killed or number == signal.SIGKILL
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def running(self):
        if self.process is None or self.code is not None:
            return False
        code = self.process.poll()
        if code is None:
            return True
        deaths, self.deaths = self.deaths, self.out_of_memory()
        self.short = self.deaths > deaths
        killed = self.killed or self.short  # unshare says 1 of a kill
        self.code = 128 + signal.SIGKILL if killed else 128 - code if code < 0 else code
        return False

    def status(self):
        s = {"name": self.spec["name"], "image": self.spec["image"], "imageID": "", "ready": False,
             "restartCount": max(0, self.starts - 1)}
        if self.code is not None:
            s["state"] = {"terminated": {"exitCode": self.code, "startedAt": self.began, "finishedAt": now(),
                                         "reason": "OOMKilled" if self.short else "Error" if self.code else "Completed"}}
        elif self.process is None:
            s["state"] = {"waiting": {"reason": "PodInitializing"}}
        else:
            s["ready"], s["started"] = True, True
            s["state"] = {"running": {"startedAt": self.began}}
        return s


class Pod(threading.Thread):
    """A pod from its start to its end."""

    def __init__(self, kubelet, object):
        super().__init__(daemon=True)
        self.kubelet, self.object, self.name = kubelet, object, object["metadata"]["name"]
        spec = object["spec"]
        self.host = spec.get("hostname", self.name)
        self.grace, self.ask = spec.get("terminationGracePeriodSeconds", 30), threading.Event()
        self.dir = os.path.join(kubelet.dir, "pods", object["metadata"]["uid"])
        os.makedirs(self.dir)
        self.space, self.address = kubelet.network.add()
        self.volumes = {v["name"]: self.volume(v) for v in spec.get("volumes", [])}
        self.sidecars = [Container(self, c, True) for c in spec.get("initContainers", [])]
        self.containers = [Container(self, c, False) for c in spec["containers"]]

    def data(self, kind, name):
        return self.kubelet.cluster.get(f"/api/v1/namespaces/{self.kubelet.namespace}/{kind}/{name}").get("data", {})

    def volume(self, v):
        if "persistentVolumeClaim" in v:
            path = os.path.join(self.kubelet.dir, "claims", v["persistentVolumeClaim"]["claimName"])
            os.makedirs(path, exist_ok=True)
        else:
            path = os.path.join(self.dir, v["name"])
            os.makedirs(path)
            files = {}
            if "configMap" in v:
                files = self.data("configmaps", v["configMap"]["name"])
            elif "secret" in v:
                files = {k: base64.b64decode(d).decode() for k, d in self.data("secrets", v["secret"]["secretName"]).items()}
                if "items" in v["secret"]:
                    files = {i["path"]: files[i["key"]] for i in v["secret"]["items"]}
            for name, text in files.items():
                with open(os.path.join(path, name), "w") as f:
                    f.write(text)
                os.chown(f.name, 0, 65532)
                os.chmod(f.name, 0o640)
        os.chown(path, 0, 65532)
        os.chmod(path, 0o2775)
        return path

    def end(self, seconds):
        if not self.ask.is_set():
            self.grace = seconds
            self.ask.set()

    def run(self):
        for c in self.sidecars + self.containers:
            c.start()
        self.report()
        asked, killed, again = None, False, {}
        while any(c.running() for c in self.containers):
            if self.ask.is_set() and asked is None:
                asked = time.monotonic()
                for c in self.containers:
                    c.kill(signal.SIGTERM)
            if asked and not killed and time.monotonic() - asked > self.grace:
                killed = True
                for c in self.containers:
                    c.kill(signal.SIGKILL)
            for c in self.sidecars:
                if not c.running() and not self.ask.is_set() and time.monotonic() > again.setdefault(c, time.monotonic() + 2):
                    again.pop(c)
                    c.start()
                    self.report()
            time.sleep(0.1)
        for c in self.sidecars:
            c.kill(signal.SIGTERM)
        end = time.monotonic() + self.grace
        while any(c.running() for c in self.sidecars):
            if time.monotonic() > end:
                for c in self.sidecars:
                    c.kill(signal.SIGKILL)
            time.sleep(0.1)
        self.report()
        self.kubelet.network.remove(self.space)

    def over(self):
        return not self.is_alive()

    def report(self):
        codes = [c.code for c in self.containers]
        phase = "Running"
        if all(code is not None for code in codes):
            phase = "Succeeded" if not any(codes) else "Failed"
        ready = "True" if phase == "Running" else "False"
        status = {"phase": phase, "podIP": self.address, "podIPs": [{"ip": self.address}],
                  "startTime": self.containers[0].began,
                  "conditions": [{"type": t, "status": ready} for t in ("Ready", "ContainersReady")] +
                                [{"type": "Initialized", "status": "True"}],
                  "containerStatuses": [c.status() for c in self.containers],
                  "initContainerStatuses": [c.status() for c in self.sidecars]}
        self.kubelet.tell(self.name, phase, codes)
        self.kubelet.patch_status(self.name, status)
        self.kubelet.write_hosts()


class Kubelet(threading.Thread):
    """All nodes of a namespace. images says for each name of an image which program it is: PATH-TAG."""

    def __init__(self, cluster, namespace, directory, images, six=False):
        super().__init__(daemon=True)
        self.cluster, self.namespace, self.dir, self.images = cluster, namespace, directory, images
        for name in ("pods", "claims", "logs"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        self.hosts = os.path.join(directory, "hosts")
        with open(self.hosts, "w") as f:
            f.write("127.0.0.1 localhost\n::1 localhost\n")
        self.network = Network(six)
        self.pods, self.told, self.stopped, self.mutex = {}, [], threading.Event(), threading.Lock()

    def path(self, name="", sub=""):
        return "/".join(p for p in (f"/api/v1/namespaces/{self.namespace}/pods", name, sub) if p)

    def tell(self, pod, phase, codes):
        with self.mutex:
            self.told.append((pod, phase, codes))

    def patch_status(self, name, status):
        """Reports a pod's state, again and again to a server that is busy: a report that is lost would be a pod without an end."""
        for left in reversed(range(20)):
            try:
                self.cluster.request("PATCH", self.path(name, "status"), {"status": status},
                                     "application/strategic-merge-patch+json")
                return
            except urllib.error.HTTPError as e:
                if e.code == 404:
                    return
                print(f"pods: status of {name}: {e.code} {e.read().decode(errors='replace')[:300]}", flush=True)
                if e.code == 422 or not left:
                    raise
            except OSError as e:
                print(f"pods: status of {name}: {e!r}", flush=True)
                if not left:
                    raise
            time.sleep(1)

    def write_hosts(self):
        """Services without an address, and pods that have a name below one, as a cluster's DNS has them."""
        lines = ["127.0.0.1 localhost", "::1 localhost"]
        services = self.cluster.get(f"/api/v1/namespaces/{self.namespace}/services")["items"]
        with self.mutex:
            alive = [p for p in self.pods.values() if p.is_alive()]
            for s in services:
                name, select = s["metadata"]["name"], s["spec"].get("selector", {})
                for p in alive:
                    labels = p.object["metadata"].get("labels", {})
                    if select.items() <= labels.items():
                        lines.append(f"{p.address} {name} {name}.{self.namespace}.svc")
            for p in alive:
                below = p.object["spec"].get("subdomain")
                if below and p.object["spec"].get("hostname"):
                    lines.append(f"{p.address} {p.host}.{below}")
            with open(self.hosts, "r+") as f:
                f.write("\n".join(lines) + "\n")
                f.truncate()

    def run(self):
        while not self.stopped.wait(0.3):
            try:
                self.look()
            except (urllib.error.URLError, OSError, KeyError) as e:
                if not self.stopped.is_set():
                    print("pods:", repr(e), flush=True)

    def look(self):
        for o in self.cluster.get(self.path())["items"]:
            uid, name = o["metadata"]["uid"], o["metadata"]["name"]
            pod = self.pods.get(uid)
            if "deletionTimestamp" in o["metadata"]:
                if pod and not pod.over():
                    pod.end(o["metadata"].get("deletionGracePeriodSeconds", 30))
                else:  # the API server forgets it once nothing else holds it
                    self.forget(name, uid)
                continue
            if pod is None and o["status"].get("phase") == "Pending":
                if "nodeName" not in o["spec"]:
                    self.cluster.request("POST", self.path(name, "binding"), {
                        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name},
                        "target": {"apiVersion": "v1", "kind": "Node", "name": f"node-{len(self.pods) % 4}"}})
                pod = Pod(self, o)
                with self.mutex:
                    self.pods[uid] = pod
                pod.start()

    def forget(self, name, uid):
        try:
            self.cluster.request("DELETE", self.path(name), {"apiVersion": "v1", "kind": "DeleteOptions",
                                                            "gracePeriodSeconds": 0, "preconditions": {"uid": uid}})
        except urllib.error.HTTPError as e:
            if e.code not in (404, 409):
                raise

    def find(self, prefix):
        """The pods that are running whose names begin with prefix."""
        with self.mutex:
            return [p for p in self.pods.values() if p.name.startswith(prefix) and p.is_alive()]

    def exits(self, prefix):
        """The exit codes of the pods of that name that ended, in their order."""
        with self.mutex:
            return [codes[0] for name, phase, codes in self.told if name.startswith(prefix) and phase != "Running"]

    def stop(self):
        self.stopped.set()
        for p in self.find(""):
            p.end(20)
        for p in self.find(""):
            p.join(40)
        self.network.stop()
        for group in glob.glob(GROUPS + "/bylcheck-*"):
            os.rmdir(group)
        shutil.rmtree(os.path.join(self.dir, "pods"), ignore_errors=True)
