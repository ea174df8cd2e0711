package settings

import (
	"context"
	"slices"
	"strconv"
	"time"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// SectionFiles is about the files of messages.
const SectionFiles = "files"

// fileStore is the section about files: which come by themselves, the room that
// they take, and how to make room.
type fileStore struct {
	s      *Screen
	newest parts.Newest

	limit, quota *choice
	used         *parts.Text
	age          *choice
	clean        *parts.Button
	say          *parts.Say
}

// limits and quotas are what can be chosen, in MiB; a value that was set elsewhere
// is added.
var (
	limits = []int{0, 5, 25, 100, 500, 2048}
	quotas = []int{1024, 5 * 1024, 10 * 1024, 50 * 1024, 100 * 1024, 0}
)

// ages are how old files must be to be removed, in months.
var ages = []int{1, 3, 6, 12, 0}

func newFileStore(s *Screen) *fileStore {
	f := &fileStore{s: s, used: parts.Muted(""), say: parts.NewSay()}
	f.limit = newChoice(sizes(limits, "screens.store.never"), func(v string) { s.set(core.SettingFileLimit, v, nil) })
	f.quota = newChoice(sizes(quotas, "screens.store.nobound"), func(v string) { s.set(core.SettingFileQuota, v, f.load) })
	var old []option
	for _, n := range ages {
		name := parts.T("screens.store.all")
		if n > 0 {
			name = parts.N("screens.store.months", n)
		}
		old = append(old, option{strconv.Itoa(n), name})
	}
	f.age = newChoice(old, func(string) {})
	f.age.set("6")
	f.clean = parts.NewButton(parts.T("screens.store.clean"), f.ask)
	return f
}

// sizes are the options for sizes in MiB; zero is what 0 is called.
func sizes(of []int, zero string) []option {
	var out []option
	for _, n := range of {
		name := parts.T(zero)
		if n > 0 {
			name = mebibytes(n)
		}
		out = append(out, option{strconv.Itoa(n), name})
	}
	return out
}

// mebibytes is a number of MiB as people say it.
func mebibytes(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return strconv.Itoa(n/1024) + " GB"
	}
	return strconv.Itoa(n) + " MB"
}

// objects is what the section consists of.
func (f *fileStore) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{
		parts.Column(6, parts.Label(parts.T("screens.store.limit")), f.limit.sel, parts.Muted(parts.T("screens.store.limit.text"))),
		parts.Column(6, parts.Label(parts.T("screens.store.quota")), f.quota.sel, parts.Muted(parts.T("screens.store.quota.text"))),
		f.s.check(core.SettingPhotoData, "screens.store.photos", "screens.store.photos.text"),
		parts.Line(),
		parts.Column(6, parts.Label(parts.T("screens.store.room")), f.used),
		parts.Column(6, parts.Label(parts.T("screens.store.older")), parts.Beside(parts.Gap, nil, f.age.sel, f.clean)),
		f.say,
	}
}

// show takes over what is stored.
func (f *fileStore) show(values map[string]string) {
	for key, c := range map[string]*choice{core.SettingFileLimit: f.limit, core.SettingFileQuota: f.quota} {
		v := values[key]
		if n, err := strconv.Atoi(v); err == nil {
			c.offer(option{v, mebibytes(n)})
		}
		c.set(v)
	}
}

// load asks how much room files take.
func (f *fileStore) load() {
	fresh := f.newest.Ask()
	f.s.cfg.Work(func(ctx context.Context) func() {
		u, err := f.s.cfg.Client.FileUsage(ctx)
		return func() {
			if err == nil && fresh() {
				f.showUsage(u)
			}
		}
	})
}

func (f *fileStore) showUsage(u core.FileUsage) {
	text := parts.T("screens.store.used", parts.With("Size", parts.Bytes(u.Bytes)))
	if u.Quota > 0 {
		text = parts.T("screens.store.used.of", parts.With("Size", parts.Bytes(u.Bytes), "Most", mebibytes(int(u.Quota>>20))))
	}
	if u.Quota > 0 && u.Bytes >= u.Quota {
		text += " " + parts.T("screens.store.full")
	}
	f.used.SetText(text)
	f.s.relayout()
}

// before is the time from before which files are removed.
func (f *fileStore) before() time.Time {
	n, _ := strconv.Atoi(f.age.value()) // one of ages
	if n == 0 {
		return f.s.cfg.Now()
	}
	return f.s.cfg.Now().AddDate(0, -n, 0)
}

// ask asks before files are removed: others have them, but perhaps not for ever.
func (f *fileStore) ask() {
	f.say.Clear()
	text := parts.T("screens.store.clean.all")
	if i := slices.IndexFunc(f.age.options, func(o option) bool { return o.value == f.age.value() }); f.age.value() != "0" && i >= 0 {
		text = parts.T("screens.store.clean.text", parts.With("Age", f.age.options[i].name))
	}
	before := f.before()
	parts.Ask(f.s.cfg.Window, parts.T("screens.store.clean.title"), text, parts.T("screens.cancel"), parts.T("screens.store.clean.do"), true,
		func() { f.remove(before) })
}

func (f *fileStore) remove(before time.Time) {
	f.clean.Disable()
	f.say.Busy(parts.T("screens.store.cleaning"))
	f.s.relayout()
	f.s.cfg.Order(func(ctx context.Context) func() {
		freed, err := f.s.cfg.Client.CleanFiles(ctx, before)
		return func() {
			f.clean.Enable()
			switch {
			case err != nil:
				f.say.Set(parts.ToneError, parts.T("screens.store.failed"))
			case freed == 0:
				f.say.Set(parts.ToneInfo, parts.T("screens.store.nothing"))
			default:
				f.say.Set(parts.ToneGood, parts.T("screens.store.freed", parts.With("Size", parts.Bytes(freed))))
			}
			f.load()
			f.s.relayout()
		}
	})
}
