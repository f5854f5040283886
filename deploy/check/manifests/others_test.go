package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const composeFile = deploy + "/examples/compose.yaml"

// compose reads a text as Docker Compose does: by its schema, with variables filled in.
func compose(ctx context.Context, text []byte) (*types.Project, error) {
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  filepath.Dir(composeFile),
		ConfigFiles: []types.ConfigFile{{Filename: composeFile, Content: text}},
		Environment: types.Mapping{"TOKEN": "a word", "WORKERS": "3"},
	})
}

// TestCompose: Compose takes the example, the programs are shut in as in pods, and each has the token.
func TestCompose(t *testing.T) {
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	project, err := compose(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	programs := 0
	for name, s := range project.Services {
		if !strings.HasPrefix(s.Image, "byol-") {
			continue
		}
		programs++
		if !s.ReadOnly || s.User != "65532:65532" || fmt.Sprint(s.CapDrop) != "[ALL]" || s.Restart != "on-failure" ||
			fmt.Sprint(s.SecurityOpt) != "[no-new-privileges:true]" {
			t.Errorf("%s is not shut in", name)
		}
		file := s.Environment["BYOL_TOKEN_FILE"]
		if len(s.Secrets) != 1 || file == nil || *file != "/run/secrets/"+s.Secrets[0].Source {
			t.Errorf("%s has no token", name)
		}
	}
	if programs != 3 {
		t.Errorf("%d services of ours, want a coordinator, the worker with its volume, and a worker", programs)
	}
	if command := fmt.Sprint(project.Services["coordinator"].Command); !strings.Contains(command, " --workers=3 ") {
		t.Errorf("the coordinator is started by %s", command)
	}
	for planted, old := range map[string]string{
		"image: byol-coordinator:dev\n    read_onl: true":  "image: byol-coordinator:dev",
		"image: byol-coordinator:dev\n    cpus: [many]":    "image: byol-coordinator:dev",
		"depends_on: [nobody]":                             "depends_on: [coordinator]",
		"secrets: [{source: word, mode: 0444}]":            "secrets: [{source: token, mode: 0444}]",
		"volumes: [walks:/runs, ../base/config.yaml:/etc/": "volumes: [runs:/runs, ../base/config.yaml:/etc/",
	} {
		bad := bytes.Replace(text, []byte(old), []byte(planted), 1)
		if _, err := compose(t.Context(), bad); err == nil || bytes.Equal(bad, text) {
			t.Errorf("%q is taken in place of %q", planted, old)
		}
	}
}

// lint is what Docker's own parser says of a file.
func lint(text []byte) []string {
	var wrong []string
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return []string{err.Error()}
	}
	for _, w := range parsed.Warnings {
		wrong = append(wrong, w.Short)
	}
	rules := linter.New(&linter.Config{Warn: func(rule, _, _, message string, at []parser.Range) {
		wrong = append(wrong, fmt.Sprintf("%v: %s: %s", at, rule, message))
	}})
	if _, _, err := instructions.Parse(parsed.AST, rules); err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// TestImages: Docker finds nothing to say of how images are made.
func TestImages(t *testing.T) {
	files, err := filepath.Glob(deploy + "/*.Dockerfile")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range lint(text) {
			t.Errorf("%s: %s", file, problem)
		}
	}
	for text, want := range map[string]string{
		"FROM scratch\nCOPPY a b\n": "COPPY", "FROM scratch AS B\n": "StageNameCasing", "FROM scratch as b\n": "FromAsCasing",
		"FROM scratch\nRUN a \\\n\n b\n": "Empty continuation line",
	} {
		if found := strings.Join(lint([]byte(text)), "\n"); !strings.Contains(found, want) {
			t.Errorf("of %q: %q, want %s", text, found, want)
		}
	}
}
