package link

import "testing"

// FuzzDecode: a header that is read is one that is written.
func FuzzDecode(f *testing.F) {
	b := make([]byte, HeaderBytes)
	Header{Kind: Reduce, Generation: 2, Step: 3, Length: 100}.Encode(b)
	f.Add(b)
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) < HeaderBytes {
			return
		}
		h, err := Decode(text)
		if err != nil {
			return
		}
		again := make([]byte, HeaderBytes)
		h.Encode(again)
		if got, err := Decode(again); err != nil || got != h {
			t.Errorf("wrote %+v, read %+v, %v", h, got, err)
		}
	})
}
