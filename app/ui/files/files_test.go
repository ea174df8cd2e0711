package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

func write(t *testing.T, path string, age time.Duration) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := uitest.Now.Add(-age)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

// home makes a person's home folder with downloads in it.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	t.Setenv("XDG_CONFIG_HOME", "")
	if err := os.Mkdir(filepath.Join(dir, "Downloads"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSaveOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []string{"a.png", "a (2).png", "a (3).png"} {
		got, err := saveIn(dir, "a.png", []byte(want))
		if err != nil || filepath.Base(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if b, _ := os.ReadFile(got); string(b) != want {
			t.Errorf("%s holds %q", got, b)
		}
	}
	if _, err := saveIn(filepath.Join(dir, "no"), "a.png", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestSaveIntoDownloads(t *testing.T) {
	dir := home(t)
	got, err := Save("x.png", []byte("1"))
	if err != nil || got != filepath.Join(dir, "Downloads", "x.png") {
		t.Errorf("got %q, %v", got, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "Downloads")); err != nil {
		t.Fatal(err)
	}
	if got, err := Save("x.png", []byte("1")); err != nil || got != filepath.Join(dir, "x.png") {
		t.Errorf("without downloads: %q, %v", got, err)
	}
}

// names are what the picker lists.
func names(p *Picker) []string {
	var out []string
	for _, e := range p.entries {
		out = append(out, e.name)
	}
	return out
}

func open(t *testing.T) (*Picker, *[]string, parts.Env) {
	env := uitest.Env(t, uitest.New("Sabine"), "de", 680, 400)
	env.Window.SetContent(parts.Body(""))
	var chosen []string
	p := Pick(env, []string{".png", ".kuvert"}, func(path string) { chosen = append(chosen, path) })
	return p, &chosen, env
}

func TestNewestFirst(t *testing.T) {
	down := filepath.Join(home(t), "Downloads")
	write(t, filepath.Join(down, "old.png"), 48*time.Hour)
	write(t, filepath.Join(down, "new.PNG"), time.Hour)
	write(t, filepath.Join(down, "other.txt"), 0)
	write(t, filepath.Join(down, ".hidden.png"), 0)
	write(t, filepath.Join(down, "Ordner", "x.kuvert"), 0)
	p, chosen, env := open(t)
	if got := names(p); !slices.Equal(got, []string{"Ordner", "new.PNG", "old.png"}) {
		t.Errorf("lists %q", got)
	}
	if !p.open.Disabled() {
		t.Error("nothing is chosen and can be opened")
	}
	p.choose(0)
	if got := names(p); !slices.Equal(got, []string{"x.kuvert"}) {
		t.Errorf("the folder lists %q", got)
	}
	p.choose(0)
	uitest.Overflow(t, env.Window)
	uitest.Reachable(t, env.Window)
	uitest.Press(t, env.Window, "Öffnen")
	if !slices.Equal(*chosen, []string{filepath.Join(down, "Ordner", "x.kuvert")}) || p.modal.Visible() {
		t.Errorf("chose %q", *chosen)
	}
}

func TestNothingThere(t *testing.T) {
	dir := home(t)
	p, chosen, env := open(t)
	if p.say.Text() != parts.T("screens.files.empty") {
		t.Errorf("says %q", p.say.Text())
	}
	p.enter(filepath.Join(dir, "missing"))
	if p.say.Text() != parts.T("screens.files.denied") || p.path != filepath.Join(dir, "Downloads") {
		t.Errorf("says %q in %s", p.say.Text(), p.path)
	}
	env.Window.Canvas().Focused().TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	if p.modal.Visible() || len(*chosen) != 0 {
		t.Error("Escape does not close it")
	}
}
