package ui

import (
	"context"
	"errors"
	"strings"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// fileWords says how it stands with a file that cannot be saved now.
var fileWords = map[chat.FileState]string{
	chat.FileWaiting: "file.waiting", chat.FileOffered: "file.offered", chat.FilePaused: "file.paused",
	chat.FileDamaged: "file.damaged", chat.FileMissing: "file.missing", chat.FileRemoved: "file.removed",
}

// withFiles is a message whose text names its files, each in a line before the text.
func withFiles(m chat.Message) chat.Message {
	if len(m.Attachments) == 0 {
		return m
	}
	var lines []string
	for _, a := range m.Attachments {
		lines = append(lines, fileLine(a))
	}
	if m.Text != "" {
		lines = append(lines, m.Text)
	}
	m.Text = strings.Join(lines, "\n")
	return m
}

func fileLine(a chat.Attachment) string {
	line := t("file.line", "Name", chat.ShownFileName(a.Name), "Size", parts.Bytes(a.Size))
	if key, ok := fileWords[a.State]; ok {
		line += " · " + t(key)
	}
	return line
}

// fileItems are the entries of a message's menu about its files.
func (c *conversation) fileItems(it widgets.Item) []*fyne.MenuItem {
	m, ok := c.message(it.Key.ID)
	if !ok || len(m.Attachments) == 0 {
		return nil
	}
	items := []*fyne.MenuItem{fyne.NewMenuItemSeparator()}
	for i, a := range m.Attachments {
		name := chat.ShownFileName(a.Name)
		switch a.State {
		case chat.FileHere:
			items = append(items, fyne.NewMenuItem(t("file.save", "Name", name), func() { c.saveFile(m.ID, i, a.Name) }))
		case chat.FileWaiting:
			items = append(items, fyne.NewMenuItem(t("file.pause", "Name", name), func() { c.fileDo(m.ID, i, c.u.cfg.Client.PauseFile) }))
		case chat.FileOffered, chat.FilePaused, chat.FileDamaged, chat.FileMissing, chat.FileRemoved:
			items = append(items, fyne.NewMenuItem(t("file.fetch", "Name", name), func() { c.fileDo(m.ID, i, c.u.cfg.Client.FetchFile) }))
		}
	}
	return items
}

// message finds a message that is on the screen.
func (c *conversation) message(id chat.MessageID) (chat.Message, bool) {
	for _, m := range c.view.msgs {
		if m.ID == id {
			return m, true
		}
	}
	return chat.Message{}, false
}

func (c *conversation) fileDo(id chat.MessageID, place int, do func(context.Context, chat.MessageID, int) error) {
	person := c.id
	c.u.pump.Tell(func(ctx context.Context) func() {
		if err := do(ctx, id, place); err != nil {
			return func() { c.failed(person, err, "file.error") }
		}
		return nil
	})
}

// saveFile saves a file among the downloads, under a name that is free.
func (c *conversation) saveFile(id chat.MessageID, place int, name string) {
	person := c.id
	c.u.pump.Tell(func(ctx context.Context) func() {
		path, err := files.FreePath(chat.SaveFileName(name))
		if err == nil {
			err = c.u.cfg.Client.SaveFile(ctx, id, place, path)
		}
		switch {
		case errors.Is(err, chat.ErrFileDamaged):
			return func() { c.failed(person, err, "file.error.damaged") }
		case err != nil:
			return func() { c.failed(person, err, "file.error.save") }
		}
		return nil
	})
}
