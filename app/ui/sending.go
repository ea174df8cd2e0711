package ui

import (
	"context"
	"errors"
	"slices"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/attach"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// sending is what sends files: the sheet that asks first, and what is under way.
type sending struct {
	sheet *attach.Sheet // nil, or the last one
	under []*underway

	// How files come in; tests have their own.
	pick      func(e parts.Env, limit int, chosen func(paths []string))
	clipboard func(ctx context.Context) ([]byte, error)
}

// underway is a message whose files are being encrypted.
type underway struct {
	conv chat.ConversationID
	stop chan struct{} // closed when this person gives it up
}

// given reports whether it was given up.
func (u *underway) given() bool {
	select {
	case <-u.stop:
		return true
	default:
		return false
	}
}

// until returns a context that ends with ctx, when it is given up, or by end.
func (u *underway) until(ctx context.Context) (_ context.Context, end context.CancelFunc) {
	ctx, end = context.WithCancel(ctx)
	if u.given() {
		end()
	}
	go func() {
		select {
		case <-u.stop:
			end()
		case <-ctx.Done():
		}
	}()
	return ctx, end
}

// pickFiles asks for files to send.
func (c *conversation) pickFiles() {
	if c.writable() {
		c.sending.pick(c.u.Env(), chat.MaxFiles, c.offer)
	}
}

// writable reports whether there is somebody to send something to.
func (c *conversation) writable() bool {
	return !c.id.IsZero() && c.root.Visible() && c.write.Visible()
}

// offer shows the sheet with files, or adds them to the one that is open. Nothing
// is sent before its button is pressed.
func (c *conversation) offer(paths []string) {
	if s := c.sending.sheet; s != nil && s.Visible() {
		s.Add(paths)
		return
	}
	if c.writable() && len(paths) > 0 && c.u.cfg.Window.Canvas().Overlays().Top() == nil {
		c.openSheet(attach.Config{Text: c.composer.Text}, paths)
	}
}

func (c *conversation) openSheet(cfg attach.Config, paths []string) {
	person := c.id
	back := func(text string) {
		if person == c.id {
			c.composer.Set(text)
			c.edited()
			c.focus()
		}
	}
	cfg.Env, cfg.To = c.u.Env(), c.u.contacts[person].Name
	cfg.PhotoData = c.u.settings[core.SettingPhotoData] == "true"
	cfg.Pick = func(limit int, chosen func([]string)) { c.sending.pick(cfg.Env, limit, chosen) }
	cfg.Send = func(paths []string, text string) { c.sendFiles(person, paths, text) }
	cfg.Cancelled = back
	if asText := cfg.AsText; asText != nil {
		cfg.AsText = func(text string) {
			back(text)
			asText(text)
		}
	}
	c.sending.sheet = attach.Open(cfg, paths)
}

// dropped offers what was dragged into the window.
func (c *conversation) dropped(items []fyne.URI) { c.offer(files.LocalPaths(items)) }

// paste looks at what is about to be pasted into the composer. It takes files and
// pictures, and leaves text alone.
func (c *conversation) paste(text string) bool {
	if text == "" {
		c.pastePicture()
		return true
	}
	paths := files.PastedPaths(text)
	if paths == nil {
		return false
	}
	person := c.id
	asText := func(string) {
		if person == c.id {
			c.composer.PasteText()
		}
	}
	c.u.pump.Work(func(context.Context) func() {
		if !files.Exist(paths) {
			return func() { asText("") }
		}
		return func() {
			if person == c.id && c.writable() {
				c.openSheet(attach.Config{Text: c.composer.Text, AsText: asText}, paths)
			}
		}
	})
	return true
}

// pastePicture offers the picture that the clipboard holds.
func (c *conversation) pastePicture() {
	person := c.id
	name := t("file.pasted", "Time", c.u.now().Local().Format("2006-01-02 15.04.05")) + ".png"
	c.u.pump.Work(func(ctx context.Context) func() {
		data, err := c.sending.clipboard(ctx)
		path := ""
		if err == nil {
			path, err = files.Keep(name, data)
		}
		return func() {
			switch {
			case person != c.id:
				files.Forget([]string{path})
			case errors.Is(err, files.ErrClipboardEmpty):
				c.tell(person, t("file.paste.empty"))
			case err != nil:
				c.failed(person, err, "file.paste.error")
			default:
				c.offer([]string{path})
			}
		}
	})
}

// sendFiles sends a message with files. They are encrypted first, which takes its
// time and stops nothing else. The text stays the draft until the message is
// committed, so that it is not lost if the program ends before.
func (c *conversation) sendFiles(person chat.PersonID, paths []string, text string) {
	conv := c.u.conversation(person).ID
	c.stopSaving()
	c.dirty = false
	c.storeDraft(person, text)
	if person == c.id {
		c.composer.Set("")
		c.divided = false
		c.say("")
		c.history.ToBottom()
		c.focus()
	}
	mine := &underway{conv, make(chan struct{})}
	c.sending.under = append(c.sending.under, mine)
	c.u.pump.Work(func(ctx context.Context) func() {
		ctx, end := mine.until(ctx)
		defer end()
		_, err := c.u.cfg.Client.Send(ctx, conv, core.Outgoing{Text: text, Files: paths})
		return func() {
			c.sending.under = slices.DeleteFunc(c.sending.under, func(u *underway) bool { return u == mine })
			c.sentFiles(person, paths, text, mine.given(), err)
		}
	})
}

// sentFiles shows what came of it. What was not sent comes back: the text into the
// composer, the files into the sheet.
func (c *conversation) sentFiles(person chat.PersonID, paths []string, text string, given bool, err error) {
	switch {
	case err == nil:
		files.Forget(paths)
		if person == c.id {
			if c.composer.Text == text { // the draft, shown again meanwhile
				c.composer.Set("")
			}
			c.ask(goal{kind: goalEnd}, (*timeline).catchUp)
		}
	case given:
		files.Forget(paths)
		c.takeBack(person, text)
		c.tell(person, t("file.notsent"))
	default:
		c.u.log.Warn("sending files failed", "error", err)
		c.u.WhenOpen(func() {
			if person == c.id && c.writable() && c.u.cfg.Window.Canvas().Overlays().Top() == nil {
				c.openSheet(attach.Config{Text: text, Trouble: t(filesError(err))}, paths)
				return
			}
			files.Forget(paths)
			c.takeBack(person, text)
			c.failed(person, err, filesError(err))
		})
	}
}

// takeBack puts a text that was not sent before what was written since.
func (c *conversation) takeBack(person chat.PersonID, text string) {
	if person == c.id && text != "" && c.composer.Text != text {
		c.composer.Set(joined(text, c.composer.Text))
		c.edited()
	}
}

func filesError(err error) string {
	switch {
	case errors.Is(err, chat.ErrPhotoData):
		return "file.send.photo"
	case errors.Is(err, chat.ErrFileAccess):
		return "file.send.access"
	case errors.Is(err, chat.ErrFileTooLarge):
		return "file.send.large"
	case errors.Is(err, chat.ErrDiskFull):
		return "file.send.disk"
	case errors.Is(err, chat.ErrTooLong):
		return "file.send.long"
	case errors.Is(err, chat.ErrBlocked):
		return "error.send.blocked"
	}
	return "file.send"
}

// sealingFrom is from which size on it is shown that a file is being encrypted:
// less is done before anybody could read it.
const sealingFrom = 8 << 20

// showSealing says how far the encrypting of a file has come.
func (c *conversation) showSealing() {
	text, part := "", float32(0)
	if c.view != nil {
		for _, s := range c.view.seals {
			if s.Size >= sealingFrom {
				text = t("file.sealing", "Name", chat.ShownFileName(s.Name), "Got", lessUnit(s.Done, s.Size), "Total", parts.Bytes(s.Size))
				part = float32(float64(s.Done) / float64(s.Size))
				break
			}
		}
	}
	action := ""
	if slices.ContainsFunc(c.sending.under, func(u *underway) bool { return c.view != nil && u.conv == c.view.conv }) {
		action = t("file.cancel")
	}
	before := c.sealing.Text()
	c.sealing.Set(widgets.ToneInfo, icons.Lock, text, action)
	c.sealing.SetPart(part)
	if (before == "") != (text == "") {
		c.root.Refresh()
	}
}

// stopSealing gives up what is being sent here.
func (c *conversation) stopSealing() {
	for _, u := range c.sending.under {
		if c.view != nil && u.conv == c.view.conv && !u.given() {
			close(u.stop)
		}
	}
}
