package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// stepSizes are those of a short message: a ratchet state and a sealed envelope.
const (
	benchPeerSize    = 2 << 10
	benchPayloadSize = 300
	benchInnerSize   = 1 << 10
)

func numbered16(kind byte, n int) (id [16]byte) {
	// Spread like random ids: the first bytes decide where the index is written.
	binary.BigEndian.PutUint64(id[:], uint64(n)*0x9e3779b97f4a7c15)
	id[15] = kind
	return id
}

func numbered32(kind byte, n int) (id [32]byte) {
	a := numbered16(kind, n)
	copy(id[:], a[:])
	id[31] = kind
	return id
}

// benchStep is what the core does for one message: the way of storage that the
// throughput of the whole application hangs on.
func benchStep(tx *Tx, n int) error {
	person := chat.PersonID(numbered32(1, n%8+1))
	if _, err := tx.Contact(person); err != nil {
		return err
	}
	state, err := tx.Peer(person)
	if err != nil {
		return err
	}
	m := chat.Message{
		ID: numbered16(2, n), Conversation: numbered16(3, n%8+1), Sender: person,
		Kind: chat.KindText, Text: benchText, SentAt: t0, ReceivedAt: t0, State: chat.Received, Seq: uint64(n),
	}
	if _, err := tx.InsertMessage(m); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(state, uint64(n))
	if err := tx.PutPeer(person, state); err != nil {
		return err
	}
	_, err = tx.AddOutbox(chat.OutboxItem{
		Contact: person, Message: m.ID, Type: 2, CreatedAt: t0,
		Payload: make([]byte, benchPayloadSize), Inner: make([]byte, benchInnerSize), Ctr: uint64(n),
	})
	if err != nil {
		return err
	}
	return tx.PutSeen(numbered32(4, n), person, t0, true)
}

const benchText = "Können wir das Treffen auf Donnerstag, 14 Uhr verschieben? Ich bin vorher beim Zahnarzt."

func benchPeople(tx *Tx) error {
	for i := 1; i <= 8; i++ {
		person := chat.PersonID(numbered32(1, i))
		if err := tx.PutContact(chat.Contact{ID: person, Name: fmt.Sprint("Person ", i), AddedAt: t0}); err != nil {
			return err
		}
		if err := tx.PutPeer(person, make([]byte, benchPeerSize)); err != nil {
			return err
		}
		if err := tx.PutConversation(numbered16(3, i), person, t0); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkStep runs a message's step alone (one commit each) and with 64 callers
// at once, and before each the same statements through database/sql and modernc
// alone: one transaction a message, and 64 messages in one.
func BenchmarkStep(b *testing.B) {
	var single, pipelined cost
	b.Run("single/raw", func(b *testing.B) { single = benchRaw(b, 1) })
	b.Run("single/kuvert", func(b *testing.B) { benchUpdates(b, 1).compare(b, single) })
	b.Run("pipelined64/raw", func(b *testing.B) { pipelined = benchRaw(b, 64) })
	b.Run("pipelined64/kuvert", func(b *testing.B) { benchUpdates(b, 64).compare(b, pipelined) })
}

// cost is what one operation took, in nanoseconds.
type cost struct{ wall, cpu float64 }

// measure starts the clocks; the returned function stops them and reports the
// processor time.
func measure(b *testing.B) (stop func() cost) {
	b.ReportAllocs()
	b.ResetTimer()
	from := cpuTime()
	return func() cost {
		n := float64(b.N)
		c := cost{float64(b.Elapsed().Nanoseconds()) / n, float64((cpuTime() - from).Nanoseconds()) / n}
		b.ReportMetric(c.cpu/1e3, "cpu-µs/op")
		return c
	}
}

// compare reports how many times as much as the bare driver it took.
func (c cost) compare(b *testing.B, raw cost) {
	if raw.wall > 0 && raw.cpu > 0 {
		b.ReportMetric(c.wall/raw.wall, "×raw-wall")
		b.ReportMetric(c.cpu/raw.cpu, "×raw-cpu")
	}
}

func benchUpdates(b *testing.B, callers int) cost {
	s := newTest(b)
	put(b, s, benchPeople)
	numbers := make(chan int)
	go func() {
		defer close(numbers)
		for i := range b.N {
			numbers <- i
		}
	}()
	stop := measure(b)
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for n := range numbers {
				if err := s.Update(context.Background(), func(tx *Tx) error { return benchStep(tx, n) }); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	return stop()
}

// rawSteps are the statements of benchStep.
var rawSteps = []string{
	"SELECT " + contactColumns + " FROM contact WHERE id = ?1",
	"SELECT state FROM peer WHERE contact = ?1",
	"SELECT num, unread, last, last_seq, last_id, last_kind, last_at FROM conversation WHERE id = ?1",
	`INSERT INTO message (id, conversation, seq, kind, state, unread, sent_at, received_at, sender, reply_to, text)
		VALUES (?1, ?2, ?3, 1, 6, 1, ?4, ?4, ?5, x'', ?6)`,
	`UPDATE conversation SET unread = unread + 1, last = ?2, last_seq = ?3, last_id = ?4, last_kind = 1, last_at = ?5 WHERE id = ?1`,
	"UPDATE peer SET state = ?2 WHERE contact = ?1",
	`INSERT INTO outbox (contact, message, type, counted, session, ctr, number, sealed_at, created_at, sent_at, attempts, next_at, payload, inner)
		VALUES (?1, ?2, 2, 1, x'', ?3, 0, 0, ?4, 0, 0, 0, ?5, ?6)`,
	"INSERT INTO seen (hash, person, at, asks) VALUES (?1, ?2, ?3, 1)",
}

func benchRaw(b *testing.B, perCommit int) cost {
	path := filepath.Join(b.TempDir(), "raw.db")
	s := openTest(b, path)
	put(b, s, benchPeople)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite", plainDSN(plainCopy(b, path), accessWrite))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	stmts := make([]*sql.Stmt, len(rawSteps))
	for i, q := range rawSteps {
		if stmts[i], err = db.Prepare(q); err != nil {
			b.Fatal(err)
		}
	}
	stop := measure(b)
	for n := 0; n < b.N; {
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < perCommit && n < b.N; i++ {
			if err := rawStep(tx, stmts, n); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return stop()
}

func rawStep(tx *sql.Tx, stmts []*sql.Stmt, n int) error {
	person, conversation := numbered32(1, n%8+1), numbered16(3, n%8+1)
	id, hash := numbered16(2, n), numbered32(4, n)
	at := t0.UnixMilli()
	row := make([]any, 9)
	for i := range row {
		row[i] = new(any)
	}
	if err := tx.Stmt(stmts[0]).QueryRow(person[:]).Scan(row...); err != nil {
		return err
	}
	if err := tx.Stmt(stmts[1]).QueryRow(person[:]).Scan(row[:1]...); err != nil {
		return err
	}
	if err := tx.Stmt(stmts[2]).QueryRow(conversation[:]).Scan(row[:7]...); err != nil {
		return err
	}
	num := *row[0].(*any)
	for i, args := range [][]any{
		{id[:], num, n, at, person[:], benchText},
		{conversation[:], n, n, id[:], at},
		{person[:], make([]byte, benchPeerSize)},
		{person[:], id[:], n, at, make([]byte, benchPayloadSize), make([]byte, benchInnerSize)},
		{hash[:], person[:], at},
	} {
		if _, err := tx.Stmt(stmts[3+i]).Exec(args...); err != nil {
			return err
		}
	}
	return nil
}

// The size of a heavy user's profile.
const (
	benchMessages      = 100_000
	benchConversations = 200
)

// BenchmarkRead reads what the screens show from 100,000 messages in 200
// conversations, beside the same queries through database/sql and modernc alone.
func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "kuvert.db")
	s := openTest(b, path)
	fillHistory(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	raw := benchRawReads(b, path)
	s = openTest(b, path)
	half := &chat.Position{Seq: benchMessages / 2}
	newest := chat.MessageQuery{Conversation: numbered16(3, 1)}
	older := chat.MessageQuery{Conversation: numbered16(3, 1), Before: half}
	for _, q := range []struct {
		name  string
		query func(*ReadTx) (int, error)
	}{
		{"conversations", func(tx *ReadTx) (int, error) { l, err := tx.Conversations(); return len(l), err }},
		{"newest50", func(tx *ReadTx) (int, error) { l, err := tx.Messages(newest); return len(l), err }},
		{"older50", func(tx *ReadTx) (int, error) { l, err := tx.Messages(older); return len(l), err }},
		{"message", func(tx *ReadTx) (int, error) { _, err := tx.Message(numbered16(2, 7)); return 1, err }},
	} {
		b.Run(q.name+"/kuvert", func(b *testing.B) {
			stop := measure(b)
			for b.Loop() {
				view(b, s, func(tx *ReadTx) error {
					n, err := q.query(tx)
					if n == 0 {
						b.Fatal("empty")
					}
					return err
				})
			}
			stop().compare(b, raw[q.name])
		})
	}
}

func fillHistory(b *testing.B, s *Store) {
	b.Helper()
	for i := 0; i < benchMessages; {
		put(b, s, func(tx *Tx) error {
			for range 1000 {
				in := i%benchConversations + 1
				if i < benchConversations {
					if err := tx.PutConversation(numbered16(3, in), chat.PersonID(numbered32(1, in)), t0); err != nil {
						return err
					}
				}
				m := chat.Message{
					ID: numbered16(2, i), Conversation: numbered16(3, in), Sender: numbered32(1, in),
					Kind: chat.KindText, Text: benchText, SentAt: t0, ReceivedAt: t0.Add(time.Duration(i) * time.Second),
					State: chat.Received, Seq: uint64(i),
				}
				if _, err := tx.InsertMessage(m); err != nil {
					return err
				}
				i++
			}
			return nil
		})
	}
}

// plainCopy writes a database without encryption, as SQLite itself would have it.
func plainCopy(b *testing.B, path string) string {
	b.Helper()
	c, done := openRaw(b, path, accessWrite)
	system := map[bool]string{true: "win32", false: "unix"}[runtime.GOOS == "windows"]
	plain := path + ".plain"
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(plain), RawQuery: "vfs=" + system}
	_, err := c.exec("VACUUM INTO ?", u.String())
	if err := errors.Join(err, done()); err != nil {
		b.Fatal(err)
	}
	return plain
}

func plainDSN(path string, a access) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: a.settings().Encode()}
	return u.String()
}

// benchRawReads returns what each query took.
func benchRawReads(b *testing.B, path string) map[string]cost {
	db, err := sql.Open("sqlite", plainDSN(plainCopy(b, path), accessRead))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	id := numbered16(2, 7)
	took := make(map[string]cost)
	for _, q := range []struct {
		name, query string
		columns     int
		args        []any
	}{
		{"conversations", conversationQuery + " ORDER BY c.last_at DESC, c.num DESC", 17, nil},
		{"newest50", pageOf + newestFirst, 10, []any{1, -1, []byte{}, benchMessages, []byte{}, 50}},
		{"older50", pageOf + newestFirst, 10, []any{1, -1, []byte{}, benchMessages / 2, []byte{}, 50}},
		{"message", "SELECT " + messageColumns + " FROM message m WHERE m.id = ?", 10, []any{id[:]}},
		{"naive-list", "SELECT conversation, max(seq), sum(unread) FROM message GROUP BY conversation", 3, nil},
	} {
		st, err := db.Prepare(q.query)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(q.name+"/raw", func(b *testing.B) {
			stop := measure(b)
			for b.Loop() {
				if n := rawRows(b, st, q.columns, q.args); n == 0 {
					b.Fatal("empty")
				}
			}
			took[q.name] = stop()
		})
	}
	return took
}

func rawRows(b *testing.B, st *sql.Stmt, columns int, args []any) (n int) {
	rows, err := st.Query(args...)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	dest := make([]any, columns)
	for i := range dest {
		dest[i] = new(any)
	}
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return n
}
