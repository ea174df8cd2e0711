package mailbox

import (
	"bytes"
	"errors"
	"testing"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/internal/padding"
	"github.com/kuvert-im/kuvert/crypto/internal/vector"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

// vectors is crypto/testdata/mailbox.json. To write it anew:
//
//	go test ./crypto/mailbox -run Vectors -update
type vectors struct {
	Comment string           `json:"comment"`
	First   []firstVector    `json:"first_contact"`
	Context string           `json:"additional_data"`
	Key     vector.Hex       `json:"key"`
	Nonce   vector.Hex       `json:"nonce_key"`
	Blobs   []blobVector     `json:"blobs"`
	Sizes   [][2]int         `json:"content_and_blob_bytes"`
	Refused []vector.Refused `json:"blobs_refused"`
}

type firstVector struct {
	Secret    vector.Hex `json:"invite_auth"`
	ToInviter struct {
		SendID  vector.Hex `json:"send_id"`
		SendCap vector.Hex `json:"send_cap"`
		Key     vector.Hex `json:"key"`
	} `json:"to_inviter"`
	ToGuest struct {
		RecvID  vector.Hex `json:"recv_id"`
		RecvCap vector.Hex `json:"recv_cap"`
		Key     vector.Hex `json:"key"`
	} `json:"to_guest"`
	BundleID  vector.Hex `json:"bundle_id"`
	BundleKey vector.Hex `json:"bundle_key"`
}

type blobVector struct {
	Kind    byte       `json:"kind"`
	Content vector.Hex `json:"content"`
	Blob    vector.Hex `json:"blob"`
}

// TestVectors recomputes crypto/testdata/mailbox.json.
func TestVectors(t *testing.T) {
	v := vectors{
		Comment: "docs/protocol/mailbox-secrets.md says how to read this; all bytes in hexadecimal",
		Context: blobContext, Key: key[:], Nonce: canon.KDF(key[:], nil, "mailbox-nonce", nil, 32),
	}
	for _, secret := range []invite.Secret{{}, {1}, {15: 255}} {
		v.First = append(v.First, describe(secret))
	}
	for _, b := range []blobVector{
		{Kind: KindFrame, Content: []byte("a frame")},
		{Kind: KindStatus},
		{Kind: KindBundle, Content: bytes.Repeat([]byte{3}, 500)},
		{Kind: KindBlock, Content: blockContent(t)},
	} {
		b.Blob = seal(t, b.Kind, b.Content)
		v.Blobs = append(v.Blobs, b)
	}
	for _, n := range []int{0, 467, 468, 499, 2700, 4051, 126<<10 + 9, MaxContent} {
		v.Sizes = append(v.Sizes, [2]int{n, len(seal(t, KindFrame, make([]byte, n)))})
	}
	for _, r := range refused(t) {
		if len(r.blob) > MaxBlob {
			continue
		}
		name := "malformed"
		if errors.Is(r.want, ErrCannotOpen) {
			name = "cannot open"
		}
		v.Refused = append(v.Refused, vector.Refused{Name: r.name, Input: r.blob, Error: name})
	}
	vector.Compare(t, "mailbox", v)
}

func describe(secret invite.Secret) (v firstVector) {
	f := Derive(secret)
	v.Secret, v.BundleID, v.BundleKey = secret[:], f.BundleID[:], f.BundleKey[:]
	v.ToInviter.SendID, v.ToInviter.SendCap, v.ToInviter.Key = f.ToInviter.SendID[:], f.ToInviter.SendCap[:], f.ToInviter.Key[:]
	v.ToGuest.RecvID, v.ToGuest.RecvCap, v.ToGuest.Key = f.ToGuest.RecvID[:], f.ToGuest.RecvCap[:], f.ToGuest.Key[:]
	return v
}

// TestDocumentedSizes: a bundle fits the place at which it is published, 4 KiB.
func TestDocumentedSizes(t *testing.T) {
	if n := padding.Padme(overhead + 4051); n != 4<<10 {
		t.Errorf("4,051 bytes become %d", n)
	}
}

// blockContent is a block of a file.
func blockContent(t *testing.T) []byte {
	t.Helper()
	b, err := Block{File: [32]byte{1, 2, 3}, Index: 4, Data: []byte("block")}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
