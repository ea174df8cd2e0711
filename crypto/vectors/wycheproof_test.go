package vectors

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/c2sp/wycheproof"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
)

// unhex is a field of hexadecimal text.
type unhex []byte

func (h *unhex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// group and testCase hold the fields of all suites used here.
type group struct {
	PublicKey struct {
		Pk unhex `json:"pk"`
	} `json:"publicKey"`
	TagSize int        `json:"tagSize"`
	IVSize  int        `json:"ivSize"`
	Tests   []testCase `json:"tests"`
}

type testCase struct {
	ID      int      `json:"tcId"`
	Comment string   `json:"comment"`
	Flags   []string `json:"flags"`
	Result  string   `json:"result"`

	Public, Private, Shared unhex // X25519
	Msg, Sig, Tag           unhex // Ed25519, HMAC, AEAD
	Key, IV, AAD, CT        unhex
	IKM, Salt, Info, OKM    unhex // HKDF
	Size                    int
	Seed, M, EK, C          unhex // ML-KEM
	Shares                  unhex `json:"K"`
}

// forEach runs f on every case of a suite and holds their number against total.
func forEach(t *testing.T, name string, total int, f func(t *testing.T, g *group, c *testCase)) {
	t.Helper()
	raw, err := fs.ReadFile(wycheproof.TestVectors, name)
	if err != nil {
		t.Fatal(err)
	}
	var suite struct {
		TestGroups []group `json:"testGroups"`
	}
	if err := json.Unmarshal(raw, &suite); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range suite.TestGroups {
		g := &suite.TestGroups[i]
		for j := range g.Tests {
			n++
			f(t, g, &g.Tests[j])
		}
	}
	if n < total {
		t.Errorf("%s: %d cases, there should be %d", name, n, total)
	}
}

// want fails unless a case that is valid succeeded and an invalid one did not.
func (c *testCase) want(t *testing.T, ok bool) {
	t.Helper()
	if ok != (c.Result == "valid") {
		t.Errorf("case %d (%s, %v): succeeded: %v", c.ID, c.Comment, c.Flags, ok)
	}
}

func TestWycheproofX25519(t *testing.T) {
	refused := 0
	forEach(t, "x25519_test.json", 500, func(t *testing.T, _ *group, c *testCase) {
		priv, err := ecdh.X25519().NewPrivateKey(c.Private)
		if err != nil {
			t.Fatal(err)
		}
		shared, err := identity.ECDH(priv, [32]byte(c.Public))
		if zero := bytes.Equal(c.Shared, make([]byte, 32)); zero != (err != nil) {
			t.Errorf("case %d: all-zero %v, error %v", c.ID, zero, err)
		}
		if err != nil {
			refused++
			return
		}
		if !bytes.Equal(shared, c.Shared) {
			t.Errorf("case %d (%s): another result", c.ID, c.Comment)
		}
	})
	if refused == 0 {
		t.Error("no case with an all-zero result")
	}
}

func TestWycheproofEd25519(t *testing.T) {
	forEach(t, "ed25519_test.json", 150, func(t *testing.T, g *group, c *testCase) {
		c.want(t, ed25519.Verify(ed25519.PublicKey(g.PublicKey.Pk), c.Msg, c.Sig))
	})
}

func TestWycheproofMLKEM(t *testing.T) {
	forEach(t, "mlkem_768_test.json", 200, func(t *testing.T, _ *group, c *testCase) {
		dk, err := mlkem.NewDecapsulationKey768(c.Seed)
		if err != nil {
			c.want(t, false)
			return
		}
		shared, err := dk.Decapsulate(c.C)
		c.want(t, err == nil && bytes.Equal(shared, c.Shares))
	})
	forEach(t, "mlkem_768_keygen_seed_test.json", 100, func(t *testing.T, _ *group, c *testCase) {
		dk, err := mlkem.NewDecapsulationKey768(c.Seed)
		c.want(t, err == nil && bytes.Equal(dk.EncapsulationKey().Bytes(), c.EK))
	})
	forEach(t, "mlkem_768_encaps_test.json", 260, func(t *testing.T, _ *group, c *testCase) {
		ek, err := mlkem.NewEncapsulationKey768(c.EK)
		if err != nil {
			c.want(t, false)
			return
		}
		shared, ct, err := mlkemtest.Encapsulate768(ek, c.M)
		c.want(t, err == nil && bytes.Equal(shared, c.Shares) && bytes.Equal(ct, c.C))
	})
}

func TestWycheproofAEAD(t *testing.T) {
	for name, newAEAD := range map[string]func([]byte) (cipher.AEAD, error){
		"xchacha20_poly1305_test.json": chacha20poly1305.NewX,
		"chacha20_poly1305_test.json":  chacha20poly1305.New,
	} {
		forEach(t, name, 300, func(t *testing.T, g *group, c *testCase) {
			aead, err := newAEAD(c.Key)
			if err != nil {
				t.Fatal(err)
			}
			if len(c.IV) != aead.NonceSize() { // ours always have the right length
				c.want(t, false)
				return
			}
			sealed := append(bytes.Clone(c.CT), c.Tag...)
			plain, err := aead.Open(nil, c.IV, sealed, c.AAD)
			c.want(t, err == nil && bytes.Equal(plain, c.Msg))
			if c.Result == "valid" && !bytes.Equal(aead.Seal(nil, c.IV, c.Msg, c.AAD), sealed) {
				t.Errorf("case %d: another ciphertext", c.ID)
			}
		})
	}
}

func TestWycheproofHKDF(t *testing.T) {
	forEach(t, "hkdf_sha256_test.json", 80, func(t *testing.T, _ *group, c *testCase) {
		if c.Size > 255*sha256.Size {
			c.want(t, false) // no caller asks for so much; Derive panics
			return
		}
		c.want(t, bytes.Equal(kdf.Derive(c.IKM, c.Salt, string(c.Info), c.Size), c.OKM))
	})
}

func TestWycheproofHMAC(t *testing.T) {
	forEach(t, "hmac_sha256_test.json", 170, func(t *testing.T, g *group, c *testCase) {
		h := hmac.New(sha256.New, c.Key)
		h.Write(c.Msg)
		c.want(t, hmac.Equal(h.Sum(nil)[:g.TagSize/8], c.Tag))
	})
}
