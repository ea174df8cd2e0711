package envelope

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func sampleFile() File {
	return File{
		Identity: "AGE-SECRET-KEY-PQ-1X", Sealed: 3000, Size: 700, Hash: [32]byte{1}, Manifest: [32]byte{2},
		Name: "Grüße.pdf", MediaType: "application/pdf", Thumbnail: []byte{3},
	}
}

func TestFilesOfAMessage(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*File)
		want   error
	}{
		"as it is":          {func(*File) {}, nil},
		"everything full":   {func(f *File) { f.Name, f.Thumbnail = strings.Repeat("n", MaxFileName), make([]byte, MaxThumbnail) }, nil},
		"no thumbnail":      {func(f *File) { f.Thumbnail = nil }, nil},
		"any name at all":   {func(f *File) { f.Name = "../\x00CON\u202e" }, nil},
		"long name":         {func(f *File) { f.Name = strings.Repeat("n", MaxFileName+1) }, ErrTooLarge},
		"no name":           {func(f *File) { f.Name = "" }, ErrMalformed},
		"name is not UTF-8": {func(f *File) { f.Name = "a\xff" }, ErrMalformed},
		"media type":        {func(f *File) { f.MediaType = strings.Repeat("t", MaxMediaType+1) }, ErrTooLarge},
		"thumbnail":         {func(f *File) { f.Thumbnail = make([]byte, MaxThumbnail+1) }, ErrTooLarge},
		"identity":          {func(f *File) { f.Identity = strings.Repeat("A", maxIdentity+1) }, ErrTooLarge},
		"no identity":       {func(f *File) { f.Identity = "" }, ErrMalformed},
		"more than sealed":  {func(f *File) { f.Size = f.Sealed + 1 }, ErrMalformed},
		"negative":          {func(f *File) { f.Size = -1 }, ErrMalformed},
		"no manifest":       {func(f *File) { f.Manifest = [32]byte{} }, ErrMalformed},
	} {
		f := sampleFile()
		c.change(&f)
		raw, err := MessageBody{Files: []File{f}}.Encode()
		if !errors.Is(err, c.want) {
			t.Errorf("%s: encode: %v", name, err)
		}
		wire, werr := encodeBody(wireMessage{Files: []wireFile{wireFile(f)}})
		if werr != nil && c.want == nil {
			t.Fatal(werr)
		}
		if werr == nil {
			if _, err := DecodeMessage(wire); !errors.Is(err, c.want) {
				t.Errorf("%s: decode: %v", name, err)
			}
		}
		if c.want == nil && !slices.Equal(raw, wire) {
			t.Errorf("%s: two encodings", name)
		}
	}
	if _, err := (MessageBody{Files: slices.Repeat([]File{sampleFile()}, MaxFiles+1)}).Encode(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("17 files: %v", err)
	}
	if _, err := (MessageBody{Files: slices.Repeat([]File{sampleFile()}, MaxFiles)}).Encode(); err != nil {
		t.Errorf("16 files: %v", err)
	}
}
