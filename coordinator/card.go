package coordinator

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"byol/internal/atomicfile"
)

// CardFile is the file of a run directory in which its coordinator leaves its Card while it lives.
const CardFile = "coordinator.json"

// Card tells commands on this machine where the coordinator of a run directory is.
type Card struct {
	Address string    `json:"address"`
	PID     int       `json:"pid"`
	RunID   string    `json:"run_id"`
	Started time.Time `json:"started"`
}

// ReadCard returns the card in a run directory: an error that wraps os.ErrNotExist where no coordinator lives, another
// where there is a file that is no card.
func ReadCard(dir string) (Card, error) {
	text, err := os.ReadFile(filepath.Join(dir, CardFile))
	if err != nil {
		return Card{}, fmt.Errorf("read card: %w", err)
	}
	var card Card
	if err := json.Unmarshal(text, &card); err != nil {
		return Card{}, fmt.Errorf("read card: %w", err)
	}
	if card.Address == "" {
		return Card{}, errors.New("read card: it names no address")
	}
	return card, nil
}

// leave writes the card into a run directory; remove takes it away again.
func (c Card) leave(dir string) (remove func(), err error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("leave card: %w", err)
	}
	path := filepath.Join(dir, CardFile)
	if err := atomicfile.Write(path, append(text, '\n')); err != nil {
		return nil, fmt.Errorf("leave card: %w", err)
	}
	return func() { _ = os.Remove(path) }, nil // a card that stays names an address that does not answer
}
