package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/kuvert-im/kuvert/p2p/transfer"
)

// plainFile is a file of one block in memory.
type plainFile struct{ *bytes.Reader }

func (plainFile) Close() error        { return nil }
func (plainFile) Hashes() io.ReaderAt { return bytes.NewReader(make([]byte, 32)) }

func once() func() transfer.Want {
	asked := false
	return func() transfer.Want {
		if asked {
			return transfer.Want{}
		}
		asked = true
		return transfer.Want{Count: 1}
	}
}

// Files go to whom the handler gives them, under the name it knows; a machine that
// was not recognised is not even heard.
func TestFilesAreGivenToTheRecognised(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	bob.give = func(ref string, id [32]byte) (transfer.Source, error) {
		if ref != "alice" || id != [32]byte{1} {
			return nil, errors.New("not for you")
		}
		return plainFile{bytes.NewReader([]byte("sealed"))}, nil
	}
	befriend(alice, bob)
	alice.start()
	bob.start()
	alice.follow(bob)
	waitFor(t, "they are connected", func() bool { return alice.n.Connected("bob") && bob.n.Connected("alice") })
	var got []byte
	take := func(_ transfer.Want, _ int64, b []byte) error { got = append(got, b...); return nil }
	if err := alice.n.FetchFile(t.Context(), "bob", [32]byte{1}, 6, 2, once(), take); err != nil || string(got) != "sealed" {
		t.Errorf("%q, %v", got, err)
	}
	if err := alice.n.FetchFile(t.Context(), "bob", [32]byte{2}, 6, 1, once(), take); !errors.Is(err, transfer.ErrNotFound) {
		t.Errorf("another file: %v", err)
	}
	if err := alice.n.FetchFile(t.Context(), "carol", [32]byte{1}, 6, 1, once(), take); !errors.Is(err, ErrNotConnected) {
		t.Errorf("nobody: %v", err)
	}
}

func TestStrangersGetNoFiles(t *testing.T) {
	bob := newPerson(t, "bob")
	bob.give = func(string, [32]byte) (transfer.Source, error) {
		t.Error("a stranger was heard")
		return nil, transfer.ErrNotFound
	}
	bob.start()
	h := bare(t)
	if err := h.Connect(t.Context(), bob.info("")); err != nil {
		t.Fatal(err)
	}
	s, err := h.NewStream(context.Background(), bob.n.id, transfer.ID)
	if err != nil {
		t.Fatal(err)
	}
	err = transfer.Fetch(t.Context(), s, [32]byte{1}, 6, 1, once(), func(transfer.Want, int64, []byte) error { t.Error("a block came"); return nil })
	if err == nil {
		t.Error("no error")
	}
}
