package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"byol/internal/failure"
	pb "byol/proto"
)

// What coordinator doctor looks at, each as a function of what was seen. doctor.go looks.

// finding is a line of coordinator doctor.
type finding struct {
	Level string `json:"level"` // ok, warn or fail
	Check string `json:"check"`
	Found string `json:"found"`
	Try   string `json:"try,omitempty"`
	code  failure.Code
}

const (
	wellLevel = "ok"
	warnLevel = "warn"
	failLevel = "fail"
)

func well(check, format string, args ...any) finding {
	return finding{Level: wellLevel, Check: check, Found: fmt.Sprintf(format, args...)}
}

func (f finding) warn(try string) finding {
	f.Level, f.Try = warnLevel, try
	return f
}

func (f finding) fail(code failure.Code, try string) finding {
	f.Level, f.Try, f.code = failLevel, try, code
	return f
}

// bounds of what is well.
const (
	leastFree, littleFree = 1 << 30, 10 << 30
	leastFiles            = 256
	littleFiles           = 1024
	noticedSkew, badSkew  = 2 * time.Second, time.Minute
	expiresSoon           = 7 * 24 * time.Hour
)

// checkName is what a host name stands for on this machine.
func checkName(host string, addresses []string, err error) finding {
	f := well("name "+host, "%s", strings.Join(addresses, ", "))
	loopback := func(a string) bool {
		ip := net.ParseIP(a)
		return ip != nil && ip.IsLoopback()
	}
	switch {
	case err != nil || len(addresses) == 0:
		f.Found = "is not known here"
		if err != nil {
			f.Found += ": " + err.Error()
		}
		return f.fail(failure.Unreachable, "a name that DNS or /etc/hosts of this machine knows, or an address")
	case host != "localhost" && slices.ContainsFunc(addresses, loopback):
		return f.warn("the name leads to this machine itself: others that look it up so reach themselves; see /etc/hosts")
	}
	return f
}

// checkReach is whether a port answers.
func checkReach(what, address string, took time.Duration, err error) finding {
	f := well("port "+address, "the %s answers (%v)", what, took.Round(10*time.Microsecond))
	if err != nil {
		f.Found = fmt.Sprintf("the %s does not answer: %v", what, err)
		return f.fail(failure.Unreachable, "is it started? May this machine reach that port (firewall, NetworkPolicy)?")
	}
	return f
}

// checkListen is whether this machine's own port is free.
func checkListen(address string, err error) finding {
	f := well("listen "+address, "is free")
	if err != nil {
		f.Found = err.Error()
		return f.fail(failure.Usage, "--listen with another port, or end what uses it; port 0 takes a free one")
	}
	return f
}

// checkKeys is how long certificates are good.
func checkKeys(dir, identity string, expires, now time.Time, err error) finding {
	f := well("certificates "+dir, "%s, %s", identity, lasting(expires.Sub(now), expires))
	switch {
	case err != nil:
		f.Found = err.Error()
		return f.fail(failure.Usage, "coordinator certs issue -o "+dir)
	case !expires.After(now):
		return f.fail(failure.Usage, "coordinator certs renew "+dir)
	case expires.Sub(now) < expiresSoon:
		return f.warn("coordinator certs renew " + dir)
	}
	return f
}

// checkToken is whether the file with the common word is fit to be used.
func checkToken(path string, mode uint32, err error) finding {
	f := well("token "+path, "is there, and this user's alone")
	switch {
	case err != nil:
		f.Found = err.Error()
		return f.fail(failure.Usage, "coordinator certs token > "+path)
	case mode&0o077 != 0:
		f.Found = fmt.Sprintf("others on this machine may read it (mode %o)", mode&0o777)
		return f.warn("chmod 600 " + path)
	}
	return f
}

// checkClock compares a coordinator's clock with this machine's, as far as round lets tell.
func checkClock(address string, theirs, ours time.Time, round time.Duration) finding {
	skew := theirs.Sub(ours)
	f := well("clock "+address, "differs by %v at most", (skew.Abs() + round).Round(time.Millisecond))
	if beyond := skew.Abs() - round; beyond > noticedSkew {
		f.Found = fmt.Sprintf("differs by %v", skew.Round(time.Millisecond))
		const try = "have both machines follow a time server (timedatectl set-ntp true)"
		if beyond > badSkew {
			return f.fail(failure.Usage, try+": certificates are not good before their time")
		}
		return f.warn(try)
	}
	return f
}

// checkDisk is how much room there is for what a run writes.
func checkDisk(dir string, free uint64, err error) finding {
	f := well("disk "+dir, "%s free", size(free))
	switch {
	case err != nil:
		f.Found = err.Error()
		return f.fail(failure.Checkpoint, "a directory that can be made and written")
	case free < leastFree:
		return f.fail(failure.Checkpoint, "make room, or another directory: checkpoints of ResNet-50 take 0.6 GiB each")
	case free < littleFree:
		return f.warn("make room: --keep 3 checkpoints of ResNet-50 take 2 GiB")
	}
	return f
}

// checkShm is how much memory a container lets processes share by name.
func checkShm(bytes uint64, err error) finding {
	if err != nil {
		return well("/dev/shm", "is not there; nothing of ours needs it")
	}
	return well("/dev/shm", "%s; nothing of ours needs it: workers share memory that has no name", size(bytes))
}

// checkFiles is how many files and connections a process may have open.
func checkFiles(limit uint64, err error) finding {
	f := well("open files", "%d at once", limit)
	switch try := "ulimit -n 4096, LimitNOFILE= of a systemd unit"; {
	case err != nil:
		return well("open files", "nobody says how many: %v", err)
	case limit < leastFiles:
		return f.fail(failure.Usage, try)
	case limit < littleFiles:
		return f.warn(try)
	}
	return f
}

// checkData is what this machine sees of the images, beside what the run that goes on has of them.
func checkData(flag string, d dataset, err error, runs *pb.RunConfig) finding {
	f := well(flag+" "+d.uri, "%s images, %d classes", grouped(d.images), d.classes)
	switch {
	case err != nil:
		f.Found = err.Error()
		return f.fail(failure.Data, "coordinator data inspect "+quoted(d.uri))
	case flag == "--data" && runs.GetData() == d.uri && runs.GetManifestHash() != "" && runs.ManifestHash != d.manifest:
		f.Found += fmt.Sprintf("; the run has %s others", grouped(runs.Samples))
		return f.fail(failure.Data, "have this machine see the same files: names and sizes differ")
	}
	return f
}

// checkSeen is whether this machine sees the checkpoint that the coordinator has saved: size is what it is here.
func checkSeen(k *pb.CheckpointInfo, bytes int64, err error) finding {
	f := well("checkpoint "+k.GetPath(), "is seen here, too")
	switch {
	case err != nil:
		f.Found = err.Error()
	case k.GetSizeBytes() > 0 && uint64(bytes) != k.SizeBytes:
		f.Found = fmt.Sprintf("has %d bytes here, and %d where the coordinator is", bytes, k.SizeBytes)
	default:
		return f
	}
	return f.warn("mount the directory of checkpoints here at the same path, if workers of this machine are to use it")
}

// checkProxy tells of proxies: programs of ours pass them by, other tools do not.
func checkProxy(environ []string, hosts []string) finding {
	var set, except []string
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch lower := strings.ToLower(name); {
		case value == "":
		case lower == "no_proxy":
			except = append(except, strings.Split(value, ",")...)
		case lower == "http_proxy" || lower == "https_proxy" || lower == "all_proxy":
			set = append(set, name)
		}
	}
	slices.Sort(set)
	f := well("proxies", "none is set")
	if len(set) == 0 {
		return f
	}
	f.Found = strings.Join(set, ", ") + " are set; connections of ours pass them by, those to stores take them"
	hosts = slices.DeleteFunc(slices.Clone(hosts), func(h string) bool {
		return slices.ContainsFunc(except, func(e string) bool {
			e = strings.TrimPrefix(strings.TrimSpace(e), ".")
			return e == "*" || e == h || e != "" && strings.HasSuffix(h, "."+e)
		})
	})
	if len(hosts) > 0 {
		return f.warn("for grpcurl and other gRPC tools: export no_proxy=" + strings.Join(hosts, ","))
	}
	return f
}

// worst is the first failure among findings, nil where none is.
func worst(all []finding) error {
	failed, first := 0, finding{}
	for _, f := range all {
		if f.Level == failLevel {
			if failed++; failed == 1 {
				first = f
			}
		}
	}
	if failed == 0 {
		return nil
	}
	return &failure.Failure{What: count(int64(failed), "check") + " failed", Why: first.Check + ": " + first.Found,
		Try: first.Try, Code: first.code}
}
