package wire

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadFrameRefusesBeforeItAllocates(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want error
	}{
		"absurd length": {"\xff\xff\xff\xff", ErrTooLarge},
		"one too many":  {"\x00\x00\x00\x09123456789", ErrTooLarge},
		"zero":          {"\x00\x00\x00\x00", ErrEmpty},
		"short":         {"\x00\x00\x00\x05abc", io.ErrUnexpectedEOF},
		"half a length": {"\x00\x00", io.ErrUnexpectedEOF},
		"nothing":       {"", io.EOF},
		"no body":       {"\x00\x00\x00\x05", io.ErrUnexpectedEOF},
	} {
		reserved := 0
		_, err := ReadFrame(bytes.NewBufferString(c.in), 8, func(n int) error { reserved += n; return nil })
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if reserved > 8 {
			t.Errorf("%s: %d bytes were reserved", name, reserved)
		}
	}
}

func TestReadFrameStopsWhenNothingCanBeReserved(t *testing.T) {
	full := errors.New("full")
	r := bytes.NewBufferString("\x00\x00\x00\x03abc")
	if _, err := ReadFrame(r, 8, func(int) error { return full }); !errors.Is(err, full) {
		t.Errorf("error: %v", err)
	}
	if r.Len() != 3 {
		t.Errorf("%d bytes are left, the body was read", r.Len())
	}
}

func TestFramesRoundTrip(t *testing.T) {
	var b bytes.Buffer
	want := []string{"a", "bcd", string(make([]byte, MaxFrame))}
	for _, f := range want {
		if err := WriteFrame(&b, []byte(f), MaxFrame); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range want {
		got, err := ReadFrame(&b, MaxFrame, nil)
		if err != nil || string(got) != f {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	}
	if err := WriteFrame(&b, nil, 1); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty: %v", err)
	}
	if err := WriteFrame(&b, []byte("ab"), 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03abc"))
	f.Add([]byte("\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		frame, err := ReadFrame(r, 64, nil)
		if err != nil {
			return
		}
		if len(frame) == 0 || len(frame) > 64 {
			t.Fatalf("%d bytes", len(frame))
		}
		if again := AppendFrame(nil, frame); !bytes.Equal(again, in[:len(again)]) {
			t.Fatalf("%x does not become %x again", frame, in)
		}
	})
}

func TestLimiterCountsAddressesByWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(2, time.Minute)
		a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
		first, second, third := l.Allow(a), l.Allow(a), l.Allow(a)
		if !first || !second || third {
			t.Error("not two of three")
		}
		if !l.Allow(b) {
			t.Error("another address was refused")
		}
		if !l.Allow(netip.MustParseAddr("2001:db8::1")) || !l.Allow(netip.MustParseAddr("2001:db8::2")) || l.Allow(netip.MustParseAddr("2001:db8::3")) {
			t.Error("an IPv6 network is not one")
		}
		if l.Allow(netip.MustParseAddr("::ffff:10.0.0.1")) {
			t.Error("an IPv4 address in IPv6 is another one")
		}
		time.Sleep(time.Minute)
		if !l.Allow(a) {
			t.Error("the window did not end")
		}
	})
}

func TestLimiterForgetsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, time.Minute)
		a := netip.MustParseAddr("10.0.0.0")
		for range maxTracked + 100 {
			time.Sleep(time.Millisecond)
			a = a.Next()
			l.Allow(a)
		}
		if len(l.count) > maxTracked {
			t.Errorf("%d addresses are kept", len(l.count))
		}
		if l.Allow(a) {
			t.Error("the latest address was forgotten")
		}
	})
}
