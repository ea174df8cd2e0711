// Package sheet draws the emergency sheet: one page of paper (A4, PDF) with a key
// that opens a profile when its passphrase is forgotten, what it is, and where to
// keep it. The key is in clear on it and nowhere else; the caller writes the file
// for its user alone.
package sheet

import (
	"bytes"
	"fmt"
	"image/png"
	"io"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomonobold"
	"golang.org/x/image/font/gofont/goregular"

	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

// The page, in millimetres; letters in points.
const (
	margin    = 22
	textWidth = 210 - 2*margin
	qrSide    = 52
	// qrScale is the pixels of a module in the embedded picture.
	qrScale = 8
	// groupsARow keeps the key clear of the QR code.
	groupsARow = 3
	groupWidth = 32
	groupPitch = 12

	titleSize, headSize, bodySize, keySize = 26, 11, 10, 21

	family, mono = "go", "gomono"
)

// maxName bounds what is printed of a name, in characters.
const maxName = 60

// Sheet is what is printed.
type Sheet struct {
	Profile  string // the person's name
	Computer string // its name, "" if that is not known
	Made     time.Time
	Key      []string // groups of characters
	QR       string   // see qr.NewMatrix for what it may hold
	Language string   // words.German or words.English
}

// String keeps the key out of texts.
func (Sheet) String() string { return "[sheet]" }

// GoString keeps the key out of formatted text.
func (Sheet) GoString() string { return "[sheet]" }

// sections are the paragraphs below the key, by the keys of their texts.
var sections = []string{"what", "who", "keep", "use", "limits"}

// WritePDF writes the sheet as one page.
func (s Sheet) WritePDF(w io.Writer) error { return s.write(w, true) }

func (s Sheet) write(w io.Writer, compressed bool) error {
	code, err := qr.NewMatrix(s.QR)
	if err != nil {
		return fmt.Errorf("sheet: QR code: %w", err)
	}
	var picture bytes.Buffer
	if err := png.Encode(&picture, code.Image(qrScale)); err != nil {
		return fmt.Errorf("sheet: QR code: %w", err)
	}
	p := page{Fpdf: fpdf.New("P", "mm", "A4", ""), sheet: s}
	p.SetCompression(compressed)
	p.RegisterImageOptionsReader("qr", fpdf.ImageOptions{ImageType: "png"}, &picture)
	p.draw()
	if err := p.Output(w); err != nil {
		return fmt.Errorf("sheet: write: %w", err)
	}
	return nil
}

// page is a sheet while it is drawn.
type page struct {
	*fpdf.Fpdf
	sheet Sheet
}

func (p page) text(key string) string { return words.Text(p.sheet.Language, "sheet."+key, nil) }

func (p page) draw() {
	p.AddUTF8FontFromBytes(family, "", goregular.TTF)
	p.AddUTF8FontFromBytes(family, "B", gobold.TTF)
	p.AddUTF8FontFromBytes(mono, "B", gomonobold.TTF)
	p.SetTitle(p.text("title"), true)
	p.SetLang(p.sheet.Language)
	p.SetCreator("Kuvert", true)
	p.SetCreationDate(p.sheet.Made)
	p.SetModificationDate(p.sheet.Made)
	p.SetMargins(margin, margin, margin)
	p.SetAutoPageBreak(false, margin)
	p.AddPage()
	p.head()
	p.facts()
	p.key()
	for _, s := range sections {
		p.section(s)
	}
}

func (p page) head() {
	p.SetFont(family, "B", titleSize)
	p.CellFormat(textWidth, 11, p.text("title"), "", 1, "L", false, 0, "")
	p.SetFont(family, "", headSize)
	p.CellFormat(textWidth, 7, p.text("subtitle"), "", 1, "L", false, 0, "")
	p.Ln(3)
	p.Line(margin, p.GetY(), margin+textWidth, p.GetY())
	p.Ln(5)
}

// facts are lines of a label and what it is.
func (p page) facts() {
	for _, f := range [][2]string{
		{"profile", p.sheet.Profile}, {"computer", p.sheet.Computer}, {"made", date(p.sheet.Made, p.sheet.Language)},
	} {
		if f[1] == "" {
			continue
		}
		p.SetFont(family, "", bodySize)
		p.CellFormat(32, 6.5, p.text(f[0]), "", 0, "L", false, 0, "")
		p.SetFont(family, "B", headSize)
		p.CellFormat(textWidth-32, 6.5, printable(f[1]), "", 1, "L", false, 0, "")
	}
	p.Ln(5)
}

// key draws the groups, and the QR code beside them.
func (p page) key() {
	top := p.GetY()
	p.Rect(margin, top, textWidth, qrSide+4, "D")
	p.ImageOptions("qr", margin+textWidth-qrSide-2, top+2, qrSide, qrSide, false, fpdf.ImageOptions{}, 0, "")
	p.SetXY(margin+5, top+4)
	p.SetFont(family, "", bodySize)
	p.CellFormat(60, 6, p.text("key"), "", 1, "L", false, 0, "")
	p.SetFont(mono, "B", keySize)
	for i, g := range p.sheet.Key {
		p.SetXY(margin+5+float64(i%groupsARow)*groupWidth, top+12+float64(i/groupsARow)*groupPitch)
		p.CellFormat(groupWidth, 10, g, "", 0, "L", false, 0, "")
	}
	p.SetXY(margin, top+qrSide+12)
}

func (p page) section(name string) {
	p.SetFont(family, "B", headSize)
	p.CellFormat(textWidth, 7, p.text(name+".title"), "", 1, "L", false, 0, "")
	p.SetFont(family, "", bodySize)
	p.MultiCell(textWidth, 5, p.text(name), "", "L", false)
	p.Ln(3)
}

func date(t time.Time, language string) string {
	if language == words.German {
		return t.Format("02.01.2006")
	}
	return t.Format("2 January 2006")
}

// printable is a name on one line. What the font lacks is drawn as a box.
func printable(name string) string {
	r := []rune(strings.Join(strings.Fields(name), " "))
	if len(r) > maxName {
		r = append(r[:maxName-1], '…')
	}
	return string(r)
}
