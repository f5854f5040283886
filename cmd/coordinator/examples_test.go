package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shellWords takes a line of a document apart as a shell does, up to a comment, a pipe or the background; false where
// a quote is not closed. Variables that are set before the program, and what stands for more, are left out.
func shellWords(line string) ([]string, bool) {
	var words []string
	var word strings.Builder
	begun, quote := false, rune(0)
	end := func() {
		if begun {
			words = append(words, word.String())
		}
		begun = false
		word.Reset()
	}
	for i, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			begun, quote = true, r
		case r == ' ' || r == '\t':
			end()
		case r == '|' && strings.HasPrefix(line[i:], "| "), r == '&' || r == '>' || r == ';', r == '#' && !begun:
			end()
			return words, true
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	end()
	return words, quote == 0
}

// shown is a command of the coordinator in a document.
type shown struct {
	where string
	words []string
}

// examples are all commands of the coordinator in the blocks of code of a document.
func examples(t *testing.T, name, text string) []shown {
	t.Helper()
	var found []shown
	inside, joined := false, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "```") {
			inside = !inside
			continue
		}
		if joined += line; strings.HasSuffix(joined, "\\") {
			joined = strings.TrimSuffix(joined, "\\") + " "
			continue
		}
		whole, _, _ := strings.Cut(strings.TrimPrefix(joined, "$ "), "   ") // behind that is what it does
		joined = ""
		words, closed := shellWords(whole)
		for len(words) > 0 && strings.Contains(words[0], "=") {
			words = words[1:]
		}
		sign := func(s string) bool { return strings.Contains(whole, s) }
		if !inside || len(words) < 2 || words[0] != "coordinator" && words[0] != "bin/coordinator" ||
			!slices.ContainsFunc([]string{"--", "-o ", "data ", "certs ", "eval ", "runs", "recipe", "audit", "report",
				"status", "stop", "watch", "config"}, sign) {
			continue // a table or a picture of what things are called
		}
		if !closed {
			t.Errorf("%s: a quote is not closed: %s", name, whole)
		}
		words = slices.DeleteFunc(words[1:], func(w string) bool { return strings.Contains(w, "…") || w == "..." })
		for i, w := range words {
			words[i] = strings.Trim(w, "[]")
		}
		found = append(found, shown{name + ": " + whole, words})
	}
	return found
}

// documents are all pages for people, by their names.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/decisions/*.md", "deploy/*.md"} {
		names, err := filepath.Glob(filepath.Join("../..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			pages[strings.TrimPrefix(name, "../../")] = string(text)
		}
	}
	return pages
}

// TestDocumentedCommands takes every command in the documents as the program does: the subcommand is there, its flags
// are its own and have values that they take, and there are as many words as it wants. Those that need nothing run: the
// plan of a training, and what only prints.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	parsed, ran := 0, 0
	for name, text := range documents(t) {
		for _, e := range examples(t, name, text) {
			root := rootCommand()
			root.SetOut(io.Discard)
			root.InitDefaultVersionFlag()
			cmd, rest, err := root.Find(e.words)
			if err == nil {
				if err = cmd.ParseFlags(rest); err == nil {
					err = cmd.ValidateArgs(cmd.Flags().Args())
				}
			}
			if err != nil {
				t.Errorf("%s\n  %v", e.where, err)
				continue
			}
			parsed++
			if args := runnable(cmd == root, e.words); args != nil {
				runExample(t, e.where, args)
				ran++
			}
		}
	}
	if parsed < 30 || ran == 0 {
		t.Errorf("parsed %d commands and ran %d: the documents have more", parsed, ran)
	}
}

// runnable are the words with which an example can be run here, nil where it needs what is not here. Of a training that
// is its plan.
func runnable(train bool, words []string) []string {
	needs := func(w string) bool {
		name, _, _ := strings.Cut(w, "=")
		return slices.Contains([]string{"--data", "--device", "--eval-data", "--init", "--node-id", "--resume", "--tls-dir",
			"--token-file", "--precision"}, name)
	}
	switch {
	case train && !slices.ContainsFunc(words, needs):
		return append(slices.Clone(words), "--dry-run", "--launcher", "none", "--listen", "127.0.0.1:0")
	case len(words) > 1 && (words[0] == "recipe" || words[0] == "config"), words[0] == "version" || words[0] == "help":
		return words
	}
	return nil
}

func runExample(t *testing.T, where string, args []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := program(t, "coordinator", args...)
	bounded := exec.CommandContext(ctx, cmd.Path, args...)
	bounded.Dir = cmd.Dir
	bounded.Env = append(os.Environ(), "HOME="+cmd.Dir)
	if out, err := bounded.CombinedOutput(); err != nil {
		t.Errorf("%s\n  %v\n%s", where, err, bytes.TrimSpace(out))
	}
}

// TestShellWords: the words of a line, as a shell would give them.
func TestShellWords(t *testing.T) {
	for line, want := range map[string]string{
		`a  b 'c d'"e"f # g`: "a|b|c def", `a --x='{0..9}' | jq '.x'`: "a|--x={0..9}", "a PHOTO|DATA > f": "a|PHOTO|DATA",
		"": "", `a ""`: "a|", "a#b &": "a#b",
	} {
		if got, closed := shellWords(line); strings.Join(got, "|") != want || !closed {
			t.Errorf("%s: got %q, %v, want %s", line, got, closed, want)
		}
	}
	if _, closed := shellWords("a 'b"); closed {
		t.Error("an open quote is not seen")
	}
}
