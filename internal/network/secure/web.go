package secure

import (
	"crypto/tls"
	"crypto/x509"
	"net"
)

// Web is TLS for a server of HTTP, which browsers, kubelets and Prometheus reach: who shows a certificate is who it
// says, of one of the roles; who shows none is nobody, and the server says what nobody may have. New connections use
// what the source has then.
func Web(source Source, roles []Role) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		m, err := source.Current()
		if err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{m.cert},
			NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true,
			ClientAuth: tls.RequestClientCert, // verified here
			VerifyConnection: func(s tls.ConnectionState) error {
				if len(s.PeerCertificates) == 0 {
					return nil
				}
				_, err := m.verify(s, x509.ExtKeyUsageClientAuth, roles)
				return err
			}}, nil
	}}
}

// Visitor is who is at the other end of a connection that Web has let in; ok is false for somebody without a
// certificate.
func Visitor(s *tls.ConnectionState) (who Identity, ok bool) {
	if s == nil || len(s.PeerCertificates) == 0 {
		return Identity{}, false
	}
	who, err := identityOf(s.PeerCertificates[0])
	return who, err == nil
}

// IsLocal reports whether an address is of this machine alone.
func IsLocal(a net.Addr) bool { return a != nil && IsLoopback(a.String()) }
