package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"byol/internal/atomicfile"
)

// IncidentsDir holds a folder per incident: incident.json, events.jsonl with what happened before, and texts.
const IncidentsDir = "incidents"

// incidentsKept bounds the folders of a run: a step that breaks again and again must not fill the disk.
const incidentsKept = 200

// incidentEvents is how many events an incident comes with.
const incidentEvents = 50

// Incident is something to look into afterwards.
type Incident struct {
	Name  string            // of its folder
	About any               // incident.json
	Texts map[string]string // files beside it
}

// Incident makes a folder for i, with the last events. A name that was taken gets a number.
func (r *Report) Incident(i Incident) error {
	all := filepath.Join(r.dir, IncidentsDir)
	if err := os.MkdirAll(all, 0o755); err != nil {
		return fmt.Errorf("keep incident: %w", err)
	}
	old, err := os.ReadDir(all)
	if err != nil {
		return fmt.Errorf("keep incident: %w", err)
	}
	if len(old) >= incidentsKept {
		return nil
	}
	about, err := json.MarshalIndent(i.About, "", "  ")
	if err != nil {
		return fmt.Errorf("keep incident: %w", err)
	}
	dir := filepath.Join(all, fmt.Sprintf("%04d-%s", len(old)+1, filepath.Base(i.Name)))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("keep incident: %w", err)
	}
	var events strings.Builder
	for _, e := range r.Events(max(0, r.last()-incidentEvents), incidentEvents) {
		line, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("keep incident: %w", err)
		}
		events.Write(append(line, '\n'))
	}
	var errs []error
	for name, text := range i.Texts {
		errs = append(errs, atomicfile.Write(filepath.Join(dir, filepath.Base(name)), []byte(text)))
	}
	return errors.Join(append(errs, atomicfile.Write(filepath.Join(dir, "events.jsonl"), []byte(events.String())),
		atomicfile.Write(filepath.Join(dir, "incident.json"), append(about, '\n')))...)
}

// last is the id of the newest event.
func (r *Report) last() int64 {
	r.memory.Lock()
	defer r.memory.Unlock()
	return r.lastID
}
