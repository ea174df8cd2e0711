package cryptvfs

import (
	"testing"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

func TestDatabaseLocks(t *testing.T) {
	const (
		none      = sqlite3.SQLITE_LOCK_NONE
		shared    = sqlite3.SQLITE_LOCK_SHARED
		reserved  = sqlite3.SQLITE_LOCK_RESERVED
		exclusive = sqlite3.SQLITE_LOCK_EXCLUSIVE
		busy      = sqlite3.SQLITE_BUSY
	)
	x := &index{}
	a, b, reader := &mainHandle{}, &mainHandle{}, &mainHandle{readOnly: true}
	lock := func(h *mainHandle, level, expected int32) {
		t.Helper()
		if rc := x.lock(h, level); rc != expected {
			t.Errorf("result %d, want %d", rc, expected)
		}
	}
	lock(a, shared, 0)
	lock(b, shared, 0)
	lock(reader, shared, 0)
	lock(reader, reserved, busy)
	lock(reader, exclusive, busy)
	lock(a, reserved, 0)
	lock(b, reserved, busy)
	lock(b, exclusive, busy)
	if !x.isReserved() {
		t.Error("not reserved")
	}
	lock(a, exclusive, busy) // waits for b and reader; nobody new comes in
	c := &mainHandle{}
	lock(c, shared, busy)
	x.unlock(b, none)
	x.unlock(reader, none)
	lock(a, exclusive, 0)
	lock(a, shared, 0) // has more already
	lock(b, shared, busy)
	x.unlock(a, shared)
	lock(b, shared, 0)
	if x.isReserved() || x.levelOf(a) != shared {
		t.Error(x.levelOf(a))
	}
	x.unlock(a, none)
	x.unlock(a, none)
	x.leave(b)
	if x.shared != 0 {
		t.Error(x.shared)
	}
}

func TestIndexLocks(t *testing.T) {
	const (
		take, give = sqlite3.SQLITE_SHM_LOCK, sqlite3.SQLITE_SHM_UNLOCK
		read, excl = sqlite3.SQLITE_SHM_SHARED, sqlite3.SQLITE_SHM_EXCLUSIVE
	)
	tls := libc.NewTLS()
	defer tls.Close()
	x := &index{}
	a, b := &mainHandle{}, &mainHandle{}
	lock := func(h *mainHandle, from, n int, flags, expected int32) {
		t.Helper()
		if rc := x.lockRegion(h, from, n, flags); rc != expected {
			t.Errorf("result %d, want %d", rc, expected)
		}
	}
	if p, rc := x.region(tls, a, 0, 100, false); p != 0 || rc != 0 {
		t.Error("made without being asked", p, rc)
	}
	p, rc := x.region(tls, a, 1, 100, true)
	if p == 0 || rc != 0 || len(x.regions) != 2 || bytesAt(p, 100)[99] != 0 {
		t.Error(p, rc)
	}
	if q, _ := x.region(tls, b, 1, 100, false); q != p {
		t.Error("another place")
	}
	lock(a, 3, 1, take|read, 0)
	lock(a, 3, 1, take|read, 0)
	lock(b, 3, 1, take|read, 0)
	lock(b, 3, 1, take|excl, sqlite3.SQLITE_BUSY)
	lock(b, 2, 3, take|excl, sqlite3.SQLITE_BUSY) // all or none
	lock(a, 2, 1, take|excl, 0)
	lock(b, 2, 1, take|read, sqlite3.SQLITE_BUSY)
	lock(b, 3, 1, give|read, 0)
	lock(a, 3, 1, take|excl, 0) // beside its own reading
	lock(a, 7, 2, take|read, sqlite3.SQLITE_IOERR_SHMLOCK)
	lock(a, -1, 1, take|read, sqlite3.SQLITE_IOERR_SHMLOCK)
	x.unmap(tls, a)
	x.unmap(tls, a)
	lock(b, 0, 8, take|excl, 0)
	x.unmap(tls, b)
	if x.users != 0 || x.regions != nil || x.readers != [8]int{} || x.writers != [8]*mainHandle{} {
		t.Error("something is left")
	}
}
