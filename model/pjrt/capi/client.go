package capi

import (
	"fmt"
	"maps"
	"runtime"
	"sync/atomic"
	"unsafe"
)

// ClientOptions are what a client is opened with. The zero value leaves everything to the plugin.
type ClientOptions struct {
	MemoryFraction float64 // of a device's memory that may be used
	Preallocate    *bool   // take that memory at once
	VisibleDevices []int   // the devices to open, by number; nil: all
	Other          Values  // what a kind of plugin takes besides
}

// values gives the options under the names that plugins know.
func (o ClientOptions) values() Values {
	v := Values{}
	maps.Copy(v, o.Other)
	if o.MemoryFraction > 0 {
		v["memory_fraction"] = float32(o.MemoryFraction)
	}
	if o.Preallocate != nil {
		v["preallocate"] = *o.Preallocate
	}
	if o.VisibleDevices != nil {
		list := make([]int64, len(o.VisibleDevices))
		for i, d := range o.VisibleDevices {
			list[i] = int64(d)
		}
		v["visible_devices"] = list
	}
	return v
}

// Client is an open runtime.
type Client struct {
	p       *Plugin
	handle  atomic.Uintptr
	devices []*Device
	live    struct{ buffers, executables, events, memories atomic.Int64 }
}

// Live counts what a client has given out and nobody has ended yet.
type Live struct{ Buffers, Executables, Events, Memories int64 }

// Live says what is alive.
func (c *Client) Live() Live {
	return Live{c.live.buffers.Load(), c.live.executables.Load(), c.live.events.Load(), c.live.memories.Load()}
}

// NewClient opens the plugin's devices.
func (p *Plugin) NewClient(o ClientOptions) (*Client, error) {
	var pin runtime.Pinner
	defer pin.Unpin()
	var a struct {
		head
		options     unsafe.Pointer
		n           uintptr
		keyValue    [4]uintptr
		client      uintptr
		keyValueTry [2]uintptr
		tail
	}
	var err error
	if a.options, a.n, err = o.values().pack(&pin); err != nil {
		return nil, fmt.Errorf("open PJRT client: %w", err)
	}
	if err := call(p, clientCreate, &a); err != nil {
		return nil, fmt.Errorf("open PJRT client: %w", err)
	}
	c := &Client{p: p}
	c.handle.Store(a.client)
	if err := c.findDevices(); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("list devices of PJRT client: %w", err)
	}
	return c, nil
}

func (c *Client) findDevices() error {
	var a struct {
		head
		client, devices, n uintptr
		tail
	}
	a.client = c.handle.Load()
	if err := call(c.p, clientDevices, &a); err != nil {
		return err
	}
	for _, h := range unsafe.Slice((*uintptr)(address(a.devices)), a.n) {
		d, err := c.device(h)
		if err != nil {
			return err
		}
		c.devices = append(c.devices, d)
	}
	return nil
}

// Plugin is what the client was opened by.
func (c *Client) Plugin() *Plugin { return c.p }

// Close ends the client. Everything it gave out must have been ended before: otherwise it stays open, and the error
// says what is alive.
func (c *Client) Close() error {
	if live := c.Live(); live != (Live{}) {
		return fmt.Errorf("close PJRT client: %d buffers, %d executables, %d events and %d host memories are alive",
			live.Buffers, live.Executables, live.Events, live.Memories)
	}
	h := c.handle.Swap(0)
	if h == 0 {
		return nil
	}
	if err := c.p.destroy(clientDestroy, h); err != nil {
		return fmt.Errorf("close PJRT client: %w", err)
	}
	return nil
}

// Platform is the runtime's name (cpu, cuda, rocm, tpu) and version in words.
func (c *Client) Platform() (name, version string, err error) {
	h := c.handle.Load()
	if h == 0 {
		return "", "", ErrDestroyed
	}
	if name, err = c.p.text(clientPlatformName, h); err != nil {
		return "", "", err
	}
	version, err = c.p.text(clientPlatformVersion, h)
	return name, version, err
}

// Devices are those that this client opened. They live as long as it.
func (c *Client) Devices() []*Device { return c.devices }

// Device is one accelerator of a client.
type Device struct {
	c           *Client
	handle      uintptr
	ID          int
	Kind        string // "NVIDIA H100 80GB HBM3", "cpu"
	Description string
}

func (c *Client) device(handle uintptr) (*Device, error) {
	d := &Device{c: c, handle: handle}
	about, err := c.p.get(deviceDescription, handle)
	if err != nil {
		return nil, err
	}
	id, err := c.p.get(descriptionID, about)
	if err != nil {
		return nil, err
	}
	d.ID = int(int32(id))
	if d.Kind, err = c.p.text(descriptionKind, about); err != nil {
		return nil, err
	}
	d.Description, err = c.p.text(descriptionToString, about)
	return d, err
}

// Attributes are what the plugin says of the device, such as its cores and compute capability.
func (d *Device) Attributes() (Values, error) {
	about, err := d.c.p.get(deviceDescription, d.handle)
	if err != nil {
		return nil, err
	}
	var a struct {
		head
		description, n, list uintptr
		tail
	}
	a.description = about
	if err := call(d.c.p, descriptionAttributes, &a); err != nil {
		return nil, err
	}
	return readValues(a.list, a.n), nil
}

// DeviceMemory is a device's memory in bytes. What a plugin does not say is 0.
type DeviceMemory struct{ Used, Peak, Limit int64 }

// Memory asks for the device's memory. Plugins without an answer give an error of the code Unimplemented.
func (d *Device) Memory() (DeviceMemory, error) {
	type stat struct {
		value int64
		set   bool
	}
	var a struct {
		head
		device                            uintptr
		used                              int64
		peak, allocations, largest, limit stat
		rest                              [7]stat
		tail
	}
	if d.c.handle.Load() == 0 {
		return DeviceMemory{}, ErrDestroyed
	}
	a.device = d.handle
	if err := call(d.c.p, deviceMemoryStats, &a); err != nil {
		return DeviceMemory{}, fmt.Errorf("ask %s for its memory: %w", d.Description, err)
	}
	m := DeviceMemory{Used: a.used}
	if a.peak.set {
		m.Peak = a.peak.value
	}
	if a.limit.set {
		m.Limit = a.limit.value
	}
	return m, nil
}
