package gdpr

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

// Documents are the names of the documents, without language and ending.
var Documents = []string{"record", "information", "measures", "retention", "lost-computer"}

// texts are templates, NAME.LANGUAGE.txt. A line that begins with "# " is the title,
// "## " a heading, "- " an item, "| " a row of a label and what it says, divided by
// " | "; anything else is a paragraph. "[[…]]" is what the program cannot know.
//
//go:embed texts/*.txt
var texts embed.FS

// Facts are what the documents are filled with.
type Facts struct {
	Name     string // of the profile
	Now      time.Time
	Settings map[string]string
	Holdings []chat.Holding
	Backup   core.BackupStatus
	Nodes    []string // addresses of the nodes that keep mail
	KeptMail bool     // this computer keeps its contacts' mail
	Timers   int      // conversations whose messages disappear
	Files    core.FileUsage
	// What opens the profile; the caller knows.
	Passphrase, Keyring, KeyFile, Sheet bool
}

// Gather reads the facts from a profile.
func Gather(ctx context.Context, c core.Client, now time.Time) (f Facts, err error) {
	f.Now = now
	me, err := c.Whoami(ctx)
	if err != nil {
		return f, err
	}
	f.Name = me.Name
	if f.Settings, err = c.Settings(ctx); err != nil {
		return f, err
	}
	if f.Holdings, err = c.Holdings(ctx); err != nil {
		return f, err
	}
	if f.Backup, err = c.BackupStatus(ctx); err != nil {
		return f, err
	}
	if f.Files, err = c.FileUsage(ctx); err != nil {
		return f, err
	}
	nodes, err := c.Nodes(ctx)
	for _, n := range nodes {
		f.Nodes = append(f.Nodes, strings.Join(n.Addrs, ", "))
	}
	if err != nil {
		return f, err
	}
	f.KeptMail = f.Settings[core.SettingKeepMail] == "true"
	all, err := c.Conversations(ctx)
	for _, cv := range all {
		if cv.Timer > 0 {
			f.Timers++
		}
	}
	return f, err
}

// LAN tells whether the profile is confined to the local network.
func (f Facts) LAN() bool { return f.Settings[core.SettingNetwork] == core.NetworkLAN }

// LockAfter is after how many minutes the window locks, "" for never.
func (f Facts) LockAfter() string { return f.Settings[core.SettingLockAfter] }

// Held is how many there are of a kind.
func (f Facts) Held(kind string) chat.Holding {
	for _, h := range f.Holdings {
		if h.Kind == kind {
			return h
		}
	}
	return chat.Holding{}
}

// sinceKnown are the kinds whose oldest time is since when they are kept: of the
// others it is when they were last seen or written.
var sinceKnown = map[string]bool{
	"contacts": true, "requests": true, "messages": true, "outbox": true, "seen": true, "invitations": true, "nodes": true, "contacted": true,
}

// Since reports whether a holding's oldest time is since when it is kept.
func Since(h chat.Holding) bool { return sinceKnown[h.Kind] && !h.Oldest.IsZero() }

// MiB is what files take.
func (f Facts) MiB() int64 { return (f.Files.Bytes + 1<<20 - 1) >> 20 }

// block is one piece of a document.
type block struct {
	kind string // title, head, item, row, text
	text string
	more string // a row's second part
}

// WriteDocuments writes every document as HTML and PDF into a folder, which it
// makes if it is missing, and returns their names. Files of the same name are
// chat.ErrFileAccess: what somebody completed is not overwritten.
func WriteDocuments(dir, language string, f Facts) (names []string, err error) {
	if !filepath.IsAbs(dir) || language != words.German && language != words.English {
		return nil, fmt.Errorf("gdpr: documents: %w", chat.ErrUnsupported)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("gdpr: folder: %w: %w", chat.ErrFileAccess, err)
	}
	for _, doc := range Documents {
		blocks, err := compose(doc, language, f)
		if err != nil {
			return names, err
		}
		for ending, write := range map[string]func(io.Writer) error{
			".html": func(w io.Writer) error { return writeHTML(w, language, blocks) },
			".pdf":  func(w io.Writer) error { return writePDF(w, language, f.Now, blocks) },
		} {
			name := doc + "." + language + ending
			file, err := create(dir, name)
			if err != nil {
				return names, err
			}
			if err := errors.Join(write(file), file.Close()); err != nil {
				return names, fmt.Errorf("gdpr: %s: %w", name, err)
			}
		}
		names = append(names, doc+"."+language)
	}
	return names, nil
}

// WritePDF writes one of Documents as PDF.
func WritePDF(w io.Writer, doc, language string, f Facts) error {
	if !slices.Contains(Documents, doc) || language != words.German && language != words.English {
		return fmt.Errorf("gdpr: document %q in %q: %w", doc, language, chat.ErrUnsupported)
	}
	blocks, err := compose(doc, language, f)
	if err != nil {
		return err
	}
	return writePDF(w, language, f.Now, blocks)
}

// compose fills a document in.
func compose(doc, language string, f Facts) ([]block, error) {
	raw, err := texts.ReadFile("texts/" + doc + "." + language + ".txt")
	if err != nil {
		return nil, fmt.Errorf("gdpr: document: %w", err)
	}
	layout := "02.01.2006"
	if language == words.English {
		layout = "2 January 2006"
	}
	t, err := template.New(doc).Option("missingkey=error").Funcs(template.FuncMap{
		"date": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.Format(layout)
		},
		"list": func(all []string) string { return strings.Join(all, "; ") },
		// line keeps what others chose from looking like layout.
		"line":  oneLine,
		"since": Since,
		// kept and how say what a kind of data is and how long it stays.
		"kept": func(kind string) string { return words.Text(language, "gdpr.kept."+kind, nil) },
		"how":  func(kind string) string { return words.Text(language, "gdpr.kept."+kind+".how", nil) },
	}).Parse(string(raw))
	if err != nil {
		return nil, fmt.Errorf("gdpr: document %s: %w", doc, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, f); err != nil {
		return nil, fmt.Errorf("gdpr: document %s: %w", doc, err)
	}
	var out []block
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, blockOf(line))
		}
	}
	return out, nil
}

// oneLine is a text that cannot be taken for a document's layout.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "|", "¦")), " ")
}

func blockOf(line string) block {
	for _, k := range [][2]string{{"## ", "head"}, {"# ", "title"}, {"- ", "item"}} {
		if text, ok := strings.CutPrefix(line, k[0]); ok {
			return block{kind: k[1], text: text}
		}
	}
	if row, ok := strings.CutPrefix(line, "| "); ok {
		label, says, _ := strings.Cut(row, " | ")
		return block{kind: "row", text: label, more: says}
	}
	return block{kind: "text", text: line}
}

// htmlForms are how each kind of block looks.
var htmlForms = map[string]string{
	"title": "<h1>%s</h1>\n", "head": "<h2>%s</h2>\n", "item": "<p>• %s</p>\n", "text": "<p>%s</p>\n",
	"row": "<table><tr><th style=\"width:30%%\">%s</th><td>%s</td></tr></table>\n",
}

func writeHTML(w io.Writer, language string, blocks []block) error {
	var body strings.Builder
	for _, b := range blocks {
		args := []any{marked(b.text)}
		if b.kind == "row" {
			args = append(args, marked(b.more))
		}
		fmt.Fprintf(&body, htmlForms[b.kind], args...)
	}
	_, err := fmt.Fprintf(w, pageHead+"%s</body></html>\n", language, escape(blocks[0].text), body.String())
	return err
}

// marked escapes a text and shows what is to be filled in.
func marked(s string) string {
	return strings.NewReplacer("[[", "<mark>[", "]]", "]</mark>").Replace(escape(s))
}

// The page, in millimetres; letters in points.
const (
	margin    = 20
	textWidth = 210 - 2*margin
	labelPart = 50
	family    = "go"
)

func writePDF(w io.Writer, language string, made time.Time, blocks []block) error {
	p := fpdf.New("P", "mm", "A4", "")
	p.AddUTF8FontFromBytes(family, "", goregular.TTF)
	p.AddUTF8FontFromBytes(family, "B", gobold.TTF)
	p.SetTitle(blocks[0].text, true)
	p.SetLang(language)
	p.SetCreator("Kuvert", true)
	p.SetCreationDate(made)
	p.SetModificationDate(made)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(true, margin)
	p.AddPage()
	for _, b := range blocks {
		drawBlock(p, b)
	}
	return p.Output(w)
}

// Sizes of text in points, and of its lines in millimetres.
const (
	titleSize, titleLine = 15, 7.5
	headSize, headLine   = 11.5, 6
	textSize, textLine   = 10, 5
	indent               = 4.5 // of an item
)

func drawBlock(p *fpdf.Fpdf, b block) {
	plain := strings.NewReplacer("[[", "[", "]]", "]").Replace
	switch b.kind {
	case "title":
		p.SetFont(family, "B", titleSize)
		p.MultiCell(textWidth, titleLine, plain(b.text), "", "L", false)
		p.Ln(2)
	case "head":
		p.SetFont(family, "B", headSize)
		p.Ln(3)
		keepWith(p, headLine+3*textLine)
		p.MultiCell(textWidth, headLine, plain(b.text), "", "L", false)
		p.Ln(0.5)
	case "item":
		p.SetFont(family, "", textSize)
		p.CellFormat(indent, textLine, "•", "", 0, "L", false, 0, "")
		p.SetLeftMargin(margin + indent)
		p.MultiCell(textWidth-indent, textLine, plain(b.text), "", "L", false)
		p.SetLeftMargin(margin)
		p.SetX(margin)
		p.Ln(0.8)
	case "row":
		drawRow(p, plain(b.text), plain(b.more))
	default:
		p.Ln(1)
		p.SetFont(family, "", textSize)
		p.MultiCell(textWidth, textLine, plain(b.text), "", "L", false)
		p.Ln(1.5)
	}
}

// keepWith begins a new page unless there is room for so much.
func keepWith(p *fpdf.Fpdf, height float64) {
	_, page := p.GetPageSize()
	if p.GetY()+height > page-margin {
		p.AddPage()
	}
}

// drawRow draws a label and beside it what it says, under a thin line, on one page.
func drawRow(p *fpdf.Fpdf, label, says string) {
	p.SetFont(family, "B", textSize)
	lines := len(p.SplitText(label, labelPart-2))
	p.SetFont(family, "", textSize)
	lines = max(lines, len(p.SplitText(says, textWidth-labelPart)))
	keepWith(p, float64(lines)*textLine+2)
	top := p.GetY() + 1
	p.SetDrawColor(190, 190, 190)
	p.SetLineWidth(0.1)
	p.Line(margin, top-0.5, margin+textWidth, top-0.5)
	p.SetFont(family, "B", textSize)
	p.SetXY(margin, top)
	p.MultiCell(labelPart-2, textLine, label, "", "L", false)
	bottom := p.GetY()
	p.SetFont(family, "", textSize)
	p.SetLeftMargin(margin + labelPart)
	p.SetXY(margin+labelPart, top)
	p.MultiCell(textWidth-labelPart, textLine, says, "", "L", false)
	p.SetLeftMargin(margin)
	p.SetXY(margin, max(bottom, p.GetY())+0.5)
}
