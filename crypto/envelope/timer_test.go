package envelope

import "testing"

func TestTimerBody(t *testing.T) {
	for _, b := range []TimerBody{{Life: 3600, Version: 1}, {Version: 1 << 40}} {
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeTimer(raw); err != nil || got != b {
			t.Errorf("%+v became %+v, %v", b, got, err)
		}
	}
	if _, err := (TimerBody{Life: 1}).Encode(); err == nil {
		t.Error("a version of 0 is encoded")
	}
	raw, err := encodeBody(wireTimer{Life: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecodeTimer(raw); err == nil {
		t.Error("a version of 0 is taken")
	}
}

func TestMessageLife(t *testing.T) {
	raw, err := MessageBody{Text: "x", Life: 86400}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeMessage(raw); err != nil || got.Life != 86400 {
		t.Errorf("%+v, %v", got, err)
	}
}
