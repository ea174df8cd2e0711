package sheet

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

var example = Sheet{
	Profile: "Jürgen Größe (Ελλάδα, Київ)", Computer: "büro-1", Made: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
	Key: []string{"0123", "4567", "89AB", "CDEF", "GHJK", "MNPQ", "RSTV", "WXYZ", "7777"}, QR: "KUVERT-NOTFALL:0123456789ABCDEFGHJKMNPQRSTVWXYZ7777",
}

// shown are the texts that a page which is not compressed draws, in order.
func shown(t *testing.T, pdf []byte) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile(`(?s)\(((?:\\.|[^\\)])*)\) ?T[jJ]`).FindAllSubmatch(pdf, -1) {
		raw := regexp.MustCompile(`(?s)\\(.)`).ReplaceAllFunc(m[1], func(e []byte) []byte {
			if e[1] == 'r' {
				return []byte("\r")
			}
			return e[1:]
		})
		var u []uint16
		for ; len(raw) > 1; raw = raw[2:] {
			u = append(u, uint16(raw[0])<<8|uint16(raw[1]))
		}
		out = append(out, string(utf16.Decode(u)))
	}
	return out
}

// TestPage reads back what is on the page: everything, once, in both languages.
func TestPage(t *testing.T) {
	for language, day := range map[string]string{words.German: "23.11.2026", words.English: "23 November 2026"} {
		s := example
		s.Language = language
		var b bytes.Buffer
		if err := s.write(&b, false); err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b.Bytes(), []byte("/Type /Page\n")); n != 1 {
			t.Errorf("%d pages", n)
		}
		texts := shown(t, b.Bytes())
		all := strings.Join(strings.Fields(strings.Join(texts, " ")), " ")
		for _, want := range append(slices.Clone(s.Key), s.Profile, s.Computer, day) {
			if strings.Count(all, want) != 1 {
				t.Errorf("%s: %q is there %d times in %s", language, want, strings.Count(all, want), all)
			}
		}
		for _, key := range []string{"title", "subtitle", "profile", "computer", "made", "key"} {
			if !slices.Contains(texts, words.Text(language, "sheet."+key, nil)) {
				t.Errorf("%s: %s is missing", language, key)
			}
		}
		for _, name := range sections {
			for _, key := range []string{name, name + ".title"} {
				if text := words.Text(language, "sheet."+key, nil); text == "" || !strings.Contains(all, text) {
					t.Errorf("%s: %s is missing: %q", language, key, text)
				}
			}
		}
	}
}

// TestFits: with the longest name everything is above the lower margin.
func TestFits(t *testing.T) {
	for _, language := range []string{words.German, words.English} {
		s := example
		s.Language, s.Profile, s.Computer = language, strings.Repeat("W", 128), strings.Repeat("m", 300)
		var b bytes.Buffer
		if err := s.write(&b, false); err != nil {
			t.Fatal(err)
		}
		low := 842.0
		for _, m := range regexp.MustCompile(`BT [\d.]+ ([\d.]+) Td`).FindAllStringSubmatch(b.String(), -1) {
			var y float64
			if _, err := fmt.Sscan(m[1], &y); err != nil {
				t.Fatal(err)
			}
			low = min(low, y)
		}
		if low < 40 || low == 842 {
			t.Errorf("%s: the last line is at %.0f points", language, low)
		}
		if texts := strings.Join(shown(t, b.Bytes()), " "); !strings.Contains(texts, strings.Repeat("W", maxName-1)+"…") {
			t.Error("a long name is not cut")
		}
	}
}

// TestCode reads the QR code as it is printed.
func TestCode(t *testing.T) {
	m, err := qr.NewMatrix(example.QR)
	if err != nil {
		t.Fatal(err)
	}
	bmp, err := gozxing.NewBinaryBitmapFromImage(m.Image(qrScale))
	if err != nil {
		t.Fatal(err)
	}
	got, err := qrcode.NewQRCodeReader().Decode(bmp, nil)
	if err != nil || got.GetText() != example.QR {
		t.Errorf("%v, %v", got, err)
	}
	s := example
	s.QR = "klein geschrieben und Umlaute: ä"
	if err := s.WritePDF(new(bytes.Buffer)); !errors.Is(err, qr.ErrNotEncodable) {
		t.Errorf("%v", err)
	}
}

// TestSmall: the fonts are embedded with the letters that are used.
func TestSmall(t *testing.T) {
	s := example
	s.Language = words.German
	var b bytes.Buffer
	if err := s.WritePDF(&b); err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b.Bytes(), []byte("%PDF-1.")) || b.Len() > 150<<10 {
		t.Errorf("%d bytes", b.Len())
	}
	if bytes.Contains(b.Bytes(), []byte("MNPQ")) {
		t.Error("the test of the page looks at a page that is not compressed")
	}
}
