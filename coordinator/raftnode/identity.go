package raftnode

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"byol/internal/atomicfile"
)

// identityFile keeps the identity beside the log. The two are made together and lost together.
const identityFile = "node.json"

// identity is who the owner of a log is. A log that was lost and begun anew has another key, and is refused by those
// who knew the old one: a voter that forgot its vote could let two leaders be elected.
type identity struct {
	ID  string `json:"id"`
	Key string `json:"key"`
	// Alone says that there is no other voter.
	Alone bool `json:"alone"`
}

// IdentityError says that a log belongs to a coordinator of another name.
type IdentityError struct{ Have, Want string }

// Error names both.
func (e *IdentityError) Error() string {
	return fmt.Sprintf("the log is that of coordinator %s, not of %s", e.Have, e.Want)
}

// readIdentity returns the identity in dir, nil where there is none.
func readIdentity(dir string) (*identity, error) {
	text, err := os.ReadFile(filepath.Join(dir, identityFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	var who identity
	if err := json.Unmarshal(text, &who); err != nil {
		return nil, fmt.Errorf("read identity: %w", err)
	}
	if who.ID == "" || who.Key == "" {
		return nil, errors.New("read identity: it names nobody")
	}
	return &who, nil
}

func newIdentity(id string, alone bool) identity {
	return identity{ID: id, Key: rand.Text(), Alone: alone}
}

func (i identity) write(dir string) error {
	text, err := json.Marshal(i)
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, identityFile), append(text, '\n')); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	return nil
}
