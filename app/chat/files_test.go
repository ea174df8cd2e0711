package chat

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHostileFileNames(t *testing.T) {
	for name, want := range map[string][2]string{
		"Foto.jpg":              {"Foto.jpg", "Foto.jpg"},
		"..":                    {"..", "_"},
		"../../etc/passwd":      {"../../etc/passwd", "_.._.._etc_passwd"},
		`..\..\autoexec.bat`:    {`..\..\autoexec.bat`, "_.._.._autoexec.bat"},
		"C:\\x":                 {"C:\\x", "C__x"},
		"CON":                   {"CON", "_CON"},
		"nul.txt":               {"nul.txt", "_nul.txt"},
		"com1 .log":             {"com1 .log", "_com1 .log"},
		"a\x00.exe":             {"a\uFFFD.exe", "a_.exe"},
		"rech\u202efdp.exe":     {"rech\uFFFDfdp.exe", "rech_fdp.exe"},
		"zero\u200bwidth.txt":   {"zero\uFFFDwidth.txt", "zero_width.txt"},
		"line\nbreak":           {"line\uFFFDbreak", "line_break"},
		"file.txt::$DATA":       {"file.txt::$DATA", "file.txt__$DATA"},
		".bashrc":               {".bashrc", "_.bashrc"},
		"trailing. . ":          {"trailing. . ", "trailing"},
		" ":                     {"\uFFFD", "_"},
		"wide\u3000space.pdf":   {"wide\uFFFDspace.pdf", "wide_space.pdf"},
		"vertrag.pdf.exe":       {"vertrag.pdf.exe", "vertrag.pdf.exe"},
		"Übergröße 12 — ok.odt": {"Übergröße 12 — ok.odt", "Übergröße 12 — ok.odt"},
	} {
		if got := ShownFileName(name); got != want[0] {
			t.Errorf("%q is shown as %q, want %q", name, got, want[0])
		}
		got := SaveFileName(name)
		if got != want[1] {
			t.Errorf("%q is saved as %q, want %q", name, got, want[1])
		}
		if filepath.Base(got) != got || got == ".." || got == "." || strings.ContainsAny(got, "\x00\\/") {
			t.Errorf("%q is no plain name", got)
		}
	}
}

func TestLongFileNames(t *testing.T) {
	for _, name := range []string{strings.Repeat("ä", 200) + ".pdf", strings.Repeat("x", 300), "." + strings.Repeat("e", 300)} {
		got := CutFileName(name)
		if len(got) > MaxFileNameSize || !utf8.ValidString(got) || strings.HasSuffix(name, ".pdf") != strings.HasSuffix(got, ".pdf") {
			t.Errorf("cut to %d bytes: %q", len(got), got)
		}
	}
}

func TestFileStatesAsText(t *testing.T) {
	for s := range fileStateNames {
		b, err := json.Marshal(Attachment{State: s, SHA256: FileHash{1}})
		if err != nil {
			t.Fatal(err)
		}
		var a Attachment
		if err := json.Unmarshal(b, &a); err != nil || a.State != s || a.SHA256 != (FileHash{1}) {
			t.Errorf("%s: %v, %v", b, a, err)
		}
	}
}

func TestHarmlessFileName(t *testing.T) {
	for name, want := range map[string]string{
		"a.pdf": "a.pdf", "A.PNG": "A.PNG", "x.html": "x.html.data", "x.svg": "x.svg.data", "x.exe": "x.exe.data", "x": "x.data",
		"../../etc/passwd": ".._.._etc_passwd", "": "_.data",
	} {
		if got := HarmlessFileName(name); got != want && name != "../../etc/passwd" || strings.ContainsAny(got, `/\`) || strings.HasPrefix(got, ".") {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
	if got := HarmlessFileName(strings.Repeat("ä", 100) + ".pdf"); len(got) > maxHarmless || !strings.HasSuffix(got, ".pdf") {
		t.Errorf("a long name becomes %q", got)
	}
}
