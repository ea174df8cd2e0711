package attach

import (
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestSheetFits: in both languages and down to the smallest window everything is in
// its place, and the keyboard reaches it.
func TestSheetFits(t *testing.T) {
	dir := t.TempDir()
	photo, err := os.Create(filepath.Join(dir, "Foto.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(photo, image.NewRGBA(image.Rect(0, 0, 400, 300)), nil); err != nil {
		t.Fatal(err)
	}
	if err := photo.Close(); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(dir, strings.Repeat("Sehr_langer_Name_", 8)+"ohne_Luecke.pdf")
	if err := os.WriteFile(long, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, language := range []string{"de", "en"} {
		for _, size := range [][2]float32{{1100, 720}, {680, 400}} {
			env := uitest.Env(t, uitest.New("Anna"), language, size[0], size[1])
			env.Window.SetContent(widget.NewLabel(""))
			s := Open(Config{
				Env: env, To: "Elektro Böhm GmbH", PhotoData: true, AsText: func(string) {},
				Send: func([]string, string) {}, Cancelled: func(string) {},
			}, []string{photo.Name(), long, dir})
			if len(s.files) != 2 || s.files[0].thumb == nil {
				t.Fatalf("%d files, the photo has a thumbnail: %v", len(s.files), len(s.files) > 0 && s.files[0].thumb != nil)
			}
			uitest.Overflow(t, env.Window)
			uitest.Reachable(t, env.Window)
			if b := uitest.Button(t, env.Window, s.send.Text); b.Position().Y+b.Size().Height > size[1] {
				t.Error("the button is out of sight")
			}
			if m := s.body.MinSize().Height; m+44 > size[1] {
				t.Errorf("%s %v: the sheet is %.0f high", language, size, m+44)
			}
			uitest.Snapshot(t, env.Window, "attach-"+language)
		}
	}
}

// What is taken out of a photo is said of those, too, that this machine cannot show.
func TestLookKnowsPhotos(t *testing.T) {
	for path, photo := range map[string]bool{
		"../../picture/testdata/secrets.heic": true,
		"../../picture/testdata/secrets.avif": true,
		"attach.go":                           false,
	} {
		if f, problem := look(path); problem != "" || f.photo != photo {
			t.Errorf("%s: photo %v, %q", path, f.photo, problem)
		}
	}
}
