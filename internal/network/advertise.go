package network

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Advertised is the address that others are told: text is HOST or HOST:PORT, an IPv6 host in brackets where a port
// follows, and port is that of the listener, which counts where text has none.
func Advertised(text, port string) (string, error) {
	host := text
	switch ip := net.ParseIP(strings.Trim(text, "[]")); {
	case ip != nil:
		host = ip.String()
	case strings.Contains(text, ":"):
		var err error
		if host, port, err = net.SplitHostPort(text); err != nil {
			return "", err
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q is no port", port)
	}
	ip := net.ParseIP(host)
	if host == "" || ip != nil && ip.IsUnspecified() {
		return "", errors.New("it stands for every address of a host, and leads to none")
	}
	return net.JoinHostPort(host, port), nil
}
