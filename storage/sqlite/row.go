package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// row reads the columns of a result from left to right. The first column that
// does not hold what it should sets err, which conn.rows returns.
type row struct {
	values []driver.Value
	next   int
	err    error
}

func (r *row) value() driver.Value {
	if r.next >= len(r.values) {
		r.bad("none")
		return nil
	}
	v := r.values[r.next]
	r.next++
	return v
}

// bad notes a value that this code never wrote.
func (r *row) bad(got any) {
	if r.err == nil {
		r.err = fmt.Errorf("sqlite: column %d holds %T: %w", r.next, got, chat.ErrCorrupt)
	}
}

func (r *row) int64() int64 {
	v := r.value()
	n, ok := v.(int64)
	if !ok {
		r.bad(v)
	}
	return n
}

func (r *row) int() int       { return int(r.int64()) }
func (r *row) uint64() uint64 { return uint64(r.int64()) } //nolint:gosec // stored bit by bit
func (r *row) bool() bool     { return r.int64() != 0 }

func (r *row) time() time.Time { return instant(r.int64()) }

// instant is the inverse of millis.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (r *row) text() string {
	v := r.value()
	s, ok := v.(string)
	if !ok {
		r.bad(v)
	}
	return s
}

// blob returns nil for the empty blob.
func (r *row) blob() []byte {
	v := r.value()
	b, ok := v.([]byte)
	if !ok && v != nil {
		r.bad(v)
	}
	return b
}

func (r *row) id16() (id [16]byte) {
	r.fill(id[:])
	return id
}

func (r *row) id24() (id [24]byte) {
	r.fill(id[:])
	return id
}

func (r *row) id32() (id [32]byte) {
	r.fill(id[:])
	return id
}

// list reads what listText made.
func (r *row) list() (texts []string) {
	if err := json.Unmarshal([]byte(r.text()), &texts); err != nil {
		r.bad(err)
	}
	return texts
}

func (r *row) fill(dst []byte) {
	b := r.blob()
	if len(b) != 0 && len(b) != len(dst) {
		r.bad(b)
		return
	}
	copy(dst, b)
}
