package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Stamp is a time as the files have it: UTC, RFC 3339, with milliseconds. A nil one is not known.
type Stamp time.Time

// At is the stamp of t.
func At(t time.Time) *Stamp { s := Stamp(t); return &s }

const stampLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON implements json.Marshaler.
func (s Stamp) MarshalJSON() ([]byte, error) {
	return time.Time(s).UTC().AppendFormat(nil, `"`+stampLayout+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Stamp) UnmarshalJSON(text []byte) error { return (*time.Time)(s).UnmarshalJSON(text) }

// Time is the time of a stamp, zero where it is not known.
func (s *Stamp) Time() time.Time {
	if s == nil {
		return time.Time{}
	}
	return time.Time(*s)
}

func (s *Stamp) or(now time.Time) time.Time {
	if s == nil {
		return now
	}
	return time.Time(*s)
}

// Step is the line of a committed step.
type Step struct {
	// Step is how many steps are committed with this one; Epoch is how often the data were seen after it.
	Step int64 `json:"step"`
	// Time is when it was committed; nil for a step of a program that did not write it down.
	Time      *Stamp  `json:"time"`
	Epoch     float64 `json:"epoch"`
	Loss      float64 `json:"loss"`
	ProbeLoss float64 `json:"probe_loss"`
	ProbeTop1 float64 `json:"probe_top1"`
	// Std is the embedding's standard deviation times sqrt(dimensions).
	Std             float64 `json:"std"`
	LR              float64 `json:"lr"`
	Tau             float64 `json:"tau"`
	GradientNorm    float64 `json:"gradient_norm"`
	Seconds         float64 `json:"seconds"`
	ImagesPerSecond float64 `json:"images_per_second"`
	// Phases are seconds, mean over workers, in which a worker did nothing else. Latency is how long commit and broadcast
	// took in all, hidden behind the next step's other phases or not.
	Phases  map[string]float64 `json:"phases"`
	Latency map[string]float64 `json:"latency,omitempty"`
	Digest  string             `json:"digest"` // of the target after the step
}

// Agreed is the line of a committed step that another coordinator led: what the log that all of them have says of it.
type Agreed struct {
	Step    int64   `json:"step"`
	Time    *Stamp  `json:"time"`
	Epoch   float64 `json:"epoch"`
	Loss    float64 `json:"loss"`
	LR      float64 `json:"lr"`
	Tau     float64 `json:"tau"`
	Digest  string  `json:"digest"`
	FromLog bool    `json:"from_log"`
}

// Missing is the line in place of those of steps of which nothing is known here, the last of which is Step: others led
// while this coordinator was away for long, or they were skipped, or another directory has them.
type Missing struct {
	Step    int64  `json:"step"`
	Time    *Stamp `json:"time"`
	Missing int64  `json:"missing"`
}

// measured is what every line of a step or an evaluation has.
type measured struct {
	Step    int64
	Seconds float64
}

func (m *measured) read(line []byte) bool {
	var v struct {
		Step    *int64  `json:"step"`
		Seconds float64 `json:"seconds"`
	}
	if json.Unmarshal(line, &v) != nil || v.Step == nil {
		return false
	}
	m.Step, m.Seconds = *v.Step, v.Seconds
	return true
}

// modern makes a line of metrics of one that a program wrote that had no times: it counted steps from 0.
func modern(line []byte) []byte {
	var v struct {
		Step *int64          `json:"step"`
		Time json.RawMessage `json:"time"`
	}
	if json.Unmarshal(line, &v) != nil || v.Step == nil || v.Time != nil {
		return line
	}
	old := strconv.AppendInt([]byte(`{"step":`), *v.Step, 10)
	rest, ok := bytes.CutPrefix(line, old)
	if !ok {
		return line
	}
	return append(fmt.Appendf(nil, `{"step":%d,"time":null`, *v.Step+1), rest...)
}

// Evaluation is the line of an evaluation of the state after Step steps: {"step", "time", "queries", a number per
// measure, "error"}. queries is how many the first measure is of.
type Evaluation struct {
	Step     int64
	Time     *Stamp
	Measures []Measure
	Error    string
}

// Measure is one of its figures.
type Measure struct {
	Name  string
	Ratio float64 // 0 to 1
	Of    int64
}

// MarshalJSON keeps the measures in their order.
func (e Evaluation) MarshalJSON() ([]byte, error) {
	line := fmt.Appendf(nil, `{"step":%d`, e.Step)
	if e.Time != nil {
		stamp, err := e.Time.MarshalJSON()
		if err != nil {
			return nil, err
		}
		line = fmt.Appendf(line, `,"time":%s`, stamp)
	}
	if len(e.Measures) > 0 {
		line = fmt.Appendf(line, `,"queries":%d`, e.Measures[0].Of)
	}
	for _, m := range e.Measures {
		name, err := json.Marshal(m.Name)
		if err != nil {
			return nil, err
		}
		ratio, err := json.Marshal(m.Ratio)
		if err != nil {
			return nil, err
		}
		line = fmt.Appendf(line, ",%s:%s", name, ratio)
	}
	if e.Error != "" {
		text, err := json.Marshal(e.Error)
		if err != nil {
			return nil, err
		}
		line = fmt.Appendf(line, `,"error":%s`, text)
	}
	return append(line, '}'), nil
}

// UnmarshalJSON takes numbers of other names for measures, in the order of their names' first appearance.
func (e *Evaluation) UnmarshalJSON(text []byte) error {
	var known struct {
		Step    int64
		Time    *Stamp
		Queries int64
		Error   string
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return err
	}
	*e = Evaluation{Step: known.Step, Time: known.Time, Error: known.Error}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value any
		if err := d.Decode(&value); err != nil {
			return err
		}
		ratio, isNumber := value.(float64)
		switch name {
		case "step", "time", "queries", "error":
			continue
		}
		if isNumber {
			e.Measures = append(e.Measures, Measure{Name: name.(string), Ratio: ratio, Of: known.Queries})
		}
	}
	return nil
}

// Event is something that happened.
type Event struct {
	ID     int64     `json:"id"`
	Time   time.Time `json:"time"`
	Type   string    `json:"type"`
	Worker string    `json:"worker,omitempty"`
	Text   string    `json:"text"`
}
