package cryptvfs

import (
	"bytes"
	"context"
	"crypto/cipher"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

// sampleFiles are a database of some pages and a WAL that a kill left.
type sampleFiles struct{ main, wal []byte }

const sampleRows = 400

func makeSample(t testing.TB) (s sampleFiles) {
	t.Helper()
	path := newPath(t)
	db := openTest(t, path)
	c := connect(t, db, 1, "wal_autocheckpoint(0)")
	run(t, c, testSchema)
	run(t, c, insertMany, sampleRows-20)
	run(t, c, "INSERT INTO m(body) VALUES (?)", strings.Repeat("lang ", 5000)) // overflow pages
	run(t, c, "CREATE TABLE gone (b BLOB); INSERT INTO gone VALUES (zeroblob(20000)); DROP TABLE gone")
	run(t, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	for i := range 19 {
		run(t, c, "INSERT INTO m(body) VALUES (?)", fmt.Sprint("spät ", i))
	}
	s = sampleFiles{readFile(t, path), readFile(t, path+walSuffix)}
	closeAll(t, c, db)
	return s
}

// place writes the sample as a crash would leave it.
func (s sampleFiles) place(t testing.TB, path string) {
	t.Helper()
	if err := os.WriteFile(path, s.main, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + walSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if s.wal != nil {
		if err := os.WriteFile(path+walSuffix, s.wal, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// look opens the database, reads all of it and verifies it.
func look(path string) error {
	db, err := Open(path, &testKey)
	if err != nil {
		return err
	}
	return errors.Join(lookWith(db), db.Close())
}

func lookWith(db *Database) (err error) {
	if err := db.Verify(context.Background()); err != nil {
		return err
	}
	c, err := sql.Open("sqlite", uri(db))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetMaxOpenConns(1)
	if res := one(c, "PRAGMA integrity_check"); res != "ok" {
		return errors.New(res)
	}
	if n := one(c, "SELECT count(*) FROM m"); n != fmt.Sprint(sampleRows) {
		return fmt.Errorf("%s rows", n)
	}
	return nil
}

func TestSampleIsWhole(t *testing.T) {
	path := newPath(t)
	s := makeSample(t)
	s.place(t, path)
	if err := look(path); err != nil {
		t.Fatal(err)
	}
	if pagesIn(int64(len(s.main))) < 22 || len(s.wal) < 40*sealedFrame {
		t.Error(len(s.main), len(s.wal))
	}
}

// TestEveryFlippedBitIsFound flips one bit in the head, in every page, and in every
// record of the WAL.
func TestEveryFlippedBitIsFound(t *testing.T) {
	s := makeSample(t)
	path := newPath(t)
	r := rand.New(rand.NewPCG(1, 2))
	flip := func(b []byte, from, n int) func() {
		at, bit := from+r.IntN(n), byte(1)<<r.IntN(8)
		b[at] ^= bit
		return func() { b[at] ^= bit }
	}
	damaged := func(what string, undo func()) {
		t.Helper()
		defer undo()
		s.place(t, path)
		if err := look(path); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", what, err)
		}
	}
	wal := s.wal
	s.wal = nil // everything is in the database
	s.place(t, path)
	for n := int64(1); n <= pagesIn(int64(len(s.main))); n++ {
		damaged(fmt.Sprint("page ", n), flip(s.main, int(pageOffset(n)), pageSize))
	}
	for range 20 {
		damaged("head", flip(s.main, 0, headSize))
	}
	s.wal = wal
	damaged("WAL's head", flip(s.wal, 0, sealedHead))
	frames := (len(s.wal) - walStart) / sealedFrame
	for n := 1; n <= frames; n++ {
		at := int(frameOffset(int64(n)))
		damaged(fmt.Sprint("frame head ", n), flip(s.wal, at, sealedFrameHd))
		damaged(fmt.Sprint("frame ", n), flip(s.wal, at+sealedFrameHd, pageSize+overhead))
	}
	// Without its mark nothing is missing.
	undo := flip(s.wal, sealedHead, sealedMark)
	s.place(t, path)
	if err := look(path); err != nil {
		t.Error("mark:", err)
	}
	undo()
	// Cut short, the mark tells.
	for _, n := range []int{walStart, len(s.wal) / 2, len(s.wal) - 1} {
		whole := s.wal
		s.wal = whole[:n]
		damaged(fmt.Sprint("cut to ", n), func() { s.wal = whole })
	}
}

// TestMissingMarkIsFound is the control: without the mark a flipped bit in what
// was committed last passes for a torn end.
func TestMissingMarkIsFound(t *testing.T) {
	s := makeSample(t)
	path := newPath(t)
	clear(s.wal[sealedHead:walStart])
	s.wal[len(s.wal)-100] ^= 1
	s.place(t, path)
	if err := look(path); err == nil || errors.Is(err, ErrDamaged) {
		t.Error("found by other means:", err)
	}
}

// carelessAEAD opens without looking at the tag.
type carelessAEAD struct {
	cipher.AEAD
	key Key
}

func (c carelessAEAD) Open(dst, nonce, sealed, ad []byte) ([]byte, error) {
	sub, err := chacha20.HChaCha20(c.key[:], nonce[:16])
	if err != nil {
		return nil, err
	}
	stream, err := chacha20.NewUnauthenticatedCipher(sub, append(make([]byte, 4), nonce[16:]...))
	if err != nil {
		return nil, err
	}
	stream.SetCounter(1)
	n := len(sealed) - chacha20poly1305.Overhead
	out := append(dst, sealed[:n]...)
	stream.XORKeyStream(out[len(dst):], sealed[:n])
	return out, nil
}

// TestMissingTagCheckIsFound is the control: who does not look at the tags must be
// given another text without a word.
func TestMissingTagCheckIsFound(t *testing.T) {
	s := makeSample(t)
	s.wal = nil
	path := newPath(t)
	s.place(t, path)
	silent := 0
	for n := int64(2); n <= pagesIn(int64(len(s.main))); n++ {
		at := pageOffset(n) + usableSize - 20
		s.main[at] ^= 1
		s.place(t, path)
		if err := lookCarelessly(path); err == nil {
			silent++
		}
		s.main[at] ^= 1
	}
	if silent < 5 {
		t.Errorf("only %d flipped bits passed", silent)
	}
}

func lookCarelessly(path string) error {
	db, err := Open(path, &testKey)
	if err != nil {
		return err
	}
	db.keys.page.AEAD = carelessAEAD{db.keys.page.AEAD, *db.keys.page.inside}
	c, err := sql.Open("sqlite", uri(db))
	if err != nil {
		return err
	}
	err = nil
	if res := one(c, "PRAGMA integrity_check"); res != "ok" {
		err = errors.New(res)
	}
	return errors.Join(err, c.Close(), db.Close())
}

// TestSQLiteSeesDamage reads without Open's own look: SQLite gets an error for
// what is damaged while the database is open.
func TestSQLiteSeesDamage(t *testing.T) {
	s := makeSample(t)
	s.wal = nil
	path := newPath(t)
	s.place(t, path)
	db := openTest(t, path)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := bytes.Clone(s.main)
	for n := int64(2); n <= pagesIn(int64(len(b))); n++ {
		b[pageOffset(n)+77] ^= 4
	}
	if _, err := f.WriteAt(b[pageOffset(2):], pageOffset(2)); err != nil {
		t.Fatal(err)
	}
	c := connect(t, db, 1)
	if got := one(c, "SELECT sum(length(body)) FROM m"); !strings.HasPrefix(got, "error: disk I/O error") {
		t.Error(got)
	}
	if err := db.Verify(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	c.Close()
	if _, err := f.WriteAt(s.main, 0); err != nil {
		t.Fatal(err)
	}
}

func TestSwappedPiecesAreFound(t *testing.T) {
	s := makeSample(t)
	path := newPath(t)
	swap := func(b []byte, x, y, n int64) {
		was := bytes.Clone(b[x:][:n])
		copy(b[x:], b[y:][:n])
		copy(b[y:], was)
	}
	for name, c := range map[string]struct {
		b       []byte
		x, y, n int64
	}{
		"pages":  {s.main, pageOffset(20), pageOffset(21), pageSize},
		"frames": {s.wal, frameOffset(2), frameOffset(3), sealedFrame},
	} {
		whole := s
		if name == "pages" {
			s.wal = nil
		}
		swap(c.b, c.x, c.y, c.n)
		s.place(t, path)
		if err := look(path); !errors.Is(err, ErrDamaged) {
			t.Error(name, err)
		}
		swap(c.b, c.x, c.y, c.n)
		s = whole
	}
}

func TestOpenRefuses(t *testing.T) {
	s := makeSample(t)
	for name, c := range map[string]struct {
		main, wal []byte
		err       error
	}{
		"a WAL alone":            {nil, s.wal, ErrDamaged},
		"a WAL of another":       {s.main, append([]byte{1}, s.wal[1:]...), ErrDamaged},
		"a text":                 {bytes.Repeat([]byte("Sehr geehrte "), 900), nil, ErrNotEncrypted},
		"a plain database":       {append(emptyPage1(), make([]byte, 4096)...), nil, ErrNotEncrypted},
		"zeros":                  {make([]byte, 3*pageSize), nil, ErrNotEncrypted},
		"one byte":               {[]byte{7}, nil, ErrNotEncrypted},
		"half a head":            {s.main[:headSize/2], nil, ErrDamaged},
		"a head alone":           {s.main[:headSize], nil, ErrDamaged},
		"half of page 1":         {s.main[:headSize+100], nil, ErrDamaged},
		"no key check":           {append(append([]byte("kuvert"), s.main[6:32]...), make([]byte, 9000)...), nil, ErrNotEncrypted},
		"another magic":          {append([]byte("kuvert"), s.main[6:]...), nil, ErrDamaged},
		"pages cut, WAL missing": {s.main[:pageOffset(20)], nil, nil},
		"noise in place of WAL":  {s.main, bytes.Repeat([]byte{9}, 5000), ErrDamaged},
		"zeros in place of WAL":  {s.main, make([]byte, 3*sealedFrame), ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			if c.main != nil {
				sampleFiles{c.main, c.wal}.place(t, path)
			} else if err := os.WriteFile(path+walSuffix, c.wal, 0o600); err != nil {
				t.Fatal(err)
			}
			err := look(path)
			if err == nil || c.err != nil && !errors.Is(err, c.err) {
				t.Error(err)
			}
			if c.err == nil { // SQLite finds it, and may have written before
				return
			}
			if c.main == nil {
				if _, err := os.Stat(path); err == nil {
					t.Error("a database was made")
				}
			} else if !bytes.Equal(readFile(t, path), c.main) {
				t.Error("database was changed")
			}
			if c.wal != nil && !bytes.Equal(readFile(t, path+walSuffix), c.wal) {
				t.Error("WAL was changed")
			}
		})
	}
}

// TestTornPage1 is a crash in the middle of a checkpoint: page 1 is unfinished, and
// the WAL has it. Without the WAL it is damage.
func TestTornPage1(t *testing.T) {
	path := newPath(t)
	db := openTest(t, path)
	c := connect(t, db, 1, "wal_autocheckpoint(0)")
	run(t, c, testSchema)
	run(t, c, insertMany, sampleRows)
	s := sampleFiles{readFile(t, path), readFile(t, path+walSuffix)}
	closeAll(t, c, db)
	copy(s.main[headSize:][:sector], make([]byte, sector))
	s.place(t, path)
	if err := look(path); err != nil {
		t.Error(err)
	}
	s.wal = nil
	s.place(t, path)
	if err := look(path); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
	s.wal = []byte{}
	s.place(t, path)
	if err := look(path); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

// TestChecksumsCount: a frame that can be opened but does not follow the one before
// ends the log, as it does for SQLite.
func TestChecksumsCount(t *testing.T) {
	s := makeSample(t)
	k, err := derive(&testKey)
	if err != nil {
		t.Fatal(err)
	}
	x := box{aead: k.wal}
	b := s.wal[frameOffset(5)+sealedFrameHd:][:pageSize+overhead]
	page := bytes.Clone(x.openRecord(bytes.Clone(b), kindFramePage, 5))
	page[4000] ^= 1
	x.sealRecord(b, page, kindFramePage, 5)
	path := newPath(t)
	s.place(t, path)
	if _, err := Open(path, &testKey); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	}
}

// TestVerifyLooksAgainAfterACheckpoint: pages that the WAL had are excused only
// until they are written anew.
func TestVerifyLooksAgainAfterACheckpoint(t *testing.T) {
	s := makeSample(t)
	path := newPath(t)
	s.main[pageOffset(2)] ^= 1 // unfinished; the WAL has it
	s.place(t, path)
	db := openTest(t, path)
	if err := db.Verify(t.Context()); err != nil {
		t.Error("before:", err)
	}
	c := connect(t, db, 1)
	run(t, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := db.Verify(t.Context()); err != nil {
		t.Error("after:", err)
	}
	if err := db.main.f.(systemFile).damage(pageOffset(2)); err != nil {
		t.Fatal(err)
	}
	if err := db.Verify(t.Context()); !errors.Is(err, ErrDamaged) {
		t.Error("damaged:", err)
	}
}

// damage flips a bit.
func (f systemFile) damage(at int64) error {
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		return err
	}
	b[0] ^= 1
	_, err := f.WriteAt(b[:], at)
	return err
}

func TestNewDatabaseIsDurable(t *testing.T) {
	d := newMemDisk()
	db, err := open(memPath, &testKey, d)
	if err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	d.history = nil // the worst case: no name since
	d.restart(rand.New(rand.NewPCG(1, 1)))
	if n, err := d.size(memPath); err != nil || n != headSize+pageSize {
		t.Error(n, err)
	}
}
