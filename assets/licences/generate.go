//go:build ignore

// Generate writes licences.txt: for each module that is linked into the programs,
// on Linux, Windows or macOS, the licence files of its root folder.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// programs are what people get.
var programs = []string{"./cmd/...", "./app/ui/..."}

type module struct{ Path, Version, Dir string }

func main() {
	log.SetFlags(0)
	root, err := filepath.Abs("../..")
	if err != nil {
		log.Fatal(err)
	}
	mods := map[string]module{"Go": {Path: "Go", Dir: runtime.GOROOT()}}
	for _, system := range []string{"linux", "windows", "darwin"} {
		if err := list(root, system, mods); err != nil {
			log.Fatalf("%s: %v", system, err)
		}
	}
	text, err := render(mods)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("licences.txt", text, 0o644); err != nil {
		log.Fatal(err)
	}
}

// list adds the modules that the programs take in on a system.
func list(root, system string, mods map[string]module) error {
	cmd := exec.Command("go", append([]string{"list", "-e", "-deps", "-tags", "migrated_fynedo", "-json=Module"}, programs...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=1")
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct{ Module *module }
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if m := p.Module; m != nil && m.Version != "" {
			mods[m.Path] = *m
		}
	}
}

// render puts the same text down once, under all that have it.
func render(mods map[string]module) ([]byte, error) {
	owners, texts := map[[32]byte][]string{}, map[[32]byte]string{}
	for _, path := range slices.Sorted(maps.Keys(mods)) {
		found, err := files(mods[path].Dir)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s has no licence file", path)
		}
		for _, text := range found {
			sum := sha256.Sum256([]byte(strings.Join(strings.Fields(text), " ")))
			texts[sum] = text
			owners[sum] = append(owners[sum], strings.TrimSpace(path))
		}
	}
	var all []string
	for sum, names := range owners {
		all = append(all, strings.Join(slices.Compact(names), "\n")+"\n\n"+texts[sum]+"\n")
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return []byte(strings.Join(all, "\n"+strings.Repeat("―", 40)+"\n\n")), nil
}

// files are the licence texts of a module's root folder, and those of the fonts
// that Fyne brings.
func files(dir string) ([]string, error) {
	var out []string
	for _, sub := range []string{".", "theme/font"} {
		items, err := os.ReadDir(filepath.Join(dir, sub))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, it := range items {
			name := strings.ToUpper(it.Name())
			if it.IsDir() || !(strings.Contains(name, "LICEN") || strings.HasPrefix(name, "COPYING") || strings.HasPrefix(name, "NOTICE") || strings.HasPrefix(name, "UNLICENSE")) {
				continue
			}
			data, err := os.ReadFile(filepath.Join(dir, sub, it.Name()))
			if err != nil {
				return nil, err
			}
			out = append(out, clean(string(data)))
		}
	}
	return out, nil
}

// clean leaves what the screen can show.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\t", "    ")
	var lines []string
	for _, l := range strings.Split(s, "\n") {
		l = strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, strings.TrimRight(l, " "))
		lines = append(lines, l)
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
