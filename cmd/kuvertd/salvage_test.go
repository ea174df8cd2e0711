package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/run"
)

// TestSalvageFiles takes files out of a profile whose folder of files was damaged in
// every way.
func TestSalvageFiles(t *testing.T) {
	dir, env := testEnv(t)
	a, _ := pairUp(t, dir, env)
	content := map[string]string{
		"Bericht.txt": "ein Bericht", "BERICHT.TXT": "ein anderer", "Start.exe": "run me", "torn.pdf": "%PDF torn", "gone.txt": "gone",
		"manifest.txt": "its manifest is lost", "leer.txt": "",
	}
	for i, name := range []string{"Bericht.txt", "BERICHT.TXT", "Start.exe", "torn.pdf", "gone.txt", "manifest.txt", "leer.txt"} {
		path := filepath.Join(dir, "send", string(rune('a'+i)), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		before := sealedFiles(t, a)
		runKuvertd(t, env, a.profile, nil, "send", "bob", "mit "+name, "--file", path)
		for _, sealed := range sealedFiles(t, a) {
			if !slices.Contains(before, sealed) {
				breakSealed(t, name, sealed)
			}
		}
	}
	want := map[string]run.Loss{"torn.pdf": run.LossDamaged, "gone.txt": run.LossGone}
	saved := map[string]string{ // by their new names
		"Bericht.txt": "ein Bericht", "BERICHT (2).TXT": "ein anderer", "Start.exe.data": "run me",
		"manifest.txt": content["manifest.txt"], "leer.txt": "",
	}
	out := filepath.Join(dir, "out")
	salvageInto(t, a, out, saved, want)
	page, err := os.ReadFile(filepath.Join(out, "messages.html"))
	if err != nil || !bytes.Contains(page, []byte(`<a href="files/BERICHT%20%282%29.TXT">BERICHT.TXT</a>`)) || !bytes.Contains(page, []byte("<del>torn.pdf</del>")) {
		t.Errorf("messages.html: %v\n%s", err, page)
	}
}

func sealedFiles(t *testing.T, s *side) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(s.profile, "files", "*.age"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// breakSealed does to a sealed file what its name says.
func breakSealed(t *testing.T, name, sealed string) {
	t.Helper()
	var err error
	switch name {
	case "torn.pdf":
		var b []byte
		if b, err = os.ReadFile(sealed); err == nil {
			b[len(b)-20] ^= 1
			err = os.WriteFile(sealed, b, 0o600)
		}
	case "gone.txt":
		err = os.Remove(sealed)
	case "manifest.txt":
		err = os.Remove(strings.TrimSuffix(sealed, ".age") + ".hashes")
	}
	if err != nil {
		t.Fatal(err)
	}
}

// salvageInto salvages and compares what became of the files.
func salvageInto(t *testing.T, s *side, out string, saved map[string]string, missing map[string]run.Loss) {
	t.Helper()
	var r salvageLine
	runKuvertd(t, s.env, s.profile, &r, "salvage", out)
	if r.Files != len(saved) || len(r.Missing) != len(missing) {
		t.Errorf("salvage says %+v", r)
	}
	for _, f := range r.Missing {
		if missing[f.Name] != f.Why || f.File != "" {
			t.Errorf("%+v", f)
		}
	}
	entries, err := os.ReadDir(filepath.Join(out, salvagedFiles))
	if err != nil || len(entries) != len(saved) {
		t.Fatalf("%d files: %v", len(entries), err)
	}
	for name, content := range saved {
		if b, err := os.ReadFile(filepath.Join(out, salvagedFiles, name)); err != nil || string(b) != content {
			t.Errorf("%s is %q: %v", name, b, err)
		}
	}
	lines, err := os.ReadFile(filepath.Join(out, "messages.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for line := range bytes.Lines(lines) {
		var l salvagedLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		for _, f := range l.Saved {
			files = append(files, cmp.Or(f.File, f.Name))
		}
	}
	if len(files) != len(saved)+len(missing) {
		t.Errorf("messages.jsonl names %q", files)
	}
}
