package ui

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestOnlyThePumpCrossesThreads: everything else belongs to the UI thread and must
// not need to know.
func TestOnlyThePumpCrossesThreads(t *testing.T) {
	crossing := regexp.MustCompile(`fyne\.Do(AndWait)?\(`)
	pump := 0
	for _, root := range []string{".", "../../cmd/kuvert"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			src, err := os.ReadFile(path)
			switch {
			case err != nil || !crossing.Match(src):
			case path == "pump.go":
				pump++
			case !strings.HasSuffix(path, "_test.go"):
				t.Errorf("%s crosses threads by itself", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if pump != 1 {
		t.Error("the pump was not found: is this test still looking at the right files?")
	}
}
