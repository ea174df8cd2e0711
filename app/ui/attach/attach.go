// Package attach is the sheet that shows which files are about to be sent, and
// asks. Nothing leaves this computer before its button is pressed.
package attach

import (
	"context"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/picture"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Config says what a sheet is for.
type Config struct {
	parts.Env
	To   string // the recipient's name
	Text string // what was written already
	// Trouble is why an earlier attempt failed, "" for none.
	Trouble string
	// PhotoData: what does not show is taken out of photos.
	PhotoData bool
	// Send is called with what is to be sent: at least one path, and a text that may
	// be empty. Cancelled gets the text back.
	Send      func(paths []string, text string)
	Cancelled func(text string)
	// AsText is called in place of Cancelled when the person meant the text that they
	// pasted, not the files that it names; nil shows no button for that.
	AsText func(text string)
	// Pick asks for more files; nil is the picker.
	Pick func(limit int, chosen func(paths []string))
}

// file is one that can be sent.
type file struct {
	path, name string
	size       int64
	picture    bool
	photo      bool // Kuvert can take out of it what does not show
	thumb      image.Image
}

// Sheet is the sheet. Its methods belong to the UI thread.
type Sheet struct {
	cfg   Config
	files []file
	asked []string // paths that were looked at, or are
	busy  int      // looks under way

	modal  *parts.Modal
	title  *parts.Text
	about  *parts.Text
	rows   *fyne.Container
	scroll *container.Scroll
	hold   *canvas.Rectangle
	say    *parts.Say
	note   *note
	send   *parts.Button
	body   fyne.CanvasObject
	over   bool
}

// Measures in dp.
const (
	sheetWidth = 480
	thumbSide  = 48
	rowHeight  = 60
	around     = 300 // of the sheet without its files, and room above and below
)

// Open shows a sheet with files.
func Open(cfg Config, paths []string) *Sheet {
	s := &Sheet{cfg: cfg, modal: parts.NewModal(cfg.Window, sheetWidth), title: parts.Title(""), about: parts.Muted(""), say: parts.NewSay()}
	if s.cfg.Pick == nil {
		s.cfg.Pick = func(limit int, chosen func([]string)) { files.PickMany(cfg.Env, limit, chosen) }
	}
	s.modal.OnClose = s.cancel
	s.rows = parts.Column(parts.Gap)
	s.hold = canvas.NewRectangle(color.Transparent)
	s.note = newNote(s)
	s.send = s.modal.Primary(parts.T("screens.attach.send"), s.submit)
	buttons := []fyne.CanvasObject{s.modal.Button(parts.T("screens.cancel"), s.cancel), s.send}
	if cfg.AsText != nil {
		buttons = slices.Insert(buttons, 0, fyne.CanvasObject(s.modal.Button(parts.T("screens.attach.astext"), s.asText)))
	}
	more := s.modal.Button(parts.T("screens.attach.more"), s.more)
	more.Importance = widget.LowImportance
	// What is wrong scrolls with the files, so that the buttons stay in sight.
	s.scroll = container.NewVScroll(parts.Column(parts.Gap, s.say, s.rows))
	list := container.NewStack(s.hold, s.scroll)
	s.body = parts.Column(10, parts.Beside(parts.Gap, nil, s.title, more), s.about, list, s.note, parts.Answers(buttons...))
	s.follow()
	s.modal.Focus(s.note)
	if cfg.Trouble != "" {
		s.say.Set(parts.ToneError, cfg.Trouble)
	}
	s.Add(paths)
	return s
}

// Visible reports whether the sheet is on screen.
func (s *Sheet) Visible() bool { return !s.over }

// Add looks at files, away from the UI thread, and shows those that can be sent. Of
// the others it says why not.
func (s *Sheet) Add(paths []string) {
	var fresh []string
	for _, p := range paths {
		if p = filepath.Clean(p); !slices.Contains(s.asked, p) {
			fresh, s.asked = append(fresh, p), append(s.asked, p)
		}
	}
	if len(fresh) == 0 {
		return
	}
	s.busy++
	s.cfg.Work(func(context.Context) func() {
		var found []file
		var wrong []string
		for _, p := range fresh {
			f, key := look(p)
			if key != "" {
				wrong = append(wrong, parts.T(key, parts.With("Name", chat.ShownFileName(filepath.Base(p)))))
				continue
			}
			found = append(found, f)
		}
		return func() { s.added(found, wrong) }
	})
}

// look finds out what is at a path. key says why it cannot be sent.
func look(path string) (f file, key string) {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return f, "screens.attach.unreadable"
	case st.IsDir():
		return f, "screens.attach.folder"
	case !st.Mode().IsRegular():
		return f, "screens.attach.special"
	case st.Size() == 0:
		return f, "screens.attach.nothing"
	case st.Size() > chat.MaxFileSize:
		return f, "screens.attach.large"
	}
	r, err := os.Open(path) //nolint:gosec // the person chose it
	if err != nil {
		return f, "screens.attach.unreadable"
	}
	defer r.Close() //nolint:errcheck // only read
	head := make([]byte, 16)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return f, "screens.attach.unreadable"
	}
	kind := picture.Kind(head[:n])
	return file{path: path, name: filepath.Base(path), size: st.Size(), picture: kind != "", photo: picture.CanStrip(kind)}, ""
}

// added takes over what was found.
func (s *Sheet) added(found []file, wrong []string) {
	s.busy--
	if s.over {
		return
	}
	room := chat.MaxFiles - len(s.files)
	if extra := len(found) - room; extra > 0 {
		for _, f := range found[room:] {
			s.forget(f.path)
		}
		found = found[:room]
		wrong = append(wrong, parts.T("screens.attach.limit", parts.With("Most", chat.MaxFiles))+" "+parts.N("screens.attach.left", extra))
	}
	s.files = append(s.files, found...)
	if len(wrong) > 0 {
		s.say.Set(parts.ToneWarning, strings.Join(wrong, "\n"))
	}
	s.show()
	s.nextThumb()
}

// forget lets a path be added again.
func (s *Sheet) forget(path string) {
	s.asked = slices.DeleteFunc(s.asked, func(p string) bool { return p == path })
}

// nextThumb makes the thumbnail of a picture that has none yet, one at a time: a
// large picture takes 200 MB while that lasts.
func (s *Sheet) nextThumb() {
	i := slices.IndexFunc(s.files, func(f file) bool { return f.picture && f.thumb == nil })
	if i < 0 || s.over {
		return
	}
	path := s.files[i].path
	s.cfg.Work(func(context.Context) func() {
		img := thumb(path)
		return func() {
			for i := range s.files {
				if f := &s.files[i]; f.path == path {
					f.thumb, f.picture = img, img != nil && f.picture
				}
			}
			s.show()
			s.nextThumb()
		}
	})
}

// thumbBytes is how large a thumbnail may be while it is made.
const thumbBytes = 64 << 10

func thumb(path string) image.Image {
	r, err := os.Open(path) //nolint:gosec // the person chose it
	if err != nil {
		return nil
	}
	defer r.Close() //nolint:errcheck // only read
	data, err := picture.Thumbnail(r, thumbBytes)
	if err != nil {
		return nil
	}
	img, _, err := image.Decode(strings.NewReader(string(data)))
	if err != nil {
		return nil
	}
	return img
}

// show brings the sheet up to date.
func (s *Sheet) show() {
	if s.over {
		return
	}
	s.rows.Objects = nil
	var sum int64
	photos := false
	for i := range s.files {
		sum += s.files[i].size
		photos = photos || s.files[i].photo
		s.rows.Add(s.row(&s.files[i]))
	}
	s.title.SetText(parts.N("screens.attach.title", max(1, len(s.files))))
	about := parts.T("screens.attach.to", parts.With("Name", s.cfg.To, "Size", parts.Bytes(sum)))
	if photos && s.cfg.PhotoData {
		about += "\n" + parts.T("screens.attach.photodata")
	}
	s.about.SetText(about)
	s.follow()
}

// follow fits the sheet to what it holds.
func (s *Sheet) follow() {
	if len(s.files) == 0 {
		s.send.Disable()
	} else {
		s.send.Enable()
	}
	room := max(rowHeight, s.cfg.Window.Canvas().Size().Height-around)
	for range 2 { // wrapped text learns its width from the first
		height := float32(max(1, len(s.files))) * rowHeight
		if s.say.Visible() {
			height += s.say.MinSize().Height + parts.Gap
		}
		s.hold.SetMinSize(fyne.NewSize(0, min(height, room)))
		s.modal.Show(s.body)
	}
	s.scroll.ScrollToTop()
}

func (s *Sheet) row(f *file) fyne.CanvasObject {
	remove := s.modal.Button("", func() { s.remove(f.path) })
	remove.Icon, remove.Importance = icons.New(icons.Close), widget.LowImportance
	text := parts.Column(1, parts.Label(chat.ShownFileName(f.name)), parts.Muted(parts.Bytes(f.size)))
	return parts.Pad(parts.Beside(12, s.mark(f), text, remove), 2, 4, 2, 0)
}

// mark is the picture or the icon of a file.
func (s *Sheet) mark(f *file) fyne.CanvasObject {
	hold := canvas.NewRectangle(color.Transparent)
	hold.SetMinSize(fyne.NewSquareSize(thumbSide))
	if f.thumb != nil {
		img := canvas.NewImageFromImage(f.thumb)
		img.FillMode, img.CornerRadius = canvas.ImageFillCover, 8
		return container.NewStack(hold, img)
	}
	name := icons.File
	if f.picture {
		name = icons.Picture
	}
	return container.NewStack(hold, parts.Ground(theme.ColorNameInputBackground, 8, ""), parts.Mark(icons.New(name)))
}

// remove takes a file out; the person may add it again.
func (s *Sheet) remove(path string) {
	s.files = slices.DeleteFunc(s.files, func(f file) bool { return f.path == path })
	s.forget(path)
	files.Forget([]string{path})
	s.say.Clear()
	s.show()
}

func (s *Sheet) more() {
	if room := chat.MaxFiles - len(s.files); room > 0 {
		s.cfg.Pick(room, s.Add)
		return
	}
	s.say.Set(parts.ToneInfo, parts.T("screens.attach.limit", parts.With("Most", chat.MaxFiles)))
	s.follow()
}

func (s *Sheet) close() {
	s.over = true
	s.modal.Hide()
}

func (s *Sheet) paths() []string {
	var out []string
	for _, f := range s.files {
		out = append(out, f.path)
	}
	return out
}

func (s *Sheet) cancel() {
	s.close()
	files.Forget(s.paths())
	s.cfg.Cancelled(s.note.Text)
}

func (s *Sheet) asText() {
	s.close()
	s.cfg.AsText(s.note.Text)
}

func (s *Sheet) submit() {
	text := strings.TrimSpace(s.note.Text)
	switch {
	case len(s.files) == 0 || s.busy > 0:
	case len(text) > chat.MaxTextSize:
		s.say.Set(parts.ToneError, parts.T("screens.attach.long"))
		s.follow()
	default:
		s.close()
		s.cfg.Send(s.paths(), text)
	}
}

// note is the field for a text. Enter sends, Shift+Enter breaks the line, as in the
// composer.
type note struct {
	widget.Entry
	sheet *Sheet
	shift bool
}

func newNote(s *Sheet) *note {
	n := &note{sheet: s}
	n.ExtendBaseWidget(n)
	n.MultiLine, n.Wrapping = true, fyne.TextWrapWord
	n.SetMinRowsVisible(2)
	n.SetPlaceHolder(parts.T("screens.attach.note"))
	n.SetText(s.cfg.Text)
	n.CursorRow = strings.Count(n.Text, "\n")
	n.CursorColumn = len([]rune(n.Text[strings.LastIndexByte(n.Text, '\n')+1:]))
	return n
}

// KeyDown implements desktop.Keyable.
func (n *note) KeyDown(e *fyne.KeyEvent) {
	n.shift = n.shift || shiftKey(e)
	n.Entry.KeyDown(e)
}

// KeyUp implements desktop.Keyable.
func (n *note) KeyUp(e *fyne.KeyEvent) {
	n.shift = n.shift && !shiftKey(e)
	n.Entry.KeyUp(e)
}

// FocusLost implements fyne.Focusable.
func (n *note) FocusLost() {
	n.shift = false
	n.Entry.FocusLost()
}

func shiftKey(e *fyne.KeyEvent) bool {
	return e.Name == desktop.KeyShiftLeft || e.Name == desktop.KeyShiftRight
}

// TypedKey implements fyne.Focusable.
func (n *note) TypedKey(e *fyne.KeyEvent) {
	switch {
	case e.Name == fyne.KeyEscape:
		n.sheet.modal.Key(e)
	case e.Name != fyne.KeyReturn && e.Name != fyne.KeyEnter:
		n.Entry.TypedKey(e)
	case n.shift:
		n.Entry.TypedRune('\n')
	default:
		n.sheet.submit()
	}
}

// AcceptsTab implements fyne.Tabbable: the tabulator leads to the next thing.
func (n *note) AcceptsTab() bool { return false }
