package fold

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		" \t\n":                    "",
		"?!":                       "",
		"Käse":                     " kase ",
		"Ka\u0308se":               " kase ", // the same with a combining mark
		"Die KÄSE-Straße!":         " die kase strasse ",
		"STRASSE Straẞe":           " strasse strasse ",
		"İstanbul ISPARTA ıspanak": " istanbul isparta ispanak ",
		"ﬁnden ²³ ①":               " finden 23 1 ",
		"Donau\u00addampf":         " donaudampf ", // soft hyphen
		"Ærø Łódź smørrebrød":      " aero lodz smorrebrod ",
		"Ὀδυσσεύς":                 " οδυσσευσ ",
		"info@firma.de":            " info firma de ",
		"C++ 5€":                   " c + + 5 € ",
		"gut👍🏽so":                  " gut 👍 so ",
		"👨‍👩‍👧":                    " 👨 👩 👧 ",
		"你好吗":                      " 你 好 吗 ",
		"Привет, Ёлка":             " привет елка ",
		"a\x00b\xff\"c\"":          " a b c ",
		"\ue000\ue001x\U000f0000":  " x ",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestRangeIsOfWholeCharacters(t *testing.T) {
	for _, c := range []struct{ text, find, want string }{
		{"Der Käse", "kas", "Käs"},
		{"Der Ka\u0308se", "ka", "Ka\u0308"},
		{"Der Ka\u0308se", "k", "K"},
		{"Große Straße", "stras", "Straß"}, // half of an ß takes it whole
		{"Große Straße", " strasse ", "Straße"},
		{"so 👍🏽!", "👍", "👍🏽"},
		{"a 👨‍👩‍👧 b", "👩", "👨‍👩‍👧"},
		{"eﬁx", "i", "ﬁ"},
		{"x, y", "x y", "x, y"},
	} {
		m := Map(c.text)
		i := strings.Index(m.Text, c.find)
		if i < 0 {
			t.Errorf("%q is not in %q", c.find, m.Text)
			continue
		}
		if from, to := m.Range(i, i+len(c.find)); c.text[from:to] != c.want {
			t.Errorf("%q in %q is %q, want %q", c.find, c.text, c.text[from:to], c.want)
		}
	}
}

func TestPatterns(t *testing.T) {
	for in, want := range map[string][]string{
		"":                       nil,
		"  ?! \"\" \"":           nil,
		"Käse":                   {"kase"},
		"Käse Brot käse":         {"kase", "brot"},
		"ok":                     {" ok"},
		"5 x":                    {" 5 ", " x "},
		"👍":                      {" 👍 "},
		"\"guten Morgen\" Anna":  {" guten morgen ", "anna"},
		"„guten Morgen“":         {" guten morgen "},
		"\"guten Mor":            {" guten mor"},
		"\"a":                    {" a "},
		"\"ab":                   {" ab"},
		"x\"y z\"w":              {" x ", " y z ", " w "},
		"info@firma.de":          {"info firma de"},
		"NEAR(a b) OR text:* -c": {"near a", " b ", " or", "text", " c "},
		"' ; DROP TABLE search":  {"drop", "table", "search"},
		"a\x00\xff\ue000":        {" a "},
	} {
		if got := Patterns(in); !slices.Equal(got, want) {
			t.Errorf("Patterns(%q) = %q, want %q", in, got, want)
		}
	}
	if n := len(Patterns(strings.Repeat("ä", MaxQuery))); n != 1 {
		t.Errorf("a cut character leaves %d patterns", n)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"Käse", "İ\u0307ẞ", "a\u0308\u0323", "👨‍👩‍👧🏽", "\xff\xc3", "K ϴ ⱥ", "각"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s)
		if again := Text(got); again != got {
			t.Fatalf("folded %q, again %q", got, again)
		}
		if !utf8.ValidString(got) || strings.Contains(got, "  ") || strings.ContainsAny(got, quotes) ||
			got != "" && (got[0] != ' ' || got[len(got)-1] != ' ' || len(got) < 3) {
			t.Fatalf("%q breaks a promise", got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return unicode.Is(unicode.Co, r) }) {
			t.Fatalf("%q holds a private-use character", got)
		}
		m := Map(s)
		if m.Text != got {
			t.Fatalf("Map gives %q, Text %q", m.Text, got)
		}
		for i := range got {
			_, n := utf8.DecodeRuneInString(got[i:])
			from, to := m.Range(i, i+n)
			if from > to || to > len(s) || got[i] != ' ' && from == to {
				t.Fatalf("%q: bytes %d of %q come from %d to %d", s, i, got, from, to)
			}
			if utf8.ValidString(s) && !utf8.ValidString(s[from:to]) {
				t.Fatalf("%q: range %d:%d cuts a character", s, from, to)
			}
		}
	})
}

func FuzzPatterns(f *testing.F) {
	f.Add("\"guten Mor")
	f.Add("a \"b\" c")
	f.Fuzz(func(t *testing.T, s string) {
		all := Patterns(s)
		if len(all) > MaxPatterns {
			t.Fatal("too many")
		}
		for _, p := range all {
			if utf8.RuneCountInString(p) < 3 || strings.ContainsAny(p, quotes) || p == "   " {
				t.Fatalf("%q gives %q", s, p)
			}
		}
	})
}
