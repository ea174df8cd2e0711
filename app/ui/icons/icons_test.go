package icons

import (
	"bytes"
	"image/color"
	"os"
	"regexp"
	"testing"

	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/assets"
)

// TestConstants: every constant has a file, every file a constant, and all are
// of one set: 20 dp with a stroke of 1.75, or a mark of 16 × 10.
func TestConstants(t *testing.T) {
	src, err := os.ReadFile("icons.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`Name = "([a-z-]+)"`).FindAllSubmatch(src, -1) {
		named[string(m[1])+".svg"] = true
	}
	files, err := assets.Icons.ReadDir("icons")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !named[f.Name()] {
			t.Errorf("%s has no constant", f.Name())
		}
		delete(named, f.Name())
		svg, err := assets.Icons.ReadFile("icons/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		icon := bytes.Contains(svg, []byte(`viewBox="0 0 20 20"`)) && bytes.Contains(svg, []byte(`stroke-width="1.75"`))
		if mark := bytes.Contains(svg, []byte(`viewBox="0 0 16 10"`)); !icon && !mark {
			t.Errorf("%s is of another set", f.Name())
		}
	}
	for n := range named {
		t.Errorf("%s has no file", n)
	}
}

// TestColor: an icon is painted in its colour and follows a change of theme.
func TestColor(t *testing.T) {
	a := test.NewTempApp(t)
	for _, choice := range []string{theme.Light, theme.Dark} {
		th := theme.New(choice)
		a.Settings().SetTheme(th)
		img := canvas.NewImageFromResource(Colored(Block, ftheme.ColorNameError))
		c := software.NewCanvas()
		c.SetPadded(false)
		c.SetContent(img)
		c.Resize(img.MinSize().AddWidthHeight(40, 40))
		want := th.Color(ftheme.ColorNameError, 0)
		got := color.NRGBAModel.Convert(c.Capture().At(20, 20)) // the bar of the sign crosses the middle
		if got != want {
			t.Errorf("%s: %v, want %v", choice, got, want)
		}
	}
}

// TestSharpAtAnySize: a stroke is as thick as it should be when the picture is
// drawn four times as large.
func TestSharpAtAnySize(t *testing.T) {
	a := test.NewTempApp(t)
	a.Settings().SetTheme(theme.New(theme.Light))
	img := canvas.NewImageFromResource(New(Back)) // its shaft lies at y = 10
	c := software.NewCanvas()
	c.SetPadded(false)
	c.SetContent(img)
	c.Resize(img.MinSize().AddWidthHeight(80, 80))
	dark := 0
	for y := range 80 {
		if r, _, _, _ := c.Capture().At(50, y).RGBA(); r < 0x8000 {
			dark++
		}
	}
	if dark < 6 || dark > 8 { // 1.75 × 4 = 7
		t.Errorf("the stroke is %d pixels thick, want 7", dark)
	}
}

func TestForeignDrawing(t *testing.T) {
	for _, svg := range []string{"", "<svg", `<svg><g stroke-width="1"><path d="L1 2"/></g></svg>`, `<svg><g><path d="M1 2Q3 4 5 6"/></g></svg>`, `<svg><g><path d="M1 x"/></g></svg>`, `<svg><g><path d="M1"/></g></svg>`, `<svg><g><path d="Z"/></g></svg>`} {
		if _, err := outline([]byte(svg)); err == nil {
			t.Errorf("%q is taken", svg)
		}
	}
}
