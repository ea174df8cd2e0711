//go:build !windows

package files

import (
	"os"
	"path/filepath"
	"testing"
)

// TestDesktopsOwnNames: a German desktop calls the folder otherwise.
func TestDesktopsOwnNames(t *testing.T) {
	dir := home(t)
	if err := os.Mkdir(filepath.Join(dir, "Heruntergeladen"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, ".config", "user-dirs.dirs"), 0)
	list := "# comment\nXDG_DOWNLOAD_DIR=\"$HOME/Heruntergeladen\"\nXDG_PICTURES_DIR=\"relative\"\n"
	if err := os.WriteFile(filepath.Join(dir, ".config", "user-dirs.dirs"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	places := Places()
	if len(places) != 2 || places[0].Path != filepath.Join(dir, "Heruntergeladen") || places[1].Path != dir {
		t.Errorf("places %+v", places)
	}
}
