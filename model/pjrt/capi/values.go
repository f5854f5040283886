package capi

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"unsafe"
)

// Values are named values of the types string, int64, []int64, float32 and bool.
type Values map[string]any

// Kinds of a PJRT_NamedValue.
const (
	kindString = 0
	kindInt    = 1
	kindInts   = 2
	kindFloat  = 3
	kindBool   = 4
)

// named is PJRT_NamedValue. A plugin walks an array of them by its own size of it, so this one has no room behind.
type named struct {
	head
	name  unsafe.Pointer
	nameN uintptr
	kind  int32
	_     int32
	value [8]byte // a union
	n     uintptr // elements of an array or a string, else 1
}

// pack gives the values as an array for C, by name; what it points to is pinned by pin.
func (v Values) pack(pin *runtime.Pinner) (unsafe.Pointer, uintptr, error) {
	list := make([]named, 0, len(v))
	for _, name := range slices.Sorted(maps.Keys(v)) {
		n := named{nameN: uintptr(len(name)), n: 1, name: pinned(pin, []byte(name))}
		n.size = unsafe.Sizeof(n)
		if err := n.set(v[name], pin); err != nil {
			return nil, 0, fmt.Errorf("option %s: %w", name, err)
		}
		list = append(list, n)
	}
	return pinned(pin, list), uintptr(len(list)), nil
}

func (n *named) set(value any, pin *runtime.Pinner) error {
	at := unsafe.Pointer(&n.value)
	switch x := value.(type) {
	case string:
		n.kind, n.n = kindString, uintptr(len(x))
		*(*unsafe.Pointer)(at) = pinned(pin, append([]byte(x), 0))
	case int64:
		n.kind = kindInt
		*(*int64)(at) = x
	case []int64:
		n.kind, n.n = kindInts, uintptr(len(x))
		*(*unsafe.Pointer)(at) = pinned(pin, slices.Clone(x))
	case float32:
		n.kind = kindFloat
		*(*float32)(at) = x
	case bool:
		n.kind = kindBool
		*(*bool)(at) = x
	default:
		return fmt.Errorf("a value of type %T cannot be passed", value)
	}
	return nil
}

// pinned is the address of a slice's memory, which stays where it is until pin is released; nothing of an empty one.
func pinned[E any](pin *runtime.Pinner, s []E) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	pin.Pin(unsafe.SliceData(s))
	return unsafe.Pointer(unsafe.SliceData(s))
}

// readValues copies n values out of the plugin's memory. Values of kinds that later versions add are left out.
func readValues(at, n uintptr) Values {
	v := Values{}
	for range n {
		x := (*named)(address(at))
		name := text(uintptr(x.name), x.nameN)
		value := unsafe.Pointer(&x.value)
		switch x.kind {
		case kindString:
			v[name] = text(*(*uintptr)(value), x.n)
		case kindInt:
			v[name] = *(*int64)(value)
		case kindInts:
			v[name] = slices.Clone(unsafe.Slice((*int64)(*(*unsafe.Pointer)(value)), x.n))
		case kindFloat:
			v[name] = *(*float32)(value)
		case kindBool:
			v[name] = *(*bool)(value)
		}
		at += max(x.size, unsafe.Sizeof(*x)) // the plugin's own may be longer
	}
	return v
}
