package ui

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// fileKey names a file of a message.
type fileKey struct {
	message chat.MessageID
	place   int
}

// What a person can do with a file.
const (
	fileOpen = iota + 1
	fileSaveAs
	fileSave // among the downloads
	fileFetch
	filePause
)

// fileWords says how it stands with a file that is not here.
var fileWords = map[chat.FileState]string{
	chat.FileWaiting: "file.waiting", chat.FileOffered: "file.offered", chat.FilePaused: "file.paused",
	chat.FileDamaged: "file.damaged", chat.FileMissing: "file.missing", chat.FileRemoved: "file.removed",
}

// fetchWords is what fetching it is called.
var fetchWords = map[chat.FileState]string{
	chat.FileOffered: "file.fetch", chat.FilePaused: "file.continue",
	chat.FileDamaged: "file.again", chat.FileMissing: "file.again", chat.FileRemoved: "file.fetch",
}

// cards are the files of a message as its bubble shows them. Equal ones are the
// same as before, so that the bubble is not laid out again.
func (s *scene) cards(m chat.Message) *widgets.Files {
	if len(m.Attachments) == 0 {
		return nil
	}
	made := make(widgets.Files, len(m.Attachments))
	for i, a := range m.Attachments {
		made[i] = card(a, s.infos[fileKey{m.ID, i}], m.Sender == s.me)
	}
	out := &made
	if old := s.before[m.ID]; old.Same(out) {
		out = old
	}
	s.made[m.ID] = out
	return out
}

// card is one file. info is zero unless it comes in or was paused.
func card(a chat.Attachment, info core.FileInfo, own bool) widgets.FileCard {
	c := widgets.FileCard{
		Picture: a.Thumbnail, Row: !a.Thumbnail || a.State != chat.FileHere, Icon: icons.File,
		Name: chat.ShownFileName(a.Name), Bad: a.State == chat.FileDamaged, Part: -1,
	}
	if isPicture(a) {
		c.Icon = icons.Picture
	}
	c.Note, c.Part = fileNote(a, info, own)
	copy(c.Actions[:], fileActions(a.State, own))
	return c
}

// isPicture goes by the thumbnail, and by what the sender says if there is none.
func isPicture(a chat.Attachment) bool {
	return a.Thumbnail || strings.HasPrefix(a.MediaType, "image/")
}

// fileNote is a file's size and state in words, and how much of it is here;
// negative for no bar.
func fileNote(a chat.Attachment, info core.FileInfo, own bool) (note string, part float32) {
	switch {
	case a.State == chat.FileHere:
		return parts.Bytes(a.Size), -1
	case own:
		return parts.Bytes(a.Size) + " · " + t("file.removed"), -1
	case info.Total <= 0 || info.Got <= 0 && !info.Active:
		return parts.Bytes(a.Size) + " · " + t(fileWords[a.State]), -1
	}
	done := float64(info.Got) / float64(info.Total) // both with what sealing adds
	part = float32(done)
	note = t("file.part", "Got", lessUnit(int64(done*float64(a.Size)), a.Size), "Total", parts.Bytes(a.Size))
	if !info.Active {
		return note + " · " + t(fileWords[a.State]), part
	}
	if info.Speed > 0 {
		note += " · " + t("file.speed", "Size", parts.Bytes(info.Speed))
	}
	if left := remaining(info.Remaining); left != "" {
		note += " · " + left
	}
	return note, part
}

// lessUnit is a size, without its unit if that is the other size's too.
func lessUnit(n, of int64) string {
	if n <= 0 {
		return "0"
	}
	number, unit, _ := strings.Cut(parts.Bytes(n), " ")
	if _, same, _ := strings.Cut(parts.Bytes(of), " "); same == unit {
		return number
	}
	return number + " " + unit
}

// remaining says how long something still takes; "" if that is not known.
func remaining(d time.Duration) string {
	switch n := d.Round(time.Second); {
	case d <= 0:
		return ""
	case n < time.Minute:
		return t("file.left.seconds", "N", strconv.Itoa(max(1, int(n.Seconds()))))
	case n < time.Hour:
		return t("file.left.minutes", "N", strconv.Itoa(int((d+time.Minute-1)/time.Minute)))
	default:
		return t("file.left.hours", "N", strconv.Itoa(int((d+time.Hour-1)/time.Hour)))
	}
}

// fileActions are what can be done with a file now.
func fileActions(state chat.FileState, own bool) []widgets.FileAction {
	switch {
	case state == chat.FileHere:
		return []widgets.FileAction{{Do: fileOpen, Label: t("file.open")}, {Do: fileSaveAs, Label: t("file.saveas")}}
	case own: // only this person had it
		return nil
	case state == chat.FileWaiting:
		return []widgets.FileAction{{Do: filePause, Label: t("file.pause")}}
	}
	return []widgets.FileAction{{Do: fileFetch, Label: t(fetchWords[state])}}
}

// fileLabel says in a few words which files a message has: a picture is no name.
func fileLabel(all []chat.Attachment) (icon icons.Name, text string) {
	pictures := 0
	for _, a := range all {
		if isPicture(a) {
			pictures++
		}
	}
	switch {
	case len(all) == 0:
		return "", ""
	case pictures == len(all):
		return icons.Picture, count("file.photos", len(all))
	case len(all) == 1:
		return icons.File, chat.ShownFileName(all[0].Name)
	}
	return icons.File, count("file.files", len(all))
}

// gist is a message in one line where there is no room for its files.
func gist(m chat.Message) string {
	if m.Text != "" || len(m.Attachments) == 0 {
		return one(m.Text)
	}
	_, text := fileLabel(m.Attachments)
	return one(text)
}

// fileItems are the entries of a message's menu about its files; with several files
// each has a menu of its own.
func (c *conversation) fileItems(it widgets.Item) []*fyne.MenuItem {
	m, ok := c.message(it.Key.ID)
	if !ok || len(m.Attachments) == 0 {
		return nil
	}
	items := []*fyne.MenuItem{fyne.NewMenuItemSeparator()}
	for i, a := range m.Attachments {
		actions := fileActions(a.State, m.Sender == c.u.me.ID)
		if a.State == chat.FileHere {
			actions = append(actions, widgets.FileAction{Do: fileSave, Label: t("file.save")})
		}
		var own []*fyne.MenuItem
		for _, act := range actions {
			own = append(own, fyne.NewMenuItem(act.Label, func() { c.fileDo(m.ID, i, act.Do) }))
		}
		switch {
		case len(own) == 0:
		case len(m.Attachments) == 1:
			items = append(items, own...)
		default:
			item := fyne.NewMenuItem(chat.ShownFileName(a.Name), nil)
			item.ChildMenu = fyne.NewMenu("", own...)
			items = append(items, item)
		}
	}
	if len(items) == 1 {
		return nil
	}
	return items
}

// message finds a message that is on the screen.
func (c *conversation) message(id chat.MessageID) (chat.Message, bool) {
	if c.view == nil {
		return chat.Message{}, false
	}
	for _, m := range c.view.msgs {
		if m.ID == id {
			return m, true
		}
	}
	return chat.Message{}, false
}

// attachment finds a file of a message that is on the screen.
func (c *conversation) attachment(id chat.MessageID, place int) (chat.Attachment, bool) {
	m, ok := c.message(id)
	if !ok || place < 0 || place >= len(m.Attachments) {
		return chat.Attachment{}, false
	}
	return m.Attachments[place], true
}

// fileDo does what was chosen for a file.
func (c *conversation) fileDo(id chat.MessageID, place, do int) {
	a, ok := c.attachment(id, place)
	if !ok {
		return
	}
	switch do {
	case fileOpen:
		c.askOpen(id, place, a)
	case fileSaveAs:
		files.SaveAs(c.u.Env(), chat.SaveFileName(a.Name), func(path string) { c.saveTo(id, place, path) })
	case fileSave:
		c.save(id, place, a, nil)
	case fileFetch:
		c.order(id, place, c.u.cfg.Client.FetchFile)
	case filePause:
		c.order(id, place, c.u.cfg.Client.PauseFile)
	}
}

func (c *conversation) order(id chat.MessageID, place int, do func(context.Context, chat.MessageID, int) error) {
	person := c.id
	c.u.pump.Tell(func(ctx context.Context) func() {
		if err := do(ctx, id, place); err != nil {
			return func() { c.failed(person, err, "file.error") }
		}
		return nil
	})
}

// saveTo writes a file where the person wants it.
func (c *conversation) saveTo(id chat.MessageID, place int, path string) {
	c.copyOut(id, place, func() (string, error) { return path, nil }, nil)
}

// save writes a file among the downloads, under a name that is free. then is done
// once it is there; nil says where.
func (c *conversation) save(id chat.MessageID, place int, a chat.Attachment, then func(path string)) {
	c.copyOut(id, place, func() (string, error) { return files.FreePath(chat.SaveFileName(a.Name)) }, then)
}

// copyOut writes a file to a path that is found out away from the UI thread: a large
// one takes its time, and nothing else waits for it.
func (c *conversation) copyOut(id chat.MessageID, place int, where func() (string, error), then func(path string)) {
	person := c.id
	c.u.pump.Work(func(ctx context.Context) func() {
		path, err := where()
		if err == nil {
			err = c.u.cfg.Client.SaveFile(ctx, id, place, path)
		}
		if err != nil {
			return func() { c.failed(person, err, saveError(err)) }
		}
		return func() {
			if then != nil {
				then(path)
			} else {
				c.tell(person, t("file.saved", "Name", filepath.Base(path), "Folder", filepath.Dir(path)))
			}
		}
	})
}

func saveError(err error) string {
	switch {
	case errors.Is(err, chat.ErrFileDamaged):
		return "file.error.damaged"
	case errors.Is(err, chat.ErrFileNotHere):
		return "file.error.missing"
	}
	return "file.error.save"
}
