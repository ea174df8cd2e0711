package settings

import (
	"slices"
	"testing"

	"fyne.io/fyne/v2/test"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestFileSettings: limit, quota and photo data are stored as they are chosen; a
// value that was set elsewhere is shown as it is.
func TestFileSettings(t *testing.T) {
	w := show(t)
	if w.screen.store.limit.sel.Selected != "25 MB" || w.screen.store.quota.sel.Selected != "10 GB" {
		t.Errorf("shows %q and %q", w.screen.store.limit.sel.Selected, w.screen.store.quota.sel.Selected)
	}
	w.screen.store.limit.sel.SetSelected("Nie von selbst")
	w.screen.store.quota.sel.SetSelected("Ohne Grenze")
	test.Tap(w.screen.checks[core.SettingPhotoData])
	w.calls("SetSetting file_limit 0", "SetSetting file_quota 0", "SetSetting remove_photo_data false")

	w = show(t)
	w.client.Change(func(c *uitest.Client) { c.Values[core.SettingFileLimit] = "37" })
	w.screen.Show()
	if got := w.screen.store.limit.sel.Selected; got != "37 MB" {
		t.Errorf("shows %q", got)
	}
	w.calls()
}

// TestCleanFiles asks first and says what it freed.
func TestCleanFiles(t *testing.T) {
	w := show(t)
	w.client.Change(func(c *uitest.Client) { c.Usage = core.FileUsage{Bytes: 1_200_000_000, Quota: 10240 << 20} })
	w.screen.Show()
	if got := w.screen.store.used.Text(); got != "1,2 GB von 10 GB" {
		t.Errorf("says %q", got)
	}
	test.Tap(w.screen.store.clean)
	if slices.ContainsFunc(w.client.Called(), func(c string) bool { return c != "" }) || !uitest.Says(w.env.Window, "Dateien entfernen?") {
		t.Fatalf("removed without a question: %q", w.client.Called())
	}
	uitest.Press(t, w.env.Window, "Abbrechen")
	w.calls()
	test.Tap(w.screen.store.clean)
	uitest.Press(t, w.env.Window, "Entfernen")
	w.calls("CleanFiles 2025-05-24")
	if got := w.screen.store.say.Text(); got != "1,2 GB sind wieder frei." {
		t.Errorf("says %q", got)
	}
	if got := w.screen.store.used.Text(); got != "0 B von 10 GB" {
		t.Errorf("says %q", got)
	}
	w.client.Change(func(c *uitest.Client) { c.Fail["CleanFiles"] = chat.ErrDiskFull })
	w.screen.store.age.set("0")
	test.Tap(w.screen.store.clean)
	uitest.Press(t, w.env.Window, "Entfernen")
	if got := w.screen.store.say.Text(); got == "" || got == "1,2 GB sind wieder frei." {
		t.Errorf("says %q", got)
	}
}
