package apptest

import (
	"context"
	"path/filepath"

	"github.com/kuvert-im/kuvert/app/core"
)

// backupWork keeps scrypt short.
const backupWork = 4

// BackupPassphrase opens everybody's backups.
const BackupPassphrase = "correct horse battery"

// Folder is a folder in the world, to put backups into.
func (w *World) Folder() string { return w.dir }

// BacksUp writes a backup of the running profile and returns its path.
func (p *Person) BacksUp(name string) string {
	p.w.T.Helper()
	path := filepath.Join(p.w.dir, name)
	_, err := p.Core.Backup(context.Background(), core.BackupOptions{Path: path, Passphrase: BackupPassphrase, Files: true})
	p.w.check(err)
	return path
}

// Restores puts a backup of somebody on another computer and starts it. The old one
// is left as it is.
func (w *World) Restores(p *Person, path string) *Person {
	w.T.Helper()
	n := w.NewComputer(p)
	_, err := core.Restore(context.Background(), n.store, n.files, core.RestoreSource{Path: path, Passphrase: BackupPassphrase})
	w.check(err)
	w.people = append(w.people, n)
	n.start()
	return n
}

// NewComputer is an empty profile folder for somebody, not started.
func (w *World) NewComputer(p *Person) *Person {
	w.T.Helper()
	n := &Person{Name: p.Name, w: w, path: p.path + "-new"}
	if w.Sim != nil {
		n.machine, n.discovery = w.Sim.Machine(p.Name+"-new"), true
	}
	n.open()
	return n
}

// Restore is core.Restore into the profile of NewComputer, which is closed after it.
func (p *Person) Restore(src core.RestoreSource) (core.Restored, error) {
	r, err := core.Restore(context.Background(), p.store, p.files, src)
	p.w.check(p.db.Close())
	return r, err
}
