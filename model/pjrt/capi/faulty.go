package capi

// The functions that tests count or have fail: a program's compilation and run, a copy to the device, a wait for what a
// device does.
const (
	CompileFunction = "PJRT_Client_Compile"
	RunFunction     = "PJRT_LoadedExecutable_Execute"
	UploadFunction  = "PJRT_Client_BufferFromHostBuffer"
	AwaitFunction   = "PJRT_Event_Await"
)

// Faulty is the plugin with calls that fail, for tests: before each one fail is asked, by the name of its function, and
// may give the error that it ends with.
func (p *Plugin) Faulty(fail func(function string) *Error) *Plugin {
	q := *p
	q.fail = fail
	return &q
}
