package network

import "testing"

func TestAdvertised(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"10.0.0.1", "10.0.0.1:7071"}, {"10.0.0.1:80", "10.0.0.1:80"}, {"node-3", "node-3:7071"}, {"node-3:80", "node-3:80"},
		{"fd00::5", "[fd00::5]:7071"}, {"[fd00::5]", "[fd00::5]:7071"}, {"[fd00::5]:80", "[fd00::5]:80"},
		{"127.0.0.1", "127.0.0.1:7071"}, // whether that leads anywhere, the coordinator finds out
		{"", ""}, {":80", ""}, {"0.0.0.0", ""}, {"[::]:80", ""}, {"::", ""}, {"node-3:", ""}, {"node-3:0", ""},
		{"node-3:65536", ""}, {"node-3:http", ""}, {"a:b:c", ""}, {"node-3:-1", ""},
	} {
		got, err := Advertised(c.text, "7071")
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: got %q, %v; want %q", c.text, got, err, c.want)
		}
	}
}
