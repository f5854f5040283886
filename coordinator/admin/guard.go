package admin

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"

	"byol/internal/network/secure"
	"byol/internal/network/web"
)

// tokenHeader is where a request has the word that only a page of this process, or its operator, knows. A page of
// another origin cannot set it.
const tokenHeader = "X-Byol-Token"

// Guard says who may look, and who may steer.
type Guard struct {
	// Token is the word that a request which changes something must have: pages of this process that may steer have it,
	// and where Private is, whoever opens the address with it.
	Token string
	// Private says that having reached the port makes nobody an operator: the token must come from elsewhere, or a
	// certificate say it.
	Private bool
	// Owner is who has the token of a private port.
	Owner secure.Identity
	// Hosts are names of this machine, besides addresses and names that no stranger's server can have.
	Hosts []string
}

// Caller is who makes a request, as far as it is known.
type Caller struct {
	Who   secure.Identity
	Known bool
	From  net.Addr
}

// refusal is why a request is refused, as HTTP has it; a zero one lets it in.
type refusal struct {
	code int
	text string
}

// caller is who makes a request.
func (g *Guard) caller(r *http.Request) Caller {
	from, _ := netip.ParseAddrPort(r.RemoteAddr)
	c := Caller{From: net.TCPAddrFromAddrPort(from)}
	c.Who, c.Known = secure.Visitor(r.TLS)
	return c
}

// look lets in who may see the run: on TLS who has shown a certificate, else whoever has reached the port, under one of
// its own names. A page somewhere that has a name of its own point here sees nothing.
func (g *Guard) look(r *http.Request) refusal {
	if r.TLS != nil {
		if _, known := secure.Visitor(r.TLS); !known {
			return refusal{http.StatusUnauthorized, "a certificate of an observer or operator is needed: " +
				"coordinator certs issue --role observer --name NAME -o DIR"}
		}
		return refusal{}
	}
	if !web.OwnHost(r.Host, g.Hosts...) {
		return refusal{http.StatusMisdirectedRequest, "no coordinator of that name is here: " +
			"use its address, or localhost"}
	}
	return refusal{}
}

// mayAct reports whether the page that answers r may have the token.
func (g *Guard) mayAct(r *http.Request) bool {
	who, known := secure.Visitor(r.TLS)
	return known && who.Role == secure.Operator || r.TLS == nil && !g.Private
}

// steer lets in who may change the run: an operator, from a page of this origin that has the token, or a program that
// has it.
func (g *Guard) steer(r *http.Request) (Caller, refusal) {
	c := g.caller(r)
	if no := g.look(r); no.code != 0 {
		return c, no
	}
	if c.Known && c.Who.Role != secure.Operator {
		return c, refusal{http.StatusForbidden, c.Who.Short() + " may look, and only operators may steer"}
	}
	if origin := r.Header.Get("Origin"); origin != "" && origin != "http://"+r.Host && origin != "https://"+r.Host {
		return c, refusal{http.StatusForbidden, "the request comes from a page of " + origin}
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return c, refusal{http.StatusForbidden, "the request comes from a page of another site"}
	}
	if subtle.ConstantTimeCompare([]byte(r.Header.Get(tokenHeader)), []byte(g.Token)) != 1 {
		return c, refusal{http.StatusForbidden, "this page may look, but not steer: open the address that the coordinator " +
			"printed when it began, or use coordinator pause, resume, checkpoint, stop"}
	}
	if !c.Known && g.Private {
		c.Who, c.Known = g.Owner, true
	}
	return c, refusal{}
}
