package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// report is the part of an OSV report that the index is made of.
type report struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
	} `json:"affected"`
}

// entry is a report in the index of a module. A field "fixed" would spare readers reports of older versions; without
// it they read all of a module's, and decide by the ranges in these.
type entry struct {
	ID       string    `json:"id"`
	Modified time.Time `json:"modified"`
}

type moduleEntry struct {
	Path  string  `json:"path"`
	Vulns []entry `json:"vulns"`
}

// database makes the files of a database of version 1 (go.dev/doc/security/vuln/database) of reports by file name: the
// reports, and what govulncheck asks of an index.
func database(reports map[string][]byte) (map[string][]byte, error) {
	if len(reports) == 0 {
		return nil, errors.New("there are none")
	}
	files, modules := map[string][]byte{}, map[string][]entry{}
	newest := time.Time{}
	for _, name := range slices.Sorted(maps.Keys(reports)) {
		var r report
		if err := json.Unmarshal(reports[name], &r); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if r.ID != strings.TrimSuffix(name, ".json") {
			return nil, fmt.Errorf("%s: it is the report of %q", name, r.ID)
		}
		files["ID/"+name] = reports[name]
		if r.Modified.After(newest) {
			newest = r.Modified
		}
		e := entry{r.ID, r.Modified}
		for _, a := range r.Affected {
			if path := a.Package.Name; !slices.Contains(modules[path], e) {
				modules[path] = append(modules[path], e)
			}
		}
	}
	var list []moduleEntry
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		list = append(list, moduleEntry{path, modules[path]})
	}
	for name, v := range map[string]any{
		"index/db.json":      map[string]time.Time{"modified": newest},
		"index/modules.json": list,
	} {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		files[name] = b
	}
	return files, nil
}
