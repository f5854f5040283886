package find

import (
	"fmt"
	"strings"

	"byol/internal/failure"
)

// Choice is what a device's name led to.
type Choice struct {
	Taken *Report  // nil: the processor, by this program's own kernels
	Tried []Report // that were refused, or passed over
}

// prefix begins the name of a device that names its plugin.
const prefix = "pjrt:"

// Choose finds the plugin for the name of a device: auto, pjrt, pjrt:PATH, cuda, rocm or tpu. It tries candidates in
// their order until one opens, so candidates behind that one stay untried. auto passes over what is no accelerator
// unless the user named it, and ends with the processor; the others end with a failure.
func Choose(device string, candidates []Candidate, try func(Candidate) Report) (Choice, error) {
	var c Choice
	if file, ok := strings.CutPrefix(device, prefix); ok {
		candidates = []Candidate{{Path: file, Kind: kindOf(file), Where: "--device", Named: true}}
	}
	for _, candidate := range candidates {
		if !worthTrying(device, candidate) {
			continue
		}
		r := try(candidate)
		if r.Refused == "" {
			r.Refused = passedOver(device, r)
		}
		if r.Refused == "" {
			c.Taken = &r
			return c, nil
		}
		c.Tried = append(c.Tried, r)
	}
	if device == "auto" {
		return c, nil
	}
	why := "no plugin was found: neither named nor in site-packages of python3 on the PATH, in /opt or in /usr/lib"
	if len(c.Tried) > 0 {
		why = strings.Join(c.Words(), "; ")
	}
	return c, &failure.Failure{What: fmt.Sprintf("device %s cannot be used", device), Why: why, Try: advice(device),
		Code: failure.Usage}
}

// worthTrying reports whether a candidate may be what is asked for. Whether one that the user named is, it says itself.
func worthTrying(device string, c Candidate) bool {
	switch {
	case c.Named || device == "pjrt" || strings.HasPrefix(device, prefix):
		return true
	case device == "auto":
		return c.Kind != CPU
	}
	return string(c.Kind) == device
}

// passedOver says why a plugin that opens is not what is asked for; "" if it is.
func passedOver(device string, r Report) string {
	switch {
	case device == "auto" && !r.Named && r.Name == string(CPU):
		return "is for the processor, and slower than this program's own kernels"
	case (device == string(CUDA) || device == string(ROCm) || device == string(TPU)) && r.Name != device:
		return "is for " + r.Name
	}
	return ""
}

func advice(device string) string {
	const others = "`worker devices` shows what is there; --device cpu always works"
	switch device {
	case string(CUDA):
		return `pip install "jax-cuda13-plugin[with-cuda]==0.11.2", or --pjrt-plugin PATH; ` + others
	case string(ROCm):
		return "pip install jax-rocm7-pjrt, or --pjrt-plugin PATH; " + others
	case string(TPU):
		return "pip install libtpu, or --pjrt-plugin PATH; " + others
	}
	return "--pjrt-plugin PATH; " + others
}

// Words are a line for each plugin that was not taken.
func (c Choice) Words() []string {
	lines := make([]string, len(c.Tried))
	for i, r := range c.Tried {
		lines[i] = r.Words()
	}
	return lines
}

// Words says what the plugin is, and of one that is refused, why.
func (r Report) Words() string {
	switch {
	case r.Refused != "":
		return fmt.Sprintf("the plugin %s %s", r.Path, r.Refused)
	case len(r.Devices) == 1:
		return fmt.Sprintf("%s by the plugin %s", r.Devices[0].Kind, r.Path)
	}
	return fmt.Sprintf("%d times %s by the plugin %s", len(r.Devices), r.Devices[0].Kind, r.Path)
}
