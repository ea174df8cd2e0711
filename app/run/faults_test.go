package run

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// namedTest is a test as docs/faults.md names it: a folder and a function.
var namedTest = regexp.MustCompile("`([a-z0-9/]+)\\.(Test[A-Za-z0-9]+)`")

// TestFaultsAreTested looks for each test that docs/faults.md names, and for a test
// in each row.
func TestFaultsAreTested(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "faults.md"))
	must(t, err)
	sources := map[string]string{} // by folder
	rows := 0
	for line := range strings.Lines(string(doc)) {
		all := namedTest.FindAllStringSubmatch(line, -1)
		if row(line) {
			rows++
			if len(all) == 0 {
				t.Errorf("no test shows %s", line)
			}
		}
		for _, m := range all {
			folder, name := m[1], m[2]
			if _, known := sources[folder]; !known {
				sources[folder] = testsIn(t, folder)
			}
			if !strings.Contains(sources[folder], "\nfunc "+name+"(") {
				t.Errorf("there is no test %s in %s", name, folder)
			}
		}
	}
	if rows < 90 {
		t.Errorf("only %d rows were found", rows)
	}
}

// row tells whether a line is a row of a table about faults: not a head, not a rule
// of the first table.
func row(line string) bool {
	return strings.HasPrefix(line, "| ") && !strings.Contains(line, "shown by |") && !strings.HasPrefix(line, "| I") && !strings.HasPrefix(line, "| | rule")
}

func testsIn(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(folder), "*_test.go"))
	must(t, err)
	var out strings.Builder
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		out.Write(b)
	}
	return out.String()
}
