package find

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"unsafe"

	"github.com/ebitengine/purego"

	"byol/model/pjrt/capi"
)

// Try loads a plugin into this process, opens it, and writes what there is to w, for the Prober that started the
// process. It is the last that a process does: a plugin cannot be unloaded.
func Try(c Candidate, w io.Writer) error {
	f := facts{Machine: lookAround()}
	if f.Machine.absent(c) {
		f.NoDevice = true
	} else if err := f.open(c); err != nil {
		f.Problem = err.Error()
	}
	if err := json.NewEncoder(w).Encode(f); err != nil {
		return fmt.Errorf("write report of a plugin: %w", err)
	}
	return nil
}

// open fills f with what the plugin says.
func (f *facts) open(c Candidate) error {
	p, err := capi.Open(c.Path)
	if err != nil {
		return errors.Unwrap(err) // the path is in the report
	}
	f.API = p.Version().String()
	if v, err := p.Attributes(); err == nil { // without, the words are less precise
		if cuda, ok := v["cuda_version"].(int64); ok {
			f.Wants = int(cuda)
		}
	}
	client, err := p.NewClient(Gentle(c.Kind))
	if err != nil {
		f.NoDevice = true
		var said *capi.Error
		if errors.As(err, &said) {
			return said
		}
		return err
	}
	if f.Name, f.Version, err = client.Platform(); err != nil {
		return err
	}
	for _, d := range client.Devices() {
		device := Device{ID: d.ID, Kind: d.Kind, Description: d.Description}
		if m, err := d.Memory(); err == nil { // not all plugins tell
			device.Memory = m.Limit
		}
		f.Devices = append(f.Devices, device)
	}
	return client.Close()
}

// Gentle are options by which a plugin of that kind takes no memory before it is needed.
func Gentle(k Kind) capi.ClientOptions {
	if k != CUDA && k != ROCm {
		return capi.ClientOptions{}
	}
	no := false
	return capi.ClientOptions{Preallocate: &no}
}

// lookAround asks the machine for what explains that a plugin sees no device.
func lookAround() machine {
	var m machine
	count := func(pattern string) int {
		files, err := filepath.Glob(pattern)
		if err != nil {
			panic("find: " + err.Error())
		}
		return len(files)
	}
	m.NVIDIAFiles, m.TPUFiles = count("/dev/nvidia[0-9]*"), count("/dev/accel[0-9]*")+count("/dev/vfio/[0-9]*")
	m.AMDFile = count("/dev/kfd") > 0
	if v, ok := os.LookupEnv("CUDA_VISIBLE_DEVICES"); ok {
		m.Visible = &v
	}
	if b, err := os.ReadFile("/proc/driver/nvidia/version"); err == nil {
		m.NVIDIAKernel = kernelVersion(string(b))
	}
	m.NVIDIALibrary, m.NVIDIAVersion = driverVersion()
	return m
}

var kernelModule = regexp.MustCompile(`Kernel Module.*?(\d+\.\d+(\.\d+)?)`)

// kernelVersion finds the driver's version in what /proc/driver/nvidia/version says.
func kernelVersion(s string) string {
	if m := kernelModule.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	return ""
}

// driverVersion asks NVIDIA's driver which CUDA it speaks; 0 if it does not say.
func driverVersion() (library bool, version int) {
	lib, err := purego.Dlopen("libcuda.so.1", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return false, 0
	}
	ask, err := purego.Dlsym(lib, "cuDriverGetVersion")
	if err != nil {
		return true, 0
	}
	v := new(int32)
	if r, _, _ := purego.SyscallN(ask, uintptr(unsafe.Pointer(v))); int32(r) != 0 {
		return true, 0
	}
	return true, int(*v)
}
