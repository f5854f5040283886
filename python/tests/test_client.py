"""The installed package against a run of the installed programs: nothing is imported from the source tree."""

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import unittest
from pathlib import Path

from byol import Client, RunFailed, TimedOut, Unreachable
from byol.v1 import operator_pb2 as pb

BIN = Path(sysconfig.get_path("scripts"))
RUN = ("--config", "demo", "--batch-size", "32", "--shards", "2", "--workers", "1", "--save-interval", "0", "--eval-data=",
       "--seed", "7", "--quiet")


def start(folder, *more):
    """A run in folder/run."""
    return subprocess.Popen([BIN / "coordinator", *RUN, *more, "--run-dir", "run"], cwd=folder,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def connect(folder, process, **keys):
    """A client of the run, as soon as it is there."""
    deadline = time.monotonic() + 180
    while True:
        try:
            return Client(run_dir=folder / "run", **keys)
        except Unreachable:
            if process.poll() is not None:
                raise AssertionError(f"the coordinator ended: {process.stderr.read()}") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def follow(self, process):
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait, 120)
        self.addCleanup(lambda: process.poll() is None and process.send_signal(signal.SIGTERM))
        return process

    def test_a_run_to_its_end(self):
        """With the keys that a coordinator leaves its user: status, steps, events, the end, and nobody behind it."""
        process = self.follow(start(self.folder, "--max-steps", "12"))
        with connect(self.folder, process) as run:
            status = run.wait(step=2, timeout=180)
            self.assertIsInstance(status, pb.Status)
            self.assertGreaterEqual(status.progress.step, 2)
            self.assertEqual(status.protection.by, "local")
            with self.assertRaises(TimedOut) as late:
                run.wait("paused", timeout=0.5)
            self.assertIn("for paused", str(late.exception))
            events = list(run.events(follow=True))
            self.assertEqual([e.id for e in events], sorted({e.id for e in events}))
            kinds = [e.type for e in events]
            self.assertIn("worker-joined", kinds)
            self.assertEqual(kinds[-1], "run-completed")
        self.assertEqual(process.wait(120), 0)
        with self.assertRaises(Unreachable):
            Client(run_dir=self.folder / "run")

    def test_what_is_not_to_come(self):
        """Who waits for the end of a run that is stopped is told."""
        process = self.follow(start(self.folder))
        with connect(self.folder, process) as run:
            run.wait(step=1, timeout=180)
            process.send_signal(signal.SIGTERM)
            with self.assertRaises(RunFailed) as failed:
                run.wait(timeout=180)
            self.assertIn("stopped", str(failed.exception))
            self.assertEqual(failed.exception.status.state, pb.RUN_STATE_STOPPED)
        self.assertEqual(process.wait(120), 75)

    def test_certificates(self):
        """An observer's certificate of the run's authority reads; another authority's finds no coordinator."""
        def certs(*words):
            subprocess.run([BIN / "coordinator", "certs", *words], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

        for authority in ("ours", "theirs"):
            certs("init", authority)
            certs("issue", "--authority", authority, "--role", "observer", "--name", "ann", "-o", f"{authority}/ann")
        certs("issue", "--authority", "ours", "--role", "coordinator", "--name", "coordinator-0", "-o", "ours/c")
        process = self.follow(start(self.folder, "--launcher", "none", "--listen", "127.0.0.1:0", "--tls-dir", "ours/c"))
        with connect(self.folder, process, tls_dir=self.folder / "ours/ann") as run:
            self.assertEqual(run.status().protection.by, "certificates")
            self.assertEqual(run.status().state, pb.RUN_STATE_WAITING_FOR_WORKERS)
            with self.assertRaises(Unreachable):
                Client(run.address, tls_dir=self.folder / "theirs/ann")

    def test_nobody(self):
        with self.assertRaises(Unreachable):
            Client(run_dir=self.folder)
        with Client("127.0.0.1:1", timeout=5) as run, self.assertRaises(Unreachable):
            run.status()


class InstallTest(unittest.TestCase):
    def test_programs(self):
        """Both programs are installed, of one version, and a client needs no torch."""
        words = [subprocess.run([BIN / name, "version"], check=True, capture_output=True, text=True).stdout.split()
                 for name in ("coordinator", "worker")]
        self.assertEqual([w[0] for w in words], ["coordinator", "worker"])
        self.assertEqual(words[0][1], words[1][1])
        code = "import byol, sys; print(byol.Client.__name__, 'torch' in sys.modules)"
        out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=os.sep).stdout
        self.assertEqual(out.split(), ["Client", "False"])
