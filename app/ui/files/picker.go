package files

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// maxEntries is how many files and folders of one folder are shown.
const maxEntries = 2000

// entry is a file or a folder.
type entry struct {
	name string
	path string
	dir  bool
	at   time.Time
}

// mode is what a Picker asks for.
type mode int

const (
	one    mode = iota // a file
	many               // one file or more
	save               // a folder, and a name for what is saved
	place              // a folder
	either             // a file, or the folder that is shown
)

// Picker lets a person choose files, or where to save one. Its methods belong to
// the UI thread.
type Picker struct {
	env    parts.Env
	mode   mode
	exts   []string // lower case, with their dots; nil: all
	chosen func(paths []string)
	limit  int      // how many may be marked, with many
	marked []string // paths, with many
	name   *entryField

	modal   *parts.Modal
	path    string
	entries []entry
	picked  int
	newest  parts.Newest
	rows    map[fyne.CanvasObject]*row
	list    *list
	where   *parts.Text
	say     *parts.Say
	open    *parts.Button
	side    *fyne.Container // the places
	make    string          // a folder that may be made, with place
}

// Pick opens the picker on the person's downloads. exts are the endings to show,
// such as ".png"; chosen gets the file's path and is not called if the person
// changes their mind.
func Pick(env parts.Env, exts []string, chosen func(path string)) *Picker {
	p := newPicker(env, one)
	p.exts, p.chosen = exts, func(paths []string) { chosen(paths[0]) }
	p.show(parts.T("screens.files.title"), parts.T("screens.files.open"), "")
	return p
}

// PickMany opens the picker for at most limit files of any kind.
func PickMany(env parts.Env, limit int, chosen func(paths []string)) *Picker {
	p := newPicker(env, many)
	p.chosen, p.limit = chosen, limit
	p.show(parts.T("screens.files.many"), parts.T("screens.files.choose"), "")
	return p
}

// SaveAs asks for a folder and a name to save something under; name is what it
// suggests. What is there already is replaced only after a question.
func SaveAs(env parts.Env, name string, chosen func(path string)) *Picker {
	p := newPicker(env, save)
	p.chosen = func(paths []string) { chosen(paths[0]) }
	p.show(parts.T("screens.files.save"), parts.T("screens.files.save.do"), name)
	return p
}

// PickFolder asks for a folder to put something into. make is the name of one that
// may be made there.
func PickFolder(env parts.Env, make string, chosen func(path string)) *Picker {
	p := newPicker(env, place)
	p.exts, p.make, p.chosen = []string{}, make, func(paths []string) { chosen(paths[0]) }
	p.show(parts.T("screens.files.folder"), parts.T("screens.files.folder.do"), "")
	return p
}

// PickEither asks for a file with one of the endings, or for the folder that holds
// them.
func PickEither(env parts.Env, title string, exts []string, chosen func(path string)) *Picker {
	p := newPicker(env, either)
	p.exts, p.chosen = exts, func(paths []string) { chosen(paths[0]) }
	p.show(title, parts.T("screens.files.folder.open"), "")
	return p
}

func newPicker(env parts.Env, m mode) *Picker {
	p := &Picker{env: env, mode: m, picked: -1, rows: map[fyne.CanvasObject]*row{}, modal: parts.NewModal(env.Window, pickerWidth)}
	p.modal.OnClose = p.modal.Hide
	p.where, p.say = parts.Muted(""), parts.NewSay()
	p.list = &list{modal: p.modal}
	p.list.Length, p.list.CreateItem = func() int { return len(p.entries) }, p.newRow
	p.list.UpdateItem, p.list.OnSelected = p.fill, p.choose
	p.list.ExtendBaseWidget(p.list)
	return p
}

// show puts the picker on the screen, in the first folder.
func (p *Picker) show(title, do, name string) {
	p.open = p.modal.Primary(do, p.take)
	p.open.Disable()
	if p.mode == save {
		p.name = newEntryField(p.modal, name, p.take)
		p.name.OnChanged = func(string) { p.follow() }
	}
	p.modal.Show(p.body(title))
	start := ""
	if places := Places(); len(places) > 0 {
		start = places[0].Path
	}
	if p.mode == one || p.mode == many {
		p.enter(start)
	} else {
		p.lookForDrives(start)
	}
	p.modal.Focus(p.list)
}

// lookForDrives adds the drives that are not the computer's own to the places, and
// enters the first of them, or start: a file is saved among the downloads, unless
// this person wants it elsewhere.
func (p *Picker) lookForDrives(start string) {
	p.env.Work(func(context.Context) func() {
		drives := Drives()
		return func() {
			for i, d := range drives {
				b := p.placeButton(d.Name, d.Path)
				b.Icon = icons.New(icons.Disk)
				p.side.Objects = slices.Insert(p.side.Objects, i, fyne.CanvasObject(b))
			}
			if len(drives) > 0 && p.mode != save {
				start = drives[0].Path
			}
			p.side.Refresh()
			p.enter(start)
		}
	})
}

// placeButton leads to a folder.
func (p *Picker) placeButton(name, path string) *parts.Button {
	b := p.modal.Button(name, func() { p.enter(path) })
	b.Importance = widget.LowImportance
	b.Alignment = widget.ButtonAlignLeading
	return b
}

// makeFolder makes the offered folder in the one that is shown, and enters it.
func (p *Picker) makeFolder() {
	dir := filepath.Join(p.path, p.make)
	p.env.Work(func(context.Context) func() {
		err := os.Mkdir(dir, 0o700)
		return func() {
			if err != nil && !errors.Is(err, fs.ErrExist) {
				p.say.Set(parts.ToneError, parts.T("screens.files.notmade"))
				return
			}
			p.enter(dir)
		}
	})
}

// list lets Escape through to the modal.
type list struct {
	widget.List
	modal *parts.Modal
}

// TypedKey implements fyne.Focusable.
func (l *list) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape {
		l.modal.Key(e)
		return
	}
	l.List.TypedKey(e)
}

// Measures in dp.
const (
	pickerWidth = 640
	listHeight  = 300
)

func (p *Picker) body(title string) fyne.CanvasObject {
	p.side = container.NewVBox()
	for _, at := range Places() {
		p.side.Add(p.placeButton(parts.T(at.Key), at.Path))
	}
	above := float32(220)
	field := parts.Space(0)
	if p.name != nil {
		above += 60
		field = parts.Beside(parts.Gap, parts.Label(parts.T("screens.files.name")), p.name, nil)
	}
	height := min(listHeight, max(100, p.env.Window.Canvas().Size().Height-above))
	hold := canvas.NewRectangle(nil)
	hold.SetMinSize(fyne.NewSize(0, height))
	up := parts.NewButtonWithIcon("", theme.MoveUpIcon(), func() { p.enter(filepath.Dir(p.path)) })
	up.Importance = widget.LowImportance
	files := container.NewStack(hold, p.list)
	side := container.NewVScroll(p.side)
	buttons := []fyne.CanvasObject{p.modal.Button(parts.T("screens.cancel"), p.modal.Hide), p.open}
	if p.make != "" {
		buttons = slices.Insert(buttons, 0, fyne.CanvasObject(p.modal.Button(parts.T("screens.files.make", parts.With("Name", p.make)), p.makeFolder)))
	}
	field.Hide()
	if p.name != nil {
		field.Show()
	}
	return parts.Column(10, parts.Title(title), parts.Beside(4, up, p.where, nil),
		container.NewBorder(nil, nil, side, nil, files), field, p.say, parts.Answers(buttons...))
}

// enter shows a folder.
func (p *Picker) enter(dir string) {
	if dir == "" {
		return
	}
	fresh := p.newest.Ask()
	p.env.Work(func(context.Context) func() {
		found, err := p.read(dir)
		return func() {
			if !fresh() {
				return
			}
			if err != nil {
				p.say.Set(parts.ToneError, parts.T("screens.files.denied"))
				return
			}
			p.say.Clear()
			if words := emptyWords[p.mode]; len(found) == 0 && words != "" {
				p.say.Set(parts.ToneInfo, parts.T(words))
			}
			p.path, p.entries, p.picked = dir, found, -1
			p.where.SetText(dir)
			p.follow()
			p.list.UnselectAll()
			p.list.ScrollToTop()
			p.list.Refresh()
		}
	})
}

// read lists a folder: folders by their names, then fitting files, newest first.
func (p *Picker) read(dir string) ([]entry, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	items, err := f.ReadDir(maxEntries)
	if len(items) == 0 && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	var out []entry
	for _, it := range items {
		e := entry{name: it.Name(), path: filepath.Join(dir, it.Name())}
		st, err := os.Stat(e.path) // follows links
		if err != nil || strings.HasPrefix(e.name, ".") {
			continue
		}
		e.dir, e.at = st.IsDir(), st.ModTime()
		if e.dir || (st.Mode().IsRegular() && p.fits(e.name)) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, compare)
	return out, nil
}

// emptyWords says that a folder holds nothing to choose.
var emptyWords = map[mode]string{one: "screens.files.empty", many: "screens.files.none", either: "screens.files.none"}

func (p *Picker) fits(name string) bool {
	return p.exts == nil || slices.Contains(p.exts, strings.ToLower(filepath.Ext(name)))
}

func compare(a, b entry) int {
	switch {
	case a.dir && !b.dir:
		return -1
	case b.dir && !a.dir:
		return 1
	case a.dir:
		return cmp.Compare(strings.ToLower(a.name), strings.ToLower(b.name))
	}
	return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.name, b.name))
}

// row is a line of the list: an icon, a name, a day.
type row struct {
	*fyne.Container
	icon *widget.Icon
	name *widget.Label
	day  *parts.Text
}

func (p *Picker) newRow() fyne.CanvasObject {
	r := &row{icon: widget.NewIcon(nil), name: widget.NewLabel(""), day: parts.Muted("")}
	r.name.Truncation = fyne.TextTruncateEllipsis
	r.Container = parts.Pad(parts.Beside(4, r.icon, r.name, r.day), 0, 8, 0, 8)
	p.rows[r.Container] = r
	return r.Container
}

func (p *Picker) fill(i int, o fyne.CanvasObject) {
	r := p.rows[o]
	if r == nil || i >= len(p.entries) {
		return
	}
	e := p.entries[i]
	r.day.SetText("")
	switch {
	case e.dir:
		r.icon.SetResource(theme.FolderIcon())
	case slices.Contains(p.marked, e.path):
		r.icon.SetResource(icons.Colored(icons.Check, theme.ColorNamePrimary))
		r.day.SetText(parts.Day(e.at))
	default:
		r.icon.SetResource(icons.New(icon(e.name)))
		r.day.SetText(parts.Day(e.at))
	}
	r.name.SetText(e.name)
	r.Refresh()
}

// icon is the picture of a file by its kind.
func icon(name string) icons.Name {
	if Kind(name) == "picture" {
		return icons.Picture
	}
	return icons.File
}

// choose enters a folder, notes a file, marks it, or takes its name.
func (p *Picker) choose(i widget.ListItemID) {
	if i < 0 || i >= len(p.entries) {
		return
	}
	if p.entries[i].dir {
		p.enter(p.entries[i].path)
		return
	}
	p.picked = i
	switch p.mode {
	case one, place:
	case either:
		p.open.SetText(parts.T("screens.files.open"))
	case many:
		p.mark(p.entries[i].path)
		p.list.UnselectAll() // so that it can be pressed again
		p.list.RefreshItem(i)
	case save:
		p.name.SetText(p.entries[i].name)
	}
	p.follow()
}

// mark marks a file or takes the mark away.
func (p *Picker) mark(path string) {
	p.say.Clear()
	if i := slices.Index(p.marked, path); i >= 0 {
		p.marked = slices.Delete(p.marked, i, i+1)
		return
	}
	if len(p.marked) >= p.limit {
		p.say.Set(parts.ToneInfo, parts.N("screens.files.limit", p.limit))
		return
	}
	p.marked = append(p.marked, path)
}

// result is what was chosen so far.
func (p *Picker) result() []string {
	switch p.mode {
	case many:
		return p.marked
	case save:
		if name := strings.TrimSpace(p.name.Text); name != "" && filepath.Base(name) == name && p.path != "" {
			return []string{filepath.Join(p.path, name)}
		}
	case one:
		return p.pickedPath()
	case either:
		if path := p.pickedPath(); path != nil {
			return path
		}
		return p.folderPath()
	case place:
		return p.folderPath()
	}
	return nil
}

func (p *Picker) pickedPath() []string {
	if p.picked < 0 || p.picked >= len(p.entries) {
		return nil
	}
	return []string{p.entries[p.picked].path}
}

func (p *Picker) folderPath() []string {
	if p.path == "" {
		return nil
	}
	return []string{p.path}
}

// follow enables the button if there is something to take, and says how much.
func (p *Picker) follow() {
	n := len(p.result())
	if p.mode == many {
		p.open.SetText(parts.T("screens.files.choose"))
		if n > 1 {
			p.open.SetText(parts.N("screens.files.choose.many", n))
		}
	}
	if p.mode == either && p.picked < 0 {
		p.open.SetText(parts.T("screens.files.folder.open"))
	}
	if n == 0 {
		p.open.Disable()
	} else {
		p.open.Enable()
	}
}

func (p *Picker) take() {
	paths := p.result()
	if len(paths) == 0 {
		return
	}
	done := func() {
		p.modal.Hide()
		p.chosen(paths)
	}
	if p.mode != save {
		done()
		return
	}
	p.env.Work(func(context.Context) func() {
		st, err := os.Lstat(paths[0])
		return func() {
			switch {
			case err != nil:
				done()
			case st.IsDir():
				p.say.Set(parts.ToneError, parts.T("screens.files.isfolder"))
			default:
				parts.Ask(p.env.Window, parts.T("screens.files.replace"), parts.T("screens.files.replace.text", parts.With("Name", filepath.Base(paths[0]))),
					parts.T("screens.cancel"), parts.T("screens.files.replace.do"), true, done)
			}
		}
	})
}

// entryField is a line of text in a modal.
type entryField struct {
	widget.Entry
	modal *parts.Modal
}

func newEntryField(m *parts.Modal, text string, submit func()) *entryField {
	f := &entryField{modal: m}
	f.ExtendBaseWidget(f)
	f.Text = text
	f.OnSubmitted = func(string) { submit() }
	return f
}

// TypedKey implements fyne.Focusable: Escape closes the modal.
func (f *entryField) TypedKey(e *fyne.KeyEvent) {
	if e.Name == fyne.KeyEscape {
		f.modal.Key(e)
		return
	}
	f.Entry.TypedKey(e)
}
