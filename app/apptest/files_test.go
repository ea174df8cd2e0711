package apptest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/attachment"
	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
)

func randomFile(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func TestFilesArrive(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		files := map[string][]byte{"Bericht.pdf": randomFile(700_000), "leer.txt": nil}
		m := alice.SendsFiles(bob, "", files, "Bericht.pdf", "leer.txt")
		bob.Receives(m)
		for i, name := range []string{"Bericht.pdf", "leer.txt"} {
			bob.SeesFile(m, i, chat.FileHere)
			info := bob.FileState(m, i)
			if info.File.Name != name || info.File.Size != int64(len(files[name])) || info.Got != info.Total {
				t.Errorf("%+v", info)
			}
			if !bytes.Equal(bob.Saves(m, i), files[name]) || !bytes.Equal(alice.Saves(m, i), files[name]) {
				t.Errorf("%s is another file", name)
			}
		}
		got, err := bob.Core.Message(context.Background(), m)
		w.check(err)
		if len(got.Attachments) != 2 || got.Attachments[0].MediaType != "application/pdf" || got.Text != "" {
			t.Errorf("%+v", got)
		}
		if info := alice.FileState(m, 0); info.Given < info.Total {
			t.Errorf("alice gave %d of %d", info.Given, info.Total)
		}
	})
}

// What lies on either disk is sealed, and no name is to be seen.
func TestFilesLieSealed(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		secret := []byte(strings.Repeat("GEHEIM ", 30_000))
		m := alice.SendsFiles(bob, "x", map[string][]byte{"geheim.txt": secret}, "geheim.txt")
		bob.SeesFile(m, 0, chat.FileHere)
		for _, p := range []*Person{alice, bob} {
			names, err := os.ReadDir(p.path + ".files")
			w.check(err)
			for _, e := range names {
				b, err := os.ReadFile(filepath.Join(p.path+".files", e.Name()))
				w.check(err)
				if bytes.Contains(b, []byte("GEHEIM")) || strings.Contains(e.Name(), "geheim") {
					t.Errorf("%s: %s tells", p.Name, e.Name())
				}
			}
			if len(names) != 2 {
				t.Errorf("%s has %v", p.Name, names)
			}
		}
	})
}

func TestALargeFileComesWhenAskedFor(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		w.check(bob.Core.SetSetting(context.Background(), core.SettingFileLimit, "1"))
		content := randomFile(1<<20 + 1)
		m := alice.SendsFiles(bob, "gross", map[string][]byte{"film.mp4": content}, "film.mp4")
		bob.SeesFile(m, 0, chat.FileOffered)
		w.Advance(time.Hour)
		if err := bob.Core.SaveFile(context.Background(), m, 0, filepath.Join(w.dir, "x")); !errors.Is(err, chat.ErrFileNotHere) {
			t.Errorf("saved before it is here: %v", err)
		}
		w.check(bob.Core.FetchFile(context.Background(), m, 0))
		bob.SeesFile(m, 0, chat.FileHere)
		if !bytes.Equal(bob.Saves(m, 0), content) {
			t.Error("another file")
		}
	})
}

// A connection that breaks, a program that ends: no block comes twice.
func TestAFileGoesOnWhereItStopped(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		blocks := map[int64]int{}
		stop := int64(7)
		w.Net.SetFileFault(func(_ string, want core.FileWant, i int64, b []byte) ([]byte, error) {
			if want.Hashes {
				return b, nil
			}
			if i == stop {
				return nil, errBroken
			}
			blocks[i]++
			return b, nil
		})
		content := randomFile(40 * attachment.BlockSize)
		m := alice.SendsFiles(bob, "x", map[string][]byte{"a.bin": content}, "a.bin")
		bob.Receives(m)
		w.Advance(2 * time.Second)
		if info := bob.FileState(m, 0); info.File.State != chat.FileWaiting || info.Got != 7*attachment.BlockSize {
			t.Errorf("%+v", info)
		}
		w.Section("bob ends his program, alice hers")
		bob.Restarts()
		stop = 20
		alice.Restarts()
		w.Advance(time.Minute)
		if info := bob.FileState(m, 0); info.Got != 20*attachment.BlockSize {
			t.Errorf("%+v", info)
		}
		w.Section("a pause")
		w.check(bob.Core.PauseFile(context.Background(), m, 0))
		stop = -1
		w.Advance(10 * time.Minute)
		if info := bob.FileState(m, 0); info.File.State != chat.FilePaused || info.Got != 20*attachment.BlockSize {
			t.Errorf("%+v", info)
		}
		w.check(bob.Core.FetchFile(context.Background(), m, 0))
		bob.SeesFile(m, 0, chat.FileHere)
		if !bytes.Equal(bob.Saves(m, 0), content) {
			t.Error("another file")
		}
		for i, n := range blocks {
			if n != 1 {
				t.Errorf("block %d came %d times", i, n)
			}
		}
	})
}

// Who lies about blocks or hashes brings nothing onto the disk.
func TestLiesAboutAFile(t *testing.T) {
	for name, c := range map[string]struct {
		fault FileFault
		want  chat.FileState
	}{
		"manifest": {func(_ string, w core.FileWant, _ int64, b []byte) ([]byte, error) {
			if w.Hashes {
				b[3] ^= 1
			}
			return b, nil
		}, chat.FileDamaged},
		"short manifest": {func(_ string, w core.FileWant, _ int64, b []byte) ([]byte, error) {
			if w.Hashes {
				b = b[:32]
			}
			return b, nil
		}, chat.FileDamaged},
		"block": {func(_ string, w core.FileWant, i int64, b []byte) ([]byte, error) {
			if !w.Hashes && i == 2 {
				b[3] ^= 1
			}
			return b, nil
		}, chat.FileDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			Run(t, func(w *World) {
				alice, bob := w.Person("alice"), w.Person("bob")
				w.Pair(alice, bob)
				w.Net.SetFileFault(c.fault)
				m := alice.SendsFiles(bob, "x", map[string][]byte{"a.bin": randomFile(300_000)}, "a.bin")
				bob.SeesFile(m, 0, c.want)
				w.Advance(time.Hour)
				if left, _ := os.ReadDir(bob.path + ".files"); len(left) != 0 {
					t.Errorf("left on the disk: %v", left)
				}
				w.Section("the other side is mended, and bob asks again")
				w.Net.SetFileFault(nil)
				w.check(bob.Core.FetchFile(context.Background(), m, 0))
				bob.SeesFile(m, 0, chat.FileHere)
			})
		})
	}
}

// hostileMessage lets a person send a message of their own making: it is put into
// the outbox behind the core's back, and goes with the next one.
func hostileMessage(w *World, from, to *Person, b envelope.MessageBody) chat.MessageID {
	w.T.Helper()
	id := chat.NewMessageID()
	payload, err := canon.Marshal(struct {
		Type         uint8      `cbor:"1,keyasint"`
		Conversation [16]byte   `cbor:"2,keyasint"`
		Seq          uint64     `cbor:"3,keyasint"`
		Parents      [][16]byte `cbor:"4,keyasint"`
		Sent         int64      `cbor:"5,keyasint"`
		Body         []byte     `cbor:"6,keyasint"`
	}{envelope.TypeMessage, from.With(to), 50, nil, time.Now().UnixMilli(), body(w.T, b)})
	w.check(err)
	w.check(from.store.Update(context.Background(), func(tx core.Tx) error {
		_, err := tx.AddOutbox(chat.OutboxItem{Contact: to.Me(), Message: id, Type: envelope.TypeMessage, Payload: payload, CreatedAt: time.Now()})
		return err
	}))
	from.Sends(to, "and more")
	return id
}

// A file that is another one than its message announced is put aside: nothing opens
// it.
func TestAWrongHashIsPutAside(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		m := alice.SendsFiles(bob, "x", map[string][]byte{"a.bin": randomFile(1000)}, "a.bin")
		bob.SeesFile(m, 0, chat.FileHere)
		var lie envelope.File
		w.check(alice.store.View(context.Background(), func(tx core.ReadTx) error {
			all, err := tx.Files(m)
			f := all[0]
			lie = envelope.File{Identity: f.Identity, Sealed: f.Sealed, Size: f.Size, Hash: [32]byte{1}, Manifest: f.Manifest, Name: "b.bin", MediaType: "x/y"}
			return err
		}))
		bad := hostileMessage(w, alice, bob, envelope.MessageBody{Files: []envelope.File{lie}})
		bob.SeesFile(bad, 0, chat.FileDamaged)
		if err := bob.Core.SaveFile(context.Background(), bad, 0, filepath.Join(w.dir, "x")); !errors.Is(err, chat.ErrFileDamaged) {
			t.Errorf("%v", err)
		}
		w.Section("the honest message's file is still there")
		bob.SeesFile(m, 0, chat.FileHere)
		_ = bob.Saves(m, 0)
		w.Section("alone, it is put aside")
		_, err := bob.Core.CleanFiles(context.Background(), time.Now().Add(time.Hour))
		w.check(err)
		w.check(bob.Core.FetchFile(context.Background(), bad, 0))
		bob.SeesFile(bad, 0, chat.FileDamaged)
		w.Advance(time.Minute)
		names, _ := os.ReadDir(bob.path + ".files")
		for _, e := range names {
			if strings.HasSuffix(e.Name(), ".age") {
				t.Errorf("%s stays", e.Name())
			}
		}
	})
}

func TestHostileMessagesWithFiles(t *testing.T) {
	Run(t, func(w *World) {
		mallory, bob := w.Person("mallory"), w.Person("bob")
		w.Pair(mallory, bob)
		m := mallory.SendsFiles(bob, "x", map[string][]byte{"a.bin": randomFile(1000)}, "a.bin")
		bob.SeesFile(m, 0, chat.FileHere)
		var good envelope.File
		w.check(mallory.store.View(context.Background(), func(tx core.ReadTx) error {
			all, err := tx.Files(m)
			f := all[0]
			good = envelope.File{Identity: f.Identity, Sealed: f.Sealed, Size: f.Size, Hash: f.SHA256, Manifest: f.Manifest, Name: "n", MediaType: "x/y"}
			return err
		}))
		w.Section("names are text")
		for _, name := range []string{"..", "../../x", `C:\CON`, "a\x00b", "\u202egpj.exe", "/etc/passwd"} {
			f := good
			f.Name = name
			id := hostileMessage(w, mallory, bob, envelope.MessageBody{Files: []envelope.File{f}})
			bob.SeesFile(id, 0, chat.FileHere)
			if got := bob.FileState(id, 0).File.Name; got != name {
				t.Errorf("%q became %q", name, got)
			}
		}
		w.Section("a thumbnail of 50,000 × 50,000 is left out")
		f := good
		f.Thumbnail = append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\xc3\x50\x00\x00\xc3\x50\x08\x06\x00\x00\x00"), 1, 2, 3, 4)
		id := hostileMessage(w, mallory, bob, envelope.MessageBody{Text: "bomb", Files: []envelope.File{f}})
		bob.Receives(id)
		if _, err := bob.Core.FilePicture(context.Background(), id, 0); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("thumbnail: %v", err)
		}
		w.Section("what does not fit together is refused")
		for what, change := range map[string]func(*envelope.File){
			"size":     func(f *envelope.File) { f.Size = 0; f.Sealed = 1 << 50 },
			"identity": func(f *envelope.File) { f.Identity = "AGE-SECRET-KEY-1QQQQ" },
		} {
			f := good
			change(&f)
			id := hostileMessage(w, mallory, bob, envelope.MessageBody{Text: what, Files: []envelope.File{f}})
			w.Advance(time.Minute)
			if _, err := bob.Core.Message(context.Background(), id); !errors.Is(err, chat.ErrNotFound) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// A file is given to those with whom it was shared alone.
func TestStrangersGetNoBlocks(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob, carol := w.Person("alice"), w.Person("bob"), w.Person("carol")
		w.Pair(alice, bob)
		w.Pair(alice, carol)
		m := alice.SendsFiles(bob, "x", map[string][]byte{"a.bin": randomFile(1000)}, "a.bin")
		bob.SeesFile(m, 0, chat.FileHere)
		var id chat.FileID
		w.check(alice.store.View(context.Background(), func(tx core.ReadTx) error {
			all, err := tx.Files(m)
			id = all[0].ID
			return err
		}))
		ctx := context.Background()
		for ref, ok := range map[string]bool{bob.Me().String(): true, carol.Me().String(): false, "": false, "invite:00": false, chat.PersonID{1}.String(): false} {
			f, err := alice.Core.GiveFile(ctx, ref, id)
			if (err == nil) != ok {
				t.Errorf("%.10q: %v", ref, err)
			}
			if err == nil {
				_ = f.Close()
			}
		}
		w.check(alice.Core.SetBlocked(ctx, bob.Me(), true))
		if _, err := alice.Core.GiveFile(ctx, bob.Me().String(), id); err == nil {
			t.Error("a blocked contact gets blocks")
		}
	})
}

func TestAFileThatIsGone(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		bob.GoesOffline()
		m := alice.SendsFiles(bob, "x", map[string][]byte{"a.bin": randomFile(100_000)}, "a.bin")
		freed, err := alice.Core.CleanFiles(context.Background(), time.Now().Add(time.Hour))
		w.check(err)
		if u, err := alice.Core.FileUsage(context.Background()); err != nil || u.Bytes != 0 || freed < 100_000 {
			t.Errorf("freed %d, %+v, %v", freed, u, err)
		}
		alice.SeesFile(m, 0, chat.FileRemoved)
		bob.ComesOnline()
		bob.SeesFile(m, 0, chat.FileMissing)
	})
}

func TestPhotosLoseWhatDoesNotShow(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		var b bytes.Buffer
		w.check(jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 400, 300)), nil))
		photo := append([]byte("\xff\xd8\xff\xe1\x00\x10Exif\x00\x00SECRETXX"), b.Bytes()[2:]...)
		files := map[string][]byte{"foto.jpg": photo}
		m := alice.SendsFiles(bob, "", files, "foto.jpg")
		bob.SeesFile(m, 0, chat.FileHere)
		if got := bob.Saves(m, 0); bytes.Contains(got, []byte("SECRET")) || !bytes.Equal(got, b.Bytes()) {
			t.Errorf("%d bytes", len(got))
		}
		small, err := bob.Core.FilePicture(context.Background(), m, 0)
		w.check(err)
		if cfg, err := jpeg.DecodeConfig(bytes.NewReader(small)); err != nil || cfg.Width != 320 {
			t.Errorf("%v, %v", cfg, err)
		}
		large, err := bob.Core.FileView(context.Background(), m, 0)
		w.check(err)
		if cfg, err := jpeg.DecodeConfig(bytes.NewReader(large)); err != nil || cfg.Width != 400 {
			t.Errorf("to look at: %v, %v", cfg, err)
		}
		w.Section("unless alice wants it otherwise")
		w.check(alice.Core.SetSetting(context.Background(), core.SettingPhotoData, "false"))
		m = alice.SendsFiles(bob, "", files, "foto.jpg")
		bob.SeesFile(m, 0, chat.FileHere)
		if !bytes.Equal(bob.Saves(m, 0), photo) {
			t.Error("changed")
		}
		w.Section("a damaged photo is not sent with it by accident")
		w.check(alice.Core.SetSetting(context.Background(), core.SettingPhotoData, "true"))
		bad := filepath.Join(w.dir, "bad.jpg")
		w.check(os.WriteFile(bad, photo[:200], 0o600))
		if _, err := alice.Core.Send(context.Background(), alice.With(bob), core.Outgoing{Files: []string{bad}}); !errors.Is(err, chat.ErrPhotoData) {
			t.Errorf("%v", err)
		}
	})
}

func TestWhatCannotBeSent(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		ok := filepath.Join(w.dir, "ok")
		w.check(os.WriteFile(ok, []byte("x"), 0o600))
		for name, c := range map[string]struct {
			out  core.Outgoing
			want error
		}{
			"nothing":      {core.Outgoing{}, chat.ErrEmpty},
			"missing":      {core.Outgoing{Files: []string{ok, filepath.Join(w.dir, "nothing")}}, chat.ErrFileAccess},
			"a folder":     {core.Outgoing{Files: []string{w.dir}}, chat.ErrUnsupported},
			"relative":     {core.Outgoing{Files: []string{"ok"}}, chat.ErrUnsupported},
			"17":           {core.Outgoing{Files: strings.Split(strings.Repeat(ok+" ", 17)[:17*len(ok)+16], " ")}, chat.ErrTooLong},
			"white spaces": {core.Outgoing{Text: " ", Files: []string{ok}}, chat.ErrEmpty},
		} {
			if _, err := alice.Core.Send(context.Background(), alice.With(bob), c.out); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if u, err := alice.Core.FileUsage(context.Background()); err != nil || u.Bytes != 0 {
			t.Errorf("left: %+v, %v", u, err)
		}
	})
}
