package translations

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/kuvert-im/kuvert/assets/translations/words"
)

func read(name string) ([]byte, error) {
	data, err := files.ReadFile(name)
	if err != nil {
		return words.Files.ReadFile(name)
	}
	return data, nil
}

// load returns a file's keys, each with all its texts (the plural forms) joined.
func load(t *testing.T, name string) map[string]string {
	t.Helper()
	data, err := read(name)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	out := map[string]string{}
	for k, v := range raw {
		switch v := v.(type) {
		case string:
			out[k] = v
		case map[string]any:
			for _, form := range slices.Sorted(maps.Keys(v)) {
				text, ok := v[form].(string)
				if !ok {
					t.Errorf("%s: %s.%s is no text", name, k, form)
				}
				out[k+"#"+form] = text
			}
		default:
			t.Errorf("%s: %s is neither text nor plural forms", name, k)
		}
	}
	return out
}

var placeholder = regexp.MustCompile(`{{[^}]*}}`)

// TestLanguagesAgree: every key is in both languages, with text, with the same
// plural forms and the same placeholders, and in one file only.
func TestLanguagesAgree(t *testing.T) {
	var entries []fs.DirEntry
	for _, source := range sources {
		found, err := source.ReadDir(".")
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, found...)
	}
	owner := map[string]string{}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".de.json")
		if !ok {
			if _, err := read(strings.Replace(e.Name(), ".en.json", ".de.json", 1)); err != nil {
				t.Errorf("%s has no German counterpart", e.Name())
			}
			continue
		}
		de, en := load(t, e.Name()), load(t, name+".en.json")
		for k := range en {
			if _, ok := de[k]; !ok {
				t.Errorf("%s: %s is missing in German", name, k)
			}
		}
		for k, text := range de {
			if other := owner[k]; other != "" {
				t.Errorf("%s is in %s and in %s", k, other, name)
			}
			owner[k] = name
			compare(t, name+": "+k, text, en[k])
		}
	}
}

func compare(t *testing.T, what, de, en string) {
	t.Helper()
	if strings.TrimSpace(de) == "" || strings.TrimSpace(en) == "" {
		t.Errorf("%s: a language is missing", what)
	}
	d, e := placeholder.FindAllString(de, -1), placeholder.FindAllString(en, -1)
	slices.Sort(d)
	slices.Sort(e)
	if !slices.Equal(slices.Compact(d), slices.Compact(e)) {
		t.Errorf("%s: placeholders differ: %v, %v", what, d, e)
	}
	if strings.Contains(de, "...") || strings.Contains(en, "...") {
		t.Errorf("%s: an ellipsis is one character", what)
	}
	if strings.ContainsAny(de+en, "←↑→↓") {
		t.Errorf("%s: the window's font has no arrows", what)
	}
}

func TestChoose(t *testing.T) {
	for _, c := range []struct {
		setting string
		locale  fyne.Locale
		want    string
	}{
		{"", "de", German},
		{"", "de-CH", German},
		{"", "gsw-CH", German},
		{"", "tr-DE", German},
		{"", "en-DE", English},
		{"", "en-US", English},
		{"", "fr-FR", English},
		{"", "fr-CH", English},
		{"", "zh-CN-Hans", English},
		{"", "sr-RS-Latn", English},
		{"", "", English},
		{"en", "de-DE", English},
		{"de", "en-US", German},
		{"xx", "de-DE", German},
	} {
		if got := Choose(c.setting, c.locale); got != c.want {
			t.Errorf("Choose(%q, %q) = %s, want %s", c.setting, c.locale, got, c.want)
		}
	}
}

// TestRegister: the chosen language is spoken whatever the system's is, by the
// toolkit's own words as well, and may be changed back.
func TestRegister(t *testing.T) {
	for _, system := range []string{"de_DE.UTF-8", "en_US.UTF-8", "fr_FR.UTF-8", "C", ""} {
		t.Run(system, func(t *testing.T) {
			t.Setenv("LANGUAGE", "")
			t.Setenv("LC_ALL", system)
			t.Setenv("LANG", system)
			for _, c := range []struct{ language, cancel string }{{German, "Abbrechen"}, {English, "Cancel"}, {German, "Abbrechen"}} {
				if err := Register(c.language); err != nil {
					t.Fatal(err)
				}
				if got := lang.L("Cancel"); got != c.cancel {
					t.Errorf("%s: %q, want %q", c.language, got, c.cancel)
				}
				port := map[string]string{"port": "47100"}
				if got, want := lang.L("doctor.port.ok", port), words.Text(c.language, "doctor.port.ok", port); got != want {
					t.Errorf("%s: a screen says %q, the command line %q", c.language, got, want)
				}
			}
		})
	}
	if err := Register("fr"); err == nil {
		t.Error("an unknown language is taken")
	}
}

// TestKeysInUse: every key that the screens ask for is there, and none is left
// over.
func TestKeysInUse(t *testing.T) {
	for _, name := range []string{"screens", "protect", "rights"} {
		keysInUse(t, name)
	}
}

func keysInUse(t *testing.T, name string) {
	there := load(t, name+".de.json")
	used, written := map[string]bool{}, map[string]bool{}
	quoted := regexp.MustCompile(`"(` + name + `\.[a-z.]*[a-z])"`)
	err := filepath.WalkDir("../../app/ui", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range quoted.FindAllSubmatch(src, -1) {
			used[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for k := range there {
		key, _, _ := strings.Cut(k, "#")
		if !used[key] {
			t.Errorf("no screen says %s", key)
		}
		written[key] = true
	}
	for k := range used {
		if !written[k] {
			t.Errorf("%s is said, but not written", k)
		}
	}
}
