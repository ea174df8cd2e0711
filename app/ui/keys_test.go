package ui

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestKeysInUse: every key that the main window asks for is in its files, and none
// is left over.
func TestKeysInUse(t *testing.T) {
	var there map[string]any
	for _, name := range []string{"main", "words/notice"} {
		data, err := os.ReadFile("../../assets/translations/" + name + ".de.json")
		if err == nil {
			err = json.Unmarshal(data, &there)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	used := map[string]bool{}
	key := regexp.MustCompile(`"((main|search|conversation|delivery|notify|tray|error|file)\.[a-z0-9._]*[a-z0-9])"`)
	var files []string
	for _, dir := range []string{".", "widgets", "notify", "../../cmd/kuvert"} {
		found, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllSubmatch(src, -1) {
			used[string(m[1])] = true
		}
	}
	for _, k := range timerSentences {
		used[k] = true
	}
	for k := range there {
		if !used[k] {
			t.Errorf("nothing says %s", k)
		}
		delete(used, k)
	}
	var missing []string
	for k := range used {
		missing = append(missing, k)
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("said, but not written: %q", missing)
	}
}
