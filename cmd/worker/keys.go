package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/pflag"

	sysnet "byol/internal/network"
	"byol/internal/network/secure"
)

// keys say how a worker's connections are protected.
type keys struct {
	choice     secure.Choice
	descriptor int // inherited, from whoever started this process; 0: none
}

func (k *keys) register(f *pflag.FlagSet) {
	f.StringVar(&k.choice.Dir, "tls-dir", os.Getenv("BYOL_TLS_DIR"),
		"DIR with ca.pem, cert.pem and key.pem of this worker; reread when they change (BYOL_TLS_DIR)")
	f.StringVar(&k.choice.TokenFile, "token-file", os.Getenv("BYOL_TOKEN_FILE"),
		"FILE with the secret word that all parties of the run have, instead of certificates (BYOL_TOKEN_FILE)")
	f.BoolVar(&k.choice.Insecure, "insecure", os.Getenv("BYOL_INSECURE") == "true",
		"let other machines reach this worker without TLS (BYOL_INSECURE)")
	f.IntVar(&k.descriptor, "tls-fd", 0, "descriptor with the keys, from the coordinator that starts this worker")
	_ = f.MarkHidden("tls-fd") // it fails for flags that are not there
}

// source is what this worker shows to others; nil where it shows nothing.
func (k *keys) source(id string) (secure.Source, error) {
	who := secure.Identity{Run: secure.DefaultRun, Role: secure.Worker, Name: secure.AnyName}
	if id != "" {
		who.Name = id
	}
	if k.descriptor > 0 {
		return inherited(k.descriptor)
	}
	return k.choice.Open(who)
}

// networks are what coordinators and other workers are reached by.
func (k *keys) networks(source secure.Source) (coordinators, peers sysnet.Network) {
	switch {
	case k.choice.Insecure:
		return sysnet.System{}, sysnet.System{}
	case source == nil:
		return sysnet.System{}, secure.Loopback{}
	}
	workers := []secure.Role{secure.Worker}
	return &secure.Network{Inner: sysnet.System{}, Source: source, Expect: []secure.Role{secure.Coordinator}},
		&secure.Network{Inner: sysnet.System{}, Source: source, Accept: workers, Expect: workers}
}

// proven reports whether other workers prove who they are.
func proven(peers sysnet.Network) bool {
	_, ok := peers.(*secure.Network)
	return ok
}

// inherited are the keys that a descriptor has.
func inherited(descriptor int) (secure.Source, error) {
	f := os.NewFile(uintptr(descriptor), "keys")
	if f == nil {
		return nil, usage(fmt.Sprintf("--tls-fd %d is no descriptor", descriptor), "", "leave it to the coordinator")
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	_ = f.Close() // it was read
	var b secure.Bundle
	if err == nil {
		b, err = secure.ParseBundle(text)
	}
	if err != nil {
		return nil, usage("the keys that this worker inherited cannot be read", err.Error(),
			"leave --tls-fd to the coordinator")
	}
	return secure.Parse(b)
}
