package ui

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// askOpen asks before a file is given to the system's program for it: with the name
// and the kind that the system will go by. What may run something is only saved.
func (c *conversation) askOpen(id chat.MessageID, place int, a chat.Attachment) {
	name := chat.SaveFileName(a.Name)
	w := c.u.cfg.Window
	if !files.Opens(name) {
		parts.Ask(w, t("file.risky.title"), t("file.risky.text", "Name", chat.ShownFileName(name)),
			t("file.cancel"), t("file.saveas"), false, func() { c.fileDo(id, place, fileSaveAs) })
		return
	}
	text := t("file.open.text", "Name", chat.ShownFileName(name), "Kind", kindName(name), "Size", parts.Bytes(a.Size))
	if m, ok := c.message(id); ok && m.Sender != c.u.me.ID {
		text += "\n\n" + t("file.open.careful", "Name", c.u.contacts[c.id].Name)
	}
	parts.Ask(w, t("file.open.title"), text, t("file.cancel"), t("file.open.do"), false, func() {
		person := c.id
		c.save(id, place, a, func(path string) { c.openSaved(person, path) })
	})
}

// kindName is what people call a kind of file.
func kindName(name string) string {
	switch k := files.Kind(name); k {
	case "other":
		return t("file.kind.other", "Ending", strings.ToUpper(strings.TrimPrefix(filepath.Ext(name), ".")))
	default:
		return t(kindWords[k])
	}
}

var kindWords = map[string]string{
	"pdf": "file.kind.pdf", "picture": "file.kind.picture", "document": "file.kind.document", "table": "file.kind.table",
	"slides": "file.kind.slides", "text": "file.kind.text", "audio": "file.kind.audio", "video": "file.kind.video",
	"archive": "file.kind.archive",
}

// openSaved opens a file that was just saved, and says where it is.
func (c *conversation) openSaved(person chat.PersonID, path string) {
	c.tell(person, t("file.saved", "Name", filepath.Base(path), "Folder", filepath.Dir(path)))
	open := c.u.cfg.OpenFile
	if open == nil {
		open = files.Show
	}
	c.u.pump.Work(func(context.Context) func() {
		if err := open(path); err != nil {
			return func() { c.failed(person, err, "file.error.open") }
		}
		return nil
	})
}
