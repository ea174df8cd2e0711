package licences

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestComplete: every module that the programs take in, on each system, stands in
// the text. If not: go generate ./assets/licences.
func TestComplete(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command to ask")
	}
	lines := map[string]bool{}
	for l := range strings.SplitSeq(Text, "\n") {
		lines[l] = true
	}
	for _, system := range []string{"linux", "windows", "darwin"} {
		cmd := exec.CommandContext(t.Context(), "go", "list", "-e", "-deps", "-tags", "migrated_fynedo",
			"-f", "{{with .Module}}{{if .Version}}{{.Path}}{{end}}{{end}}", "./cmd/...", "./app/ui/...")
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", system, err)
		}
		for path := range strings.FieldsSeq(string(out)) {
			if !lines[path] {
				t.Errorf("%s: the licence of %s is missing; run go generate ./assets/licences", system, path)
				lines[path] = true
			}
		}
	}
}

// TestCopyleft: Kuvert is Apache-2.0; nothing in it may ask for more. (The MPL
// names the GNU licences in its text, but is none.)
func TestCopyleft(t *testing.T) {
	for l := range strings.SplitSeq(Text, "\n") {
		switch strings.TrimSpace(l) {
		case "GNU GENERAL PUBLIC LICENSE", "GNU LESSER GENERAL PUBLIC LICENSE", "GNU AFFERO GENERAL PUBLIC LICENSE":
			t.Errorf("a part stands under the %s", strings.TrimSpace(l))
		}
	}
}
