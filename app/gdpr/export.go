package gdpr

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// Names in an export's folder.
const (
	DataFile  = "data.json"
	IndexFile = "index.html"
	FilesDir  = "files"
)

// page is how many messages are held in memory at a time: at most 13 MB of text.
const page = 200

// Errors of Export.
var (
	ErrNotEmpty   = errors.New("gdpr: folder is not empty")
	ErrIncomplete = errors.New("gdpr: export does not hold all that it should")
)

// Options say what to export where.
type Options struct {
	Dir      string         // absolute; made if it is missing, else it must be empty
	Person   *chat.PersonID // nil: everybody
	HTML     bool
	JSON     bool // at least one of the two
	Language string
	Now      time.Time
	// Progress is called after each message with how many are written and how many
	// there were when the export began; nil for nobody. It must not block.
	Progress func(done, total int64)
}

// Report is what was exported, as read back from the written file.
type Report struct {
	Dir      string `json:"dir"`
	People   int    `json:"people"`
	Messages int64  `json:"messages"`
	Files    int    `json:"files"`
	// Missing are files that messages name and that are not on this computer.
	Missing int `json:"missing"`
}

// person is somebody to be exported with what is kept of them.
type person struct {
	ID chat.PersonID `json:"id"`
	core.PersonRecord
}

// name is what the export calls a person.
func (p person) name() string {
	switch {
	case p.Contact != nil:
		return p.Contact.Name
	case p.Request != nil:
		return p.Request.Name
	}
	return p.ID.String()
}

// export is one under way.
type export struct {
	core.Client
	Options
	me     core.Profile
	people []person
	total  int64 // messages, when it began
	report Report
	json   *jsonWriter // nil: not wanted
	html   *htmlWriter
}

// Export writes all that is kept of somebody, or of everybody, into a folder that
// only this user may read. What it wrote stays there if it fails.
func Export(ctx context.Context, c core.Client, o Options) (Report, error) {
	if !filepath.IsAbs(o.Dir) || !o.HTML && !o.JSON {
		return Report{}, fmt.Errorf("gdpr: export: %w", chat.ErrUnsupported)
	}
	if err := makeEmpty(o.Dir); err != nil {
		return Report{}, err
	}
	x := &export{Client: c, Options: o, report: Report{Dir: o.Dir}}
	var err error
	if x.me, err = c.Whoami(ctx); err != nil {
		return Report{}, err
	}
	if err := x.findPeople(ctx); err != nil {
		return Report{}, err
	}
	if err := x.write(ctx); err != nil {
		return Report{}, err
	}
	x.report.People = len(x.people)
	return x.report, x.verify(ctx)
}

// makeEmpty makes a folder, or makes sure that it is empty.
func makeEmpty(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("gdpr: folder: %w: %w", chat.ErrFileAccess, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("gdpr: folder: %w: %w", chat.ErrFileAccess, err)
	}
	if len(entries) > 0 {
		return ErrNotEmpty
	}
	return nil
}

// create makes a file for this user alone.
func create(dir, name string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("gdpr: write %s: %w: %w", name, chat.ErrFileAccess, err)
	}
	return f, nil
}

// findPeople reads what is kept of those who are to be exported.
func (x *export) findPeople(ctx context.Context) error {
	ids := []chat.PersonID{}
	if x.Person != nil {
		ids = append(ids, *x.Person)
	} else {
		var err error
		if ids, err = everybody(ctx, x.Client); err != nil {
			return err
		}
	}
	for _, id := range ids {
		r, err := x.PersonRecord(ctx, id)
		if err != nil {
			return err
		}
		x.people = append(x.people, person{id, r})
		x.total += r.Messages
	}
	return nil
}

// everybody are contacts, those who ask to become some, and those of whom only a
// conversation is left.
func everybody(ctx context.Context, c core.Client) (ids []chat.PersonID, err error) {
	seen := map[chat.PersonID]bool{}
	add := func(id chat.PersonID) {
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	contacts, err := c.Contacts(ctx)
	if err != nil {
		return nil, err
	}
	for _, ct := range contacts {
		add(ct.ID)
	}
	requests, err := c.Requests(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		add(r.ID)
	}
	all, err := c.Conversations(ctx)
	for _, cv := range all {
		if cv.Last != nil || seen[cv.Contact] {
			add(cv.Contact)
		}
	}
	return ids, err
}

// write writes both files side by side, so that each message is read once.
func (x *export) write(ctx context.Context) (err error) {
	if x.JSON {
		f, err := create(x.Dir, DataFile)
		if err != nil {
			return err
		}
		x.json = newJSONWriter(f)
	}
	if x.HTML {
		f, err := create(x.Dir, IndexFile)
		if err != nil {
			return err
		}
		x.html = newHTMLWriter(f, x.Language)
	}
	defer func() { err = errors.Join(err, x.json.close(), x.html.close()) }()
	if err := x.head(ctx); err != nil {
		return err
	}
	for _, p := range x.people {
		if err := x.conversation(ctx, p); err != nil {
			return err
		}
	}
	return x.tail(ctx)
}

func (x *export) head(ctx context.Context) error {
	var settings map[string]string
	if x.Person == nil {
		var err error
		if settings, err = x.Settings(ctx); err != nil {
			return err
		}
	}
	x.json.head(x.me, x.Now, x.Person == nil, settings, x.people)
	x.html.head(x.me, x.Now, x.people)
	return nil
}

// tail adds the deletion log: all of it, or what it says of the one person.
func (x *export) tail(ctx context.Context) error {
	l, err := x.ErasureLog(ctx)
	if err != nil {
		return err
	}
	if x.Person != nil {
		l = core.ErasureLog{Signer: l.Signer, Key: nil, Entries: l.Of(*x.Person)}
	}
	x.json.tail(l)
	x.html.tail(l)
	return nil
}

// conversation streams one conversation.
func (x *export) conversation(ctx context.Context, p person) error {
	x.json.begin(p)
	x.html.begin(p)
	q := chat.MessageQuery{Conversation: p.Conversation, Limit: page, After: &chat.Position{}}
	for {
		all, err := x.Messages(ctx, q)
		if err != nil {
			return err
		}
		for _, m := range all {
			q.After = &chat.Position{Seq: m.Seq, ID: m.ID}
			paths, err := x.files(ctx, m)
			if err != nil {
				return err
			}
			x.json.message(m, paths)
			x.html.message(m, paths, x.me, p)
			x.report.Messages++
			if x.Progress != nil {
				x.Progress(x.report.Messages, x.total)
			}
		}
		if len(all) < page {
			break
		}
	}
	x.json.end()
	x.html.end()
	return errors.Join(x.json.failed(), x.html.failed())
}

// files saves a message's files and returns where, "" for one that is not here.
func (x *export) files(ctx context.Context, m chat.Message) ([]string, error) {
	paths := make([]string, len(m.Attachments))
	for i, a := range m.Attachments {
		if a.State != chat.FileHere {
			x.report.Missing++
			continue
		}
		if err := os.Mkdir(filepath.Join(x.Dir, FilesDir), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("gdpr: folder: %w: %w", chat.ErrFileAccess, err)
		}
		name := fmt.Sprintf("%s-%d-%s", m.ID, i, chat.HarmlessFileName(a.Name))
		err := x.SaveFile(ctx, m.ID, i, filepath.Join(x.Dir, FilesDir, name))
		switch {
		case errors.Is(err, chat.ErrFileNotHere), errors.Is(err, chat.ErrFileDamaged):
			x.report.Missing++
		case err != nil:
			return nil, err
		default:
			paths[i] = FilesDir + "/" + name
			x.report.Files++
		}
	}
	return paths, nil
}

// verify reads the written data back and compares. Messages that arrive or
// disappear meanwhile are no fault: what was there all the time must be in it.
func (x *export) verify(ctx context.Context) error {
	if x.JSON {
		n, err := countMessages(filepath.Join(x.Dir, DataFile))
		if err != nil {
			return err
		}
		if n != x.report.Messages {
			return fmt.Errorf("%d of %d messages: %w", n, x.report.Messages, ErrIncomplete)
		}
	}
	least := int64(0)
	for _, p := range x.people {
		now, err := x.PersonRecord(ctx, p.ID)
		if errors.Is(err, chat.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		least += min(p.Messages, now.Messages)
	}
	if x.report.Messages < least {
		return fmt.Errorf("%d of %d messages: %w", x.report.Messages, least, ErrIncomplete)
	}
	return nil
}
