package capi

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// slot is a function's place in the table, in the order of pjrt_c_api.h.
type slot int

const (
	errorDestroy          slot = 0
	errorMessage          slot = 1
	errorGetCode          slot = 2
	pluginInitialize      slot = 3
	pluginAttributes      slot = 4
	eventDestroy          slot = 5
	eventIsReady          slot = 6
	eventAwait            slot = 8
	clientCreate          slot = 10
	clientDestroy         slot = 11
	clientPlatformName    slot = 12
	clientPlatformVersion slot = 14
	clientDevices         slot = 16
	clientCompile         slot = 20
	clientFromHost        slot = 22
	descriptionID         slot = 23
	descriptionAttributes slot = 25
	descriptionKind       slot = 26
	descriptionToString   slot = 28
	deviceDescription     slot = 29
	deviceMemoryStats     slot = 34
	executableDestroy     slot = 40
	executableNumOutputs  slot = 44
	executableSerialize   slot = 49
	loadedDestroy         slot = 50
	loadedExecutable      slot = 51
	loadedExecute         slot = 55
	deserializeAndLoad    slot = 56
	bufferDestroy         slot = 58
	bufferToHost          slot = 70
	bufferReadyEvent      slot = 72
	topologyCreate        slot = 82
	topologyDestroy       slot = 83
	compileAhead          slot = 89
	outputTypes           slot = 90
	outputDimensions      slot = 91
	executableFingerprint slot = 94
	executableMemoryStats slot = 96
	clientDMAMap          slot = 110
	clientDMAUnmap        slot = 111
)

// slotNames are the functions' names in the header, for messages.
var slotNames = map[slot]string{
	errorDestroy: "PJRT_Error_Destroy", errorMessage: "PJRT_Error_Message", errorGetCode: "PJRT_Error_GetCode",
	pluginInitialize: "PJRT_Plugin_Initialize", pluginAttributes: "PJRT_Plugin_Attributes",
	eventDestroy: "PJRT_Event_Destroy", eventIsReady: "PJRT_Event_IsReady", eventAwait: "PJRT_Event_Await",
	clientCreate: "PJRT_Client_Create", clientDestroy: "PJRT_Client_Destroy",
	clientPlatformName: "PJRT_Client_PlatformName", clientPlatformVersion: "PJRT_Client_PlatformVersion",
	clientDevices: "PJRT_Client_AddressableDevices", clientCompile: "PJRT_Client_Compile",
	clientFromHost: "PJRT_Client_BufferFromHostBuffer", clientDMAMap: "PJRT_Client_DmaMap",
	clientDMAUnmap: "PJRT_Client_DmaUnmap", descriptionID: "PJRT_DeviceDescription_Id",
	descriptionAttributes: "PJRT_DeviceDescription_Attributes", descriptionKind: "PJRT_DeviceDescription_Kind",
	descriptionToString: "PJRT_DeviceDescription_ToString", deviceDescription: "PJRT_Device_GetDescription",
	deviceMemoryStats: "PJRT_Device_MemoryStats", executableDestroy: "PJRT_Executable_Destroy",
	executableNumOutputs: "PJRT_Executable_NumOutputs", executableSerialize: "PJRT_Executable_Serialize",
	executableFingerprint: "PJRT_Executable_Fingerprint",
	executableMemoryStats: "PJRT_Executable_GetCompiledMemoryStats", loadedDestroy: "PJRT_LoadedExecutable_Destroy",
	loadedExecutable: "PJRT_LoadedExecutable_GetExecutable", loadedExecute: "PJRT_LoadedExecutable_Execute",
	deserializeAndLoad: "PJRT_Executable_DeserializeAndLoad", outputTypes: "PJRT_Executable_OutputElementTypes",
	outputDimensions: "PJRT_Executable_OutputDimensions", bufferDestroy: "PJRT_Buffer_Destroy",
	bufferToHost: "PJRT_Buffer_ToHostBuffer", bufferReadyEvent: "PJRT_Buffer_ReadyEvent",
	topologyCreate: "PJRT_TopologyDescription_Create", topologyDestroy: "PJRT_TopologyDescription_Destroy",
	compileAhead: "PJRT_Compile",
}

func (s slot) String() string { return slotNames[s] }

const wordBytes = int(unsafe.Sizeof(uintptr(0)))

// tableHead begins the table of functions: PJRT_Api, with PJRT_Api_Version in it.
type tableHead struct {
	size, extension               uintptr
	versionSize, versionExtension uintptr
	major, minor                  int32
}

// head begins every struct of arguments.
type head struct{ size, extension uintptr }

func (h *head) begin(size uintptr) { h.size = size }

// tail ends every struct of arguments: room for what later versions add.
type tail [16]uintptr

// arguments is a struct that begins with head.
type arguments[A any] interface {
	*A
	begin(size uintptr)
}

// call runs a function of the table with a, and returns what it reports.
func call[A any, P arguments[A]](p *Plugin, s slot, a P) error {
	var failed *Error
	if p.fail != nil {
		failed = p.fail(s.String())
	}
	if failed != nil && s != eventAwait { // what is under way is waited for, whatever becomes of it
		return failed
	}
	r, err := raw[A](p, s, a)
	if failed != nil {
		return failed
	}
	if err != nil || r == 0 {
		return err
	}
	return p.takeError(r)
}

// raw runs a function of the table; the result is a PJRT_Error or nothing, but for the two that return none.
func raw[A any, P arguments[A]](p *Plugin, s slot, a P) (uintptr, error) {
	var f uintptr
	if int(s) < p.slots {
		f = *(*uintptr)(unsafe.Add(address(p.table), int(unsafe.Sizeof(tableHead{}))+int(s)*wordBytes))
	}
	if f == 0 {
		return 0, fmt.Errorf("PJRT plugin of version %v has no %v", p.version, s)
	}
	a.begin(unsafe.Sizeof(*a))
	r, _, _ := purego.SyscallN(f, uintptr(unsafe.Pointer(a)))
	return r, nil
}

// address makes a pointer of an address outside Go's memory.
func address(a uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&a)) }

// text copies n bytes of the plugin's memory.
func text(a, n uintptr) string {
	if a == 0 || n == 0 {
		return ""
	}
	return string(unsafe.Slice((*byte)(address(a)), n))
}

// destroy calls a function whose only argument is a handle.
func (p *Plugin) destroy(s slot, handle uintptr) error {
	var a struct {
		head
		handle uintptr
		tail
	}
	a.handle = handle
	return call(p, s, &a)
}

// get calls a function that gives one word of a handle.
func (p *Plugin) get(s slot, handle uintptr) (uintptr, error) {
	var a struct {
		head
		handle, word uintptr
		tail
	}
	a.handle = handle
	err := call(p, s, &a)
	return a.word, err
}

// text calls a function that gives a string of a handle.
func (p *Plugin) text(s slot, handle uintptr) (string, error) {
	var a struct {
		head
		handle, at, n uintptr
		tail
	}
	a.handle = handle
	err := call(p, s, &a)
	return text(a.at, a.n), err
}
