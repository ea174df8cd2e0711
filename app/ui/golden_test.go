package ui

import (
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestPictures compares the window with pictures that somebody looked at. After a
// wanted change, look at testdata/failed and move the picture to testdata.
func TestPictures(t *testing.T) {
	large, small := fyne.NewSize(1100, 720), fyne.NewSize(theme.MinWidth, theme.MinHeight)
	for _, c := range []struct {
		name string
		setup
		then func(x *world)
	}{
		{"light-de", setup{size: large}, func(x *world) { x.talk(sabine) }},
		{"dark-en", setup{size: large, theme: theme.Dark, language: "en"}, func(x *world) {
			x.u.SetActive(false)
			x.talk(thomas)
			x.c.Change(func(c *uitest.Client) { c.Net.Trouble = core.TroubleNoNetwork }, event.Event{Kind: event.NetworkChanged})
			x.pump.run()
		}},
		{"failed-small", setup{size: small}, func(x *world) { x.talk("Werkstatt Nord") }},
		{"details-dark", setup{size: fyne.NewSize(900, 560), theme: theme.Dark}, func(x *world) {
			x.talk(elli)
			x.u.conv.toggleDetails(x.u.conv.view.msgs[0].ID)
			x.pump.run()
		}},
		{"empty-en", setup{client: uitest.New("Anna"), size: fyne.NewSize(900, 560), language: "en"}, func(*world) {}},
		{"search-de", setup{size: large}, func(x *world) {
			x.talk(thomas)
			x.look("die er")
		}},
		{"find-dark", setup{size: fyne.NewSize(900, 560), theme: theme.Dark}, func(x *world) {
			x.talk(sabine)
			x.u.findHere()
			x.u.conv.find.bar.Field.SetText("vertrag")
			x.pump.pass(time.Second)
		}},
		{"search-nothing-small", setup{size: fyne.NewSize(theme.CollapseUnder, theme.MinHeight)}, func(x *world) { x.look("xyzzy") }},
		{"search-narrow-de", setup{size: small}, func(x *world) {
			x.talk(thomas)
			x.u.focusSearch()
			x.look("die er")
		}},
		{"search-narrow-dark-en", setup{size: small, theme: theme.Dark, language: "en"}, func(x *world) { x.u.focusSearch() }},
		{"reading-back", setup{client: uitest.Office(400), size: fyne.NewSize(1600, 700)}, func(x *world) {
			x.talk(sabine)
			x.u.conv.history.ScrollBy(2000)
			x.pump.run()
			x.arrives(sabine, "Neu")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := open(t, c.setup)
			c.then(x)
			x.w.Canvas().Unfocus()
			test.AssertRendersToImage(t, c.name+".png", x.w.Canvas())
		})
	}
}
