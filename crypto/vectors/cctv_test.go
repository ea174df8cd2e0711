package vectors

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"

	agetest "c2sp.org/CCTV/age"
	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// ageVector is one file of the suite.
type ageVector struct {
	expect     string
	payload    string // SHA-256 in hexadecimal
	identities []age.Identity
	armored    bool
	file       []byte
}

func parseAgeVector(raw []byte) (v ageVector, err error) {
	v.file = raw
	compressed := false
	for {
		line, rest, ok := bytes.Cut(v.file, []byte("\n"))
		if !ok {
			return v, errors.New("no file in the vector")
		}
		v.file = rest
		if len(line) == 0 {
			break
		}
		name, value, _ := strings.Cut(string(line), ": ")
		switch name {
		case "expect":
			v.expect = value
		case "payload":
			v.payload = value
		case "armored":
			v.armored = true
		case "compressed":
			compressed = true
		case "identity", "passphrase":
			id, err := ageIdentity(name, value)
			if err != nil {
				return v, err
			}
			v.identities = append(v.identities, id)
		case "comment", "file key":
		default:
			return v, fmt.Errorf("unknown field %q", name)
		}
	}
	if !compressed {
		return v, nil
	}
	r, err := zlib.NewReader(bytes.NewReader(v.file))
	if err != nil {
		return v, err
	}
	v.file, err = io.ReadAll(r)
	return v, err
}

func ageIdentity(kind, value string) (age.Identity, error) {
	if kind == "passphrase" {
		return age.NewScryptIdentity(value)
	}
	if id, err := age.ParseX25519Identity(value); err == nil {
		return id, nil
	}
	return age.ParseHybridIdentity(value)
}

// decrypt reads the file to its verified end and says how that went in the words
// of the suite.
func (v *ageVector) decrypt() (plain []byte, outcome string) {
	var in io.Reader = bytes.NewReader(v.file)
	if v.armored {
		in = armor.NewReader(in)
	}
	failed := func(err error, otherwise string) string {
		if e := new(armor.Error); errors.As(err, &e) {
			return "armor failure"
		}
		if e := new(age.NoIdentityMatchError); errors.As(err, &e) {
			return "no match"
		}
		if strings.HasSuffix(err.Error(), "bad header MAC") {
			return "HMAC failure"
		}
		return otherwise
	}
	r, err := age.Decrypt(in, v.identities...)
	if err != nil {
		return nil, failed(err, "header failure")
	}
	plain, err = io.ReadAll(r)
	if err != nil {
		return nil, failed(err, "payload failure")
	}
	return plain, "success"
}

// The age library as pinned does what the suite says, and package envelope never
// opens what should not open.
func TestCCTVAge(t *testing.T) {
	count := map[string]int{}
	err := fs.WalkDir(agetest.Vectors, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(agetest.Vectors, path)
		if err != nil {
			return err
		}
		v, err := parseAgeVector(raw)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		count[v.expect]++
		plain, outcome := v.decrypt()
		if outcome != v.expect {
			t.Errorf("%s: %s, want %s", path, outcome, v.expect)
		}
		sum := sha256.Sum256(plain)
		if outcome == "success" && hex.EncodeToString(sum[:]) != v.payload {
			t.Errorf("%s: another payload", path)
		}
		checkEnvelope(t, path, &v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(count)
	if count["success"] < 20 || count["header failure"] < 50 || count["payload failure"] < 15 {
		t.Errorf("the suite is not all there: %v", count)
	}
}

// checkEnvelope reads the vector, and the vector grown to a size envelopes have,
// as package envelope does. None of them is padded as ours are.
func checkEnvelope(t *testing.T, path string, v *ageVector) {
	t.Helper()
	grown := append(bytes.Clone(v.file), make([]byte, max(0, 2048-len(v.file)))...)
	for _, stanza := range []string{envelope.StanzaHybrid, envelope.StanzaRatchet, "X25519", "scrypt"} {
		for _, id := range v.identities {
			for _, file := range [][]byte{v.file, grown} {
				if _, err := envelope.OpenAs(stanza, id, file); err == nil {
					t.Errorf("%s: opened as an envelope", path)
				}
			}
		}
	}
}
