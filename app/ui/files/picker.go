package files

import (
	"cmp"
	"context"
	"errors"
	"io"
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

// Picker lets a person choose a file. Its methods belong to the UI thread.
type Picker struct {
	env    parts.Env
	exts   []string // lower case, with their dots
	chosen func(path string)

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
}

// Pick opens the picker on the person's downloads. exts are the endings to show,
// such as ".png"; chosen gets the file's path and is not called if the person
// changes their mind.
func Pick(env parts.Env, exts []string, chosen func(path string)) *Picker {
	p := &Picker{env: env, exts: exts, chosen: chosen, picked: -1, rows: map[fyne.CanvasObject]*row{}, modal: parts.NewModal(env.Window, pickerWidth)}
	p.modal.OnClose = p.modal.Hide
	p.where, p.say = parts.Muted(""), parts.NewSay()
	p.list = &list{modal: p.modal}
	p.list.Length, p.list.CreateItem = func() int { return len(p.entries) }, p.newRow
	p.list.UpdateItem, p.list.OnSelected = p.fill, p.choose
	p.list.ExtendBaseWidget(p.list)
	p.open = p.modal.Primary(parts.T("screens.files.open"), p.take)
	p.open.Disable()
	p.modal.Show(p.body())
	start := ""
	if places := Places(); len(places) > 0 {
		start = places[0].Path
	}
	p.enter(start)
	p.modal.Focus(p.list)
	return p
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

func (p *Picker) body() fyne.CanvasObject {
	var places []fyne.CanvasObject
	for _, at := range Places() {
		b := p.modal.Button(parts.T(at.Key), func() { p.enter(at.Path) })
		b.Importance = widget.LowImportance
		b.Alignment = widget.ButtonAlignLeading
		places = append(places, b)
	}
	height := min(listHeight, max(120, p.env.Window.Canvas().Size().Height-220))
	hold := canvas.NewRectangle(nil)
	hold.SetMinSize(fyne.NewSize(0, height))
	up := widget.NewButtonWithIcon("", theme.MoveUpIcon(), func() { p.enter(filepath.Dir(p.path)) })
	up.Importance = widget.LowImportance
	files := container.NewStack(hold, p.list)
	side := container.NewVBox(places...)
	cancel := p.modal.Button(parts.T("screens.cancel"), p.modal.Hide)
	return parts.Column(10, parts.Title(parts.T("screens.files.title")), parts.Beside(4, up, p.where, nil),
		container.NewBorder(nil, nil, side, nil, files), p.say, parts.Answers(cancel, p.open))
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
			if len(found) == 0 {
				p.say.Set(parts.ToneInfo, parts.T("screens.files.empty"))
			}
			p.path, p.entries, p.picked = dir, found, -1
			p.where.SetText(dir)
			p.open.Disable()
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
		if e.dir || (st.Mode().IsRegular() && slices.Contains(p.exts, strings.ToLower(filepath.Ext(e.name)))) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, compare)
	return out, nil
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
	if e.dir {
		r.icon.SetResource(theme.FolderIcon())
		r.day.SetText("")
	} else {
		r.icon.SetResource(icons.New(icons.Picture))
		r.day.SetText(parts.Day(e.at))
	}
	r.name.SetText(e.name)
	r.Refresh()
}

// choose enters a folder or notes a file.
func (p *Picker) choose(i widget.ListItemID) {
	if i < 0 || i >= len(p.entries) {
		return
	}
	if p.entries[i].dir {
		p.enter(p.entries[i].path)
		return
	}
	p.picked = i
	p.open.Enable()
}

func (p *Picker) take() {
	if p.picked >= 0 && p.picked < len(p.entries) {
		p.modal.Hide()
		p.chosen(p.entries[p.picked].path)
	}
}
