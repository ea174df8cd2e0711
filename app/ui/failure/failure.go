// Package failure is what the window shows when the profile cannot be opened or
// the program cannot go on: what happened, what it means, what to do. Nothing on
// it changes the profile.
package failure

import (
	"errors"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// ErrEnded: the process that has the profile went away while this window was
// attached to it.
var ErrEnded = errors.New("process that has the profile has ended")

const cardWidth = 440

var sentences = []struct {
	err         error
	title, text string
}{
	{ErrEnded, "screens.fail.ended", "screens.fail.ended.text"},
	{chat.ErrProfileBusy, "screens.fail.busy", "screens.fail.busy.text"},
	{chat.ErrNewerSchema, "screens.fail.newer", "screens.fail.newer.text"},
	{chat.ErrCorrupt, "screens.fail.corrupt", "screens.fail.corrupt.text"},
	{chat.ErrVault, "protect.fail.vault", "protect.fail.vault.text"},
	{chat.ErrKeyFile, "protect.fail.keyfile", "protect.fail.keyfile.text"},
	{chat.ErrDiskFull, "screens.fail.full", "screens.fail.full.text"},
	{chat.ErrDisk, "screens.fail.disk", "screens.fail.disk.text"},
	{chat.ErrReadOnly, "screens.fail.readonly", "screens.fail.readonly.text"},
	{chat.ErrPortTaken, "screens.fail.port", "screens.fail.port.text"},
}

// Sentences says what happened, and what it means and what to do.
func Sentences(err error) (title, text string) {
	for _, s := range sentences {
		if errors.Is(err, s.err) {
			return parts.T(s.title), parts.T(s.text)
		}
	}
	return parts.T("screens.fail.other"), parts.T("screens.fail.other.text")
}

// Show puts the failure into the window. dir is the profile's folder, retry tries
// once more (nil offers no second try), quit ends the program.
func Show(w fyne.Window, err error, dir string, retry, quit func()) {
	title, text := Sentences(err)
	end := parts.Primary(parts.T("screens.fail.quit"), quit)
	buttons := []fyne.CanvasObject{end}
	focus := end
	if retry != nil {
		focus = parts.Primary(parts.T("screens.retry"), retry)
		end.Importance = widget.MediumImportance
		buttons = append(buttons, focus)
	}
	head := parts.Beside(10, parts.Mark(icons.Colored(icons.Alert, theme.ColorNameError)), parts.Title(title), nil)
	where := parts.Column(2, parts.Muted(parts.T("screens.fail.folder")), parts.Muted(dir))
	card := parts.Card(parts.Column(12, head, parts.Body(text), where, parts.Space(4), parts.Answers(buttons...)), 24)
	w.SetContent(container.NewVScroll(parts.Pad(parts.Middle(cardWidth, card), 16, 16, 16, 16)))
	w.Canvas().Focus(focus)
}
