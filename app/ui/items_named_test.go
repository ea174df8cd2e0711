package ui

import (
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
)

func TestNamed(t *testing.T) {
	if c := named(chat.Contact{Pending: true}); c.Name == "" {
		t.Error("a contact who has not told a name has none to show")
	}
	if c := named(chat.Contact{Name: "Anna"}); c.Name != "Anna" {
		t.Errorf("Anna is shown as %q", c.Name)
	}
}
