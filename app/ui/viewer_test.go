package ui

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// TestViewer: a press on a thumbnail shows the picture itself, once it was asked for;
// Escape closes it. One that is not here is not opened.
func TestViewer(t *testing.T) {
	x := open(t, setup{}).talk(elli)
	here, offered := file("Foto.jpg", chat.FileHere), file("Fern.jpg", chat.FileOffered)
	here.File.Thumbnail, offered.File.Thumbnail = true, true
	id := x.sends(elli, "", here, offered)
	x.c.Change(func(k *uitest.Client) { k.Views[uitest.FileKey{Message: id}] = photo(t, 1200, 900) })
	press := func(place int) {
		x.u.conv.history.OnPicture(widgets.Item{Key: widgets.Key{Kind: widgets.ItemBubble, ID: id}}, place)
		x.pump.run()
	}
	if x.c.Asked("FileView") > 0 {
		t.Fatal("the picture is decoded before anybody wants to see it")
	}
	press(1)
	if x.c.Asked("FileView") > 0 || x.w.Canvas().Overlays().Top() != nil {
		t.Error("opened a picture that is not here")
	}
	press(0)
	wide := 0
	uitest.All(x.w, func(o fyne.CanvasObject, _ fyne.Position) {
		if i, ok := o.(*canvas.Image); ok && i.Image != nil && i.Resource == nil {
			wide = max(wide, i.Image.Bounds().Dx())
		}
	})
	if wide != 1200 {
		t.Errorf("shows %d pixels", wide)
	}
	x.press(fyne.KeyEscape)
	if x.w.Canvas().Overlays().Top() != nil {
		t.Error("Escape does not close it")
	}
	x.c.Change(func(k *uitest.Client) { k.Fail["FileView"] = chat.ErrFileTooLarge })
	press(0)
	if !x.saysPart("ist zu groß, um es hier") {
		t.Errorf("says %q", uitest.Texts(x.w))
	}
}
