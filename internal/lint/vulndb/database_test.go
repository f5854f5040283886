package main

import (
	"strings"
	"testing"
)

func TestDatabase(t *testing.T) {
	const both = `{"id": "GO-2", "modified": "2026-02-01T00:00:00Z", "affected": [{"package": {"name": "example.org/b"}},
		{"package": {"name": "example.org/b"}}, {"package": {"name": "example.org/a"}}]}`
	const one = `{"id": "GO-1", "modified": "2026-01-01T00:00:00Z", "affected": [{"package": {"name": "example.org/b"}}]}`
	files, err := database(map[string][]byte{"GO-2.json": []byte(both), "GO-1.json": []byte(one)})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ID/GO-1.json":  one,
		"ID/GO-2.json":  both,
		"index/db.json": `{"modified":"2026-02-01T00:00:00Z"}`,
		"index/modules.json": `[{"path":"example.org/a","vulns":[{"id":"GO-2","modified":"2026-02-01T00:00:00Z"}]},` +
			`{"path":"example.org/b","vulns":[{"id":"GO-1","modified":"2026-01-01T00:00:00Z"},` +
			`{"id":"GO-2","modified":"2026-02-01T00:00:00Z"}]}]`,
	} {
		if got := string(files[name]); got != want {
			t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
		}
	}
	if len(files) != 4 {
		t.Errorf("%d files, want 4", len(files))
	}
}

func TestDatabaseRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		reports map[string]string
		want    string
	}{
		"nothing":           {nil, "none"},
		"a broken report":   {map[string]string{"GO-1.json": `{"id":`}, "GO-1.json"},
		"another's content": {map[string]string{"GO-1.json": `{"id": "GO-2"}`}, `"GO-2"`},
	} {
		reports := map[string][]byte{}
		for name, s := range c.reports {
			reports[name] = []byte(s)
		}
		if _, err := database(reports); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %s", what, err, c.want)
		}
	}
}
