"""A Kubernetes API server of this machine alone, with etcd and the controllers that count: Jobs, budgets, garbage."""

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request

ETCD, PEER, API = 23790, 23800, 16443

# What needs nodes that are alive, or clouds, is left out: pods are played by pods.py.
CONTROLLERS = ("job-controller,garbage-collector-controller,namespace-controller,serviceaccount-controller,"
               "disruption-controller,ttl-after-finished-controller,persistentvolumeclaim-protection-controller")


class Cluster:
    """The processes, and a client. Whoever makes one stops it."""

    def __init__(self, programs, directory):
        self.programs, self.dir = programs, directory
        self.kubeconfig = os.path.join(directory, "kubeconfig")
        self.processes = []
        self.ssl = ssl.create_default_context()
        self.ssl.check_hostname, self.ssl.verify_mode = False, ssl.CERT_NONE
        os.makedirs(directory)
        self._files()
        self._run("etcd", "--data-dir", self._at("etcd"), "--listen-client-urls", f"http://127.0.0.1:{ETCD}",
                  "--advertise-client-urls", f"http://127.0.0.1:{ETCD}", "--listen-peer-urls", f"http://127.0.0.1:{PEER}",
                  "--initial-advertise-peer-urls", f"http://127.0.0.1:{PEER}", "--initial-cluster",
                  f"default=http://127.0.0.1:{PEER}", "--log-level", "warn", "--unsafe-no-fsync")
        self._run("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{ETCD}", f"--secure-port={API}",
                  "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", f"--cert-dir={self._at('certs')}",
                  "--service-cluster-ip-range=10.96.0.0/24", "--service-account-issuer=https://kubernetes.default.svc",
                  f"--service-account-key-file={self._at('sa.pub')}",
                  f"--service-account-signing-key-file={self._at('sa.key')}",
                  f"--token-auth-file={self._at('tokens.csv')}", "--authorization-mode=RBAC",
                  "--endpoint-reconciler-type=none")
        self.wait("the API server", lambda: self.get("/readyz", raw=True) == "ok", 300)
        self._run("kube-controller-manager", f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0",
                  f"--service-account-private-key-file={self._at('sa.key')}", f"--controllers={CONTROLLERS}",
                  "--concurrent-job-syncs=2")

    def _at(self, name):
        return os.path.join(self.dir, name)

    def _files(self):
        subprocess.run(["openssl", "genrsa", "-out", self._at("sa.key"), "2048"], check=True, capture_output=True)
        subprocess.run(["openssl", "rsa", "-in", self._at("sa.key"), "-pubout", "-out", self._at("sa.pub")], check=True,
                       capture_output=True)
        with open(self._at("tokens.csv"), "w") as f:
            f.write("check,admin,1,system:masters\n")
        with open(self.kubeconfig, "w") as f:
            f.write(f"""apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:{API}", insecure-skip-tls-verify: true}}}}]
users: [{{name: admin, user: {{token: check}}}}]
contexts: [{{name: c, context: {{cluster: c, user: admin}}}}]
current-context: c
""")

    def _run(self, program, *arguments):
        log = open(self._at(program + ".log"), "w")
        p = subprocess.Popen([os.path.join(self.programs, program), *arguments], stdout=log, stderr=log,
                             start_new_session=True)
        self.processes.append(p)

    def wait(self, what, true, seconds):
        """Waits until true() is, through errors of a server that is not there yet."""
        end = time.monotonic() + seconds
        while True:
            try:
                if true():
                    return
            except (urllib.error.URLError, OSError):
                pass
            for p in self.processes:
                if p.poll() is not None:
                    raise SystemExit(f"{p.args[0]} ended with {p.returncode}: see {self.dir}")
            if time.monotonic() > end:
                raise SystemExit(f"{what} did not come within {seconds} s: see {self.dir}")
            time.sleep(0.5)

    def request(self, method, path, body=None, kind="application/json"):
        data = None if body is None else json.dumps(body).encode()
        r = urllib.request.Request(f"https://127.0.0.1:{API}{path}", data=data, method=method,
                                   headers={"Authorization": "Bearer check", "Content-Type": kind})
        with urllib.request.urlopen(r, context=self.ssl, timeout=60) as answer:
            return answer.read().decode()

    def get(self, path, raw=False):
        text = self.request("GET", path)
        return text if raw else json.loads(text)

    def kubectl(self, *arguments, stdin=None):
        """Runs kubectl and returns (status, output)."""
        environment = dict(os.environ, KUBECONFIG=self.kubeconfig)
        p = subprocess.run([shutil.which("kubectl"), *arguments], input=stdin, text=True, env=environment,
                           capture_output=True, timeout=600)
        return p.returncode, (p.stdout + p.stderr).strip()

    def must(self, *arguments, stdin=None):
        code, out = self.kubectl(*arguments, stdin=stdin)
        if code:
            raise SystemExit(f"kubectl {' '.join(arguments)}: {out}")
        return out

    def stop(self):
        for p in reversed(self.processes):
            p.terminate()
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                p.kill()
