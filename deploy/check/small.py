"""A stand-in for the API server, for machines that have not built one: it keeps what kustomize makes, and has Jobs, and nothing
else. Jobs follow their failure and success policies, indexes, sizes and deletion with grace; pods come again after a second,
where a controller waits for 10, 20, …. It decodes nothing strictly and has no budgets."""

import base64
import copy
import itertools
import subprocess
import threading
import time
import uuid

import yaml

SORTS = {"pods": "Pod", "services": "Service", "secrets": "Secret", "configmaps": "ConfigMap", "jobs": "Job"}
INDEX = "batch.kubernetes.io/job-completion-index"


class Small:
    """What check.py and pods.py use of cluster.Cluster."""

    def __init__(self):
        self.objects, self.mutex, self.numbers = {}, threading.RLock(), itertools.count(1)
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.control, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def wait(self, what, true, seconds):
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise SystemExit(f"{what} did not come within {seconds} s")
            time.sleep(0.2)

    def get(self, path, raw=False):
        parts = path.split("/namespaces/")[1].split("/")
        kind = SORTS[parts[1]]
        with self.mutex:
            if len(parts) > 2:
                return copy.deepcopy(self.objects[kind, parts[2]])
            return {"items": [copy.deepcopy(o) for (k, _), o in self.objects.items() if k == kind]}

    def request(self, method, path, body=None, kind=""):
        name, sub = (path.split("/pods/")[1].split("/") + [""])[:2]
        with self.mutex:
            o = self.objects.get(("Pod", name))
            if o is None:
                return
            if method == "PATCH":
                o["status"].update(body["status"])
            elif method == "POST" and sub == "binding":
                o["spec"]["nodeName"] = body["target"]["name"]
            elif method == "POST" and sub == "eviction":
                o["disrupted"] = True
                self.ask(o)
            elif method == "DELETE" and o["metadata"]["uid"] == body["preconditions"]["uid"]:
                o["gone"] = True

    def ask(self, pod):
        """Marks a pod for its deletion."""
        if "deletionTimestamp" not in pod["metadata"]:
            pod["metadata"]["deletionTimestamp"] = "now"
            pod["metadata"]["deletionGracePeriodSeconds"] = pod["spec"].get("terminationGracePeriodSeconds", 30)

    def must(self, *arguments, stdin=None):
        code, out = self.kubectl(*arguments, stdin=stdin)
        if code:
            raise SystemExit(out)
        return out

    def kubectl(self, *arguments, stdin=None):
        words = [a for a in arguments if not a.startswith("--")]
        if words[:2] == ["-n", "byol"]:
            words = words[2:]
        with self.mutex:
            if words[0] in ("apply", "delete") and "-k" in words:
                r = subprocess.run(["kubectl", "kustomize", words[-1]], capture_output=True, text=True)
                if r.returncode:
                    return 1, r.stderr
                listed = [o for o in yaml.safe_load_all(r.stdout) if o]
                return self.apply(listed) if words[0] == "apply" else self.delete(listed)
            if words[0] == "create" and words[1] == "secret":
                data = {}
                for a in arguments:
                    if a.startswith("--from-file="):
                        key, path = a.removeprefix("--from-file=").split("=")
                        with open(path, "rb") as f:
                            data[key] = base64.b64encode(f.read()).decode()
                self.objects["Secret", words[3]] = {"data": data}
            elif words[0] == "delete" and words[1] == "pod":
                self.ask(self.objects["Pod", words[2]])
            elif words[0] == "delete" and words[1] == "namespace":
                self.delete([o for o in self.objects.values() if "kind" in o and o["kind"] != "Pod"])
            elif words[0] == "patch" and words[1] == "job":
                self.objects["Job", words[2]]["spec"].update(yaml.safe_load(words[4])["spec"])
            elif words[0] == "get" and words[1] == "namespace":
                return int(not any(kind == "Pod" for kind, _ in self.objects)), ""
        return 0, ""

    def apply(self, listed):
        for o in listed:
            old = self.objects.get((o["kind"], o["metadata"]["name"]))
            if o["kind"] == "Job" and old and old["spec"]["template"] != o["spec"]["template"]:
                return 1, "spec.template: field is immutable"
        for o in listed:
            key = o["kind"], o["metadata"]["name"]
            if key in self.objects and o["kind"] == "Job":
                self.objects[key]["spec"].update(o["spec"])
                continue
            self.objects[key] = o
            if o["kind"] == "Job":
                o["status"], o["done"], o["again"] = {}, {}, {}
        return 0, "\n".join(o["metadata"]["name"] for o in listed)

    def delete(self, listed):
        for o in listed:
            if self.objects.pop((o["kind"], o["metadata"]["name"]), None) and o["kind"] == "Job":
                for p in self.pods(o["metadata"]["name"]):
                    self.ask(p)
        end = time.monotonic() + 200
        while any("deletionTimestamp" in o.get("metadata", {}) for o in self.objects.values()) and time.monotonic() < end:
            self.mutex.release()
            time.sleep(0.2)
            self.mutex.acquire()
        return 0, ""

    def pods(self, job):
        return [o for (kind, _), o in self.objects.items() if kind == "Pod" and o["job"] == job]

    def control(self):
        while not self.stopped.wait(0.2):
            with self.mutex:
                for key in [k for k, o in self.objects.items() if k[0] == "Pod" and o.get("gone")]:
                    self.settle(self.objects.pop(key))
                for (kind, name), o in list(self.objects.items()):
                    if kind == "Pod" and o["status"]["phase"] in ("Failed", "Succeeded") and \
                            "deletionTimestamp" not in o["metadata"]:
                        self.settle(o)
                    elif kind == "Job":
                        self.reconcile(name, o)

    def settle(self, pod):
        """Counts a pod that ended, once."""
        job = self.objects.get(("Job", pod["job"]))
        if job is None or pod.get("settled"):
            return
        pod["settled"] = True
        index = int(pod["metadata"]["annotations"][INDEX])
        codes = {c["name"]: c["state"]["terminated"]["exitCode"] for c in pod["status"].get("containerStatuses", [])}
        action = "Count"
        for rule in job["spec"].get("podFailurePolicy", {}).get("rules", []):
            on = rule.get("onExitCodes")
            if "onPodConditions" in rule and pod.get("disrupted") or on and codes.get(on["containerName"]) in on["values"]:
                action = rule["action"]
                break
        if codes and not any(codes.values()):
            job["done"][index] = "succeeded"
        elif action == "FailJob":
            self.finish(job, "Failed", "PodFailurePolicy")
        elif action == "FailIndex":
            job["done"][index] = "failed"
        elif action == "Count":
            job["status"]["failed"] = job["status"].get("failed", 0) + 1
        job["again"][index] = time.monotonic() + 1

    def finish(self, job, how, why):
        job["status"].setdefault("conditions", []).append({"type": how, "status": "True", "reason": why})
        for p in self.pods(job["metadata"]["name"]):
            if p["status"]["phase"] in ("Pending", "Running"):
                self.ask(p)

    def reconcile(self, name, job):
        if job["status"].get("conditions"):
            return
        spec, size = job["spec"], job["spec"].get("completions", 1)
        ends = [job["done"].get(i) for i in range(size)]
        wanted = (spec.get("successPolicy", {}).get("rules") or [{}])[0].get("succeededCount", size)
        if ends.count("succeeded") >= min(wanted, size):
            return self.finish(job, "Complete", "")
        if all(ends):
            return self.finish(job, "Failed", "FailedIndexes")
        live = {}
        for p in self.pods(name):
            if not p.get("settled"):
                live[int(p["metadata"]["annotations"][INDEX])] = p
        for index, p in live.items():
            if index >= size:
                self.ask(p)
        for index in range(size):
            if index not in live and not ends[index] and time.monotonic() > job["again"].get(index, 0):
                self.create(name, job, index)

    def create(self, name, job, index):
        template = copy.deepcopy(job["spec"]["template"])
        pod = {"kind": "Pod", "job": name, "metadata": template["metadata"], "spec": template["spec"],
               "status": {"phase": "Pending"}}
        pod["metadata"].update(name=f"{name}-{index}-{next(self.numbers):04d}", uid=str(uuid.uuid4()), annotations={INDEX: str(index)})
        if job["spec"].get("completionMode") == "Indexed":
            pod["spec"]["hostname"] = f"{name}-{index}"
            for c in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
                if not any(e["name"] == "JOB_COMPLETION_INDEX" for e in c.setdefault("env", [])):
                    c["env"].append({"name": "JOB_COMPLETION_INDEX", "value": str(index)})
        self.objects["Pod", pod["metadata"]["name"]] = pod
