package session

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// op is one thing that happens in a schedule.
type op struct{ what, who, a, b int }

const (
	opCompose = iota
	opSend
	opPost
	opFetch
	opLose
	opLink
	opUnlink
	opTick
	opSnapshot
	opRollback
	opRestore
	opClock
	opSendAll
	opDrain
	opClone
	opEmpty
	opSaveStore
	opOldStore
	opReplay
	opAsk
	ops
)

var opNames = [ops]string{
	"compose", "send", "post", "fetch", "lose", "link", "unlink", "tick", "snapshot",
	"ROLLBACK", "RESTORE", "CLOCK", "send all", "drain", "CLONE",
	"mailboxes emptied", "mailboxes copied", "MAILBOXES PUT BACK", "old status", "ask",
}

const day = 24 * time.Hour

var (
	ticks  = []time.Duration{time.Minute, 61 * time.Minute, day, 10 * day, 22 * day, 31 * day, 61 * day, 91 * day}
	clocks = []time.Duration{0, 3650 * day, -90 * day, 2 * day}
	fates  = []int{arrives, isLost, answerIsLost, isTampered}
)

func (o op) String() string {
	return fmt.Sprintf("%s %s %d %d", opNames[o.what], name(o.who), o.a, o.b)
}

func (w *world) do(o op) {
	w.note("%v", o)
	i := o.who
	switch o.what {
	case opCompose:
		w.compose(i)
	case opSend:
		w.pump(i)
		if rows := w.sealedRows(i); len(rows) > 0 {
			w.send(i, rows[o.a%len(rows)], fates[o.b%len(fates)])
		}
	case opPost:
		w.post(i, o.a)
	case opFetch:
		w.fetchOne(i, o.a, o.b%2 == 1)
	case opLose:
		if n := len(w.box[i]); n > 0 {
			w.box[i] = slices.Delete(w.box[i], o.a%n, o.a%n+1)
		}
	case opLink:
		w.link()
	case opUnlink:
		w.linked = false
	case opTick:
		w.tick(ticks[o.a%len(ticks)])
	case opClock:
		w.off[i] = clocks[o.a%len(clocks)]
	case opSendAll:
		if w.linked {
			w.sendAll(i)
		}
	case opDrain:
		w.drain(i)
	case opAsk:
		w.ask(i)
	case opEmpty, opSaveStore, opOldStore, opReplay:
		w.storeGoesWrong(o)
	default:
		w.putBack(o)
	}
	w.check()
}

func (w *world) fetchOne(i, k int, keep bool) {
	n := len(w.box[i])
	if n == 0 {
		return
	}
	b := w.box[i][k%n]
	if !keep {
		w.box[i] = slices.Delete(slices.Clone(w.box[i]), k%n, k%n+1)
	}
	w.fetch(i, b)
}

func (w *world) tick(d time.Duration) {
	w.now = w.now.Add(d)
	w.linked = false
	if d > 30*day {
		w.box = [2][]blob{}
	}
}

// storeGoesWrong: the machine that keeps the mailboxes loses everything, is put
// back to an older state, or hands out a status that it should have replaced.
func (w *world) storeGoesWrong(o op) {
	switch n := len(w.copies[o.who]); {
	case o.what == opEmpty:
		w.box = [2][]blob{}
	case o.what == opSaveStore:
		w.stores = append(w.stores, [2][]blob{slices.Clone(w.box[0]), slices.Clone(w.box[1])})
	case o.what == opOldStore && len(w.stores) > 0:
		old := w.stores[o.a%len(w.stores)]
		w.box = [2][]blob{slices.Clone(old[0]), slices.Clone(old[1])}
	case o.what == opReplay && n > 0:
		w.fetch(o.who, w.copies[o.who][o.a%n])
	}
}

func (w *world) putBack(o op) {
	i, n := o.who, len(w.snaps[o.who])
	switch {
	case o.what == opSnapshot:
		w.snaps[i] = append(w.snaps[i], w.disk[i].clone())
	case o.what == opClone && w.other[i] == nil:
		w.other[i] = w.disk[i].clone()
		w.rolled[i], w.linked = true, false
	case o.what == opClone:
		d := w.other[i]
		w.other[i] = w.disk[i]
		w.load(i, d)
	case o.what == opRollback && n > 0:
		w.load(i, w.snaps[i][o.a%n].clone())
	case o.what == opRestore && n > 0:
		w.load(i, w.snaps[i][o.a%n].clone())
		w.restored(i)
	}
}

// finish ends a schedule: a probe in one or both directions, and then everything
// must arrive. If a side is there twice, its two copies are on in turn, and so must
// what either has.
func (w *world) finish(byMail bool, probe int) {
	w.finishOne(byMail, probe)
	for i := range w.other {
		for range 2 {
			if w.other[i] == nil || len(w.bad) > 0 {
				break
			}
			w.do(op{what: opClone, who: i})
			w.now = w.now.Add(25 * time.Hour) // beyond the limit of handshakes
			w.finishOne(byMail, 1+i)
		}
	}
	if !byMail && len(w.bad) == 0 {
		w.idle()
	}
}

func (w *world) finishOne(byMail bool, probe int) {
	w.note("-- finish")
	_, met := w.peer(1).Public()
	if probe != 1 || !met {
		w.compose(0)
	}
	if probe != 2 && (probe == 0 || met) {
		w.compose(1)
	}
	before := w.began
	if byMail {
		w.finishByMail()
	} else {
		w.finishLinked()
	}
	if w.began-before > 4 {
		w.fault("more than 4 handshakes at the end")
	}
	w.lostCheck()
}

func (w *world) finishLinked() {
	w.box = [2][]blob{}
	for k := 0; k < 60 && !(k > 0 && w.quiet()); k++ {
		w.ask(0)
		w.ask(1)
		w.link()
		for range 4 {
			w.sendAll(0)
			w.sendAll(1)
		}
		w.check()
		if k >= 3 {
			w.now = w.now.Add(61 * time.Minute)
		}
	}
	if !w.quiet() {
		w.describe()
		w.fault("I8 never arrived, 60 h connected")
	}
}

// idle: the conversation goes on, and no more handshakes are needed.
func (w *world) idle() {
	before := w.began
	for k := 0; k < 4 && len(w.bad) == 0; k++ {
		w.now = w.now.Add(10 * day)
		w.linked = true
		w.compose(k % 2)
		for range 3 {
			w.hello()
			w.sendAll(0)
			w.sendAll(1)
			w.now = w.now.Add(61 * time.Minute)
		}
		if !w.quiet() {
			w.describe()
			w.fault("I8 stuck later")
		}
	}
	if w.began-before > 1 {
		w.fault("handshakes while all is well")
	}
}

func (w *world) finishByMail() {
	w.linked = false
	for range 40 {
		w.now = w.now.Add(day / 2)
		for i := range 2 {
			w.ask(i)
			w.drain(i)
			w.pump(i)
			w.postAll(i)
		}
		w.check()
		if w.quiet() {
			return
		}
	}
	if p := w.peer(0); w.never(1) && !p.offered().usable(w.clock(0)) {
		return // B never heard of A, and the bundle that A was given expired
	}
	w.describe()
	w.fault("I8 never arrived, 20 d by mailbox")
}

// never reports whether a party never heard of the other.
func (w *world) never(i int) bool {
	_, met := w.peer(i).Public()
	return !met
}

func (w *world) describe() {
	if !w.trace {
		return
	}
	for i := range w.disk {
		p := w.peer(i)
		waiting, sealed := 0, 0
		for _, r := range w.disk[i].rows {
			if !r.gone {
				waiting++
			}
			if !r.gone && r.sealed.Inner != nil {
				sealed++
			}
		}
		w.note("   %s: active %x want %v refetch %v due %v rows %d sealed %d inst %x peer inst %x usable %v alarmed %v", name(i),
			p.active[:2], p.want, p.refetch, p.due, waiting, sealed, w.self[i].inst[:2], p.inst[:2], p.offered().usable(w.clock(i)), p.alarmed)
		for _, s := range p.sessions {
			w.note("      %x hs %d mine %v confirmed %v tainted %v number %d opened %d ctr %d contig %d pending %d | hi %d contig %d islands %d",
				s.th[:2], s.hs, s.initiator, s.confirmed, s.tainted, s.out.number, s.out.opened, s.out.ctr, s.out.contig, s.out.pending,
				s.in.hi, s.in.contig, len(s.in.islands))
		}
	}
}

// profile is a kind of schedule.
type profile struct {
	name     string
	weights  [ops]int
	setup    int // -1: any; -2: not yet met
	byMail   bool
	min, max int
}

var profiles = []profile{
	{"first contact", [ops]int{opCompose: 4, opSend: 6, opPost: 6, opFetch: 6, opLose: 1, opLink: 2, opUnlink: 1, opTick: 2}, -2, false, 4, 24},
	{"established, long times", [ops]int{opCompose: 4, opSend: 4, opPost: 5, opFetch: 5, opLose: 2, opLink: 1, opTick: 4, opSendAll: 1}, 2, false, 4, 24},
	{"rollback and restore", [ops]int{
		opCompose: 5, opSend: 4, opPost: 4, opFetch: 4, opLose: 1, opLink: 2, opTick: 2,
		opSnapshot: 2, opRollback: 2, opRestore: 1, opSendAll: 1, opDrain: 1,
	}, -1, false, 4, 26},
	{"rollback and clock jumps", [ops]int{
		opCompose: 4, opSend: 3, opPost: 3, opFetch: 3, opLink: 2, opTick: 2,
		opSnapshot: 2, opRollback: 2, opRestore: 1, opClock: 2, opSendAll: 1,
	}, -1, false, 4, 22},
	{"mailbox only", [ops]int{opCompose: 5, opPost: 8, opFetch: 8, opLose: 3, opTick: 1, opDrain: 1}, -1, true, 4, 30},
	{"mailbox only, rollback", [ops]int{
		opCompose: 5, opPost: 6, opFetch: 6, opLose: 1, opTick: 1, opSnapshot: 2, opRollback: 2, opDrain: 2,
	}, 2, true, 4, 24},
	{"mailbox only, heavy loss", [ops]int{opCompose: 6, opPost: 8, opFetch: 4, opLose: 5, opTick: 3, opDrain: 2}, 2, true, 20, 60},
	{"mailbox only, bad store", [ops]int{
		opCompose: 6, opPost: 8, opFetch: 6, opLose: 2, opTick: 3, opDrain: 2,
		opEmpty: 1, opSaveStore: 2, opOldStore: 2, opReplay: 3,
	}, -1, true, 10, 50},
	{"mailbox only, bad store, rollback and restore", [ops]int{
		opCompose: 6, opPost: 8, opFetch: 6, opTick: 2, opDrain: 2, opSnapshot: 2, opRollback: 1, opRestore: 1,
		opEmpty: 1, opSaveStore: 2, opOldStore: 2, opReplay: 3,
	}, 2, true, 10, 40},
	{"two clones", [ops]int{
		opCompose: 5, opSend: 3, opPost: 3, opFetch: 3, opLink: 3, opTick: 3, opClone: 4, opSendAll: 2, opDrain: 1, opAsk: 1,
	}, -1, false, 4, 24},
}

func (pr *profile) calm() bool {
	return pr.weights[opRollback]+pr.weights[opRestore]+pr.weights[opClone] == 0
}

func (pr *profile) generate(rng *rand.Rand) (setup int, all []op) {
	setup = pr.setup
	if setup < 0 {
		setup = rng.IntN(4 + pr.setup) // -1: 0…2, -2: 0…1
		setup = min(setup, 2)
	}
	total := 0
	for _, x := range pr.weights {
		total += x
	}
	for range pr.min + rng.IntN(pr.max-pr.min) {
		o := op{who: rng.IntN(2), a: rng.IntN(8)}
		for x := rng.IntN(total); x >= pr.weights[o.what]; o.what++ {
			x -= pr.weights[o.what]
		}
		if rng.IntN(4) == 0 {
			o.b = 1 + rng.IntN(3)
		}
		if o.what == opTick && pr.byMail {
			o.a %= 6 // a mailbox keeps things for 30 days
		}
		all = append(all, o)
	}
	return setup, all
}

func (pr *profile) run(seed uint64, setup int, all []op, b bug, trace bool) *world {
	var s [32]byte
	binary.BigEndian.PutUint64(s[:], seed)
	w := newWorld(s, setup, b)
	w.trace = trace
	for _, o := range all {
		w.do(o)
	}
	w.finish(pr.byMail, len(all)%3)
	if pr.calm() && w.alarms > 0 {
		w.fault("an alarm where there was one installation")
	}
	return w
}

// shrink drops operations as long as the fault stays.
func (pr *profile) shrink(seed uint64, setup int, all []op, b bug, fault string) []op {
	for again := true; again; {
		again = false
		for k := 0; k < len(all); k++ {
			t := slices.Delete(slices.Clone(all), k, k+1)
			if slices.Contains(pr.run(seed, setup, t, b, false).bad, fault) {
				all, again = t, true
				k--
			}
		}
	}
	return all
}

type found struct {
	fault string
	seed  uint64
	setup int
	all   []op
	count int
}

// explore runs up to n schedules of a profile, until something goes wrong, and
// returns what did.
func (pr *profile) explore(n int, from uint64, b bug) map[string]*found {
	out := map[string]*found{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range next {
				setup, all := pr.generate(rand.New(rand.NewPCG(seed, 1)))
				w := pr.run(seed, setup, all, b, false)
				mu.Lock()
				for _, f := range w.bad {
					if out[f] == nil || len(all) < len(out[f].all) {
						c := 0
						if out[f] != nil {
							c = out[f].count
						}
						out[f] = &found{f, seed, setup, all, c}
					}
					out[f].count++
				}
				mu.Unlock()
			}
		})
	}
	failed := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(out) > 0
	}
	for k := uint64(0); k < uint64(n) && !failed(); k++ { //nolint:gosec // small
		next <- from + k
	}
	close(next)
	wg.Wait()
	return out
}

// schedules is how many schedules of each profile the tests run; the variable
// KUVERT_SCHEDULES asks for more.
func schedules(t *testing.T, usual int) int {
	t.Helper()
	if v := os.Getenv("KUVERT_SCHEDULES"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return usual / 10
	}
	return usual
}

// TestSchedules puts the real code through random schedules of everything that
// goes wrong, and checks the invariants.
func TestSchedules(t *testing.T) {
	from := uint64(1)
	if v := os.Getenv("KUVERT_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		from = n
	}
	for i := range profiles {
		pr := &profiles[i]
		t.Run(strings.ReplaceAll(pr.name, " ", "-"), func(t *testing.T) {
			for _, f := range pr.explore(schedules(t, 200), from, noBug) {
				all := pr.shrink(f.seed, f.setup, f.all, noBug, f.fault)
				w := pr.run(f.seed, f.setup, all, noBug, true)
				t.Errorf("%s (%d ×), seed %d, setup %d:\n%s", f.fault, f.count, f.seed, f.setup, strings.Join(w.log, "\n"))
			}
		})
	}
}

// TestPlantedFaults breaks what surrounds the rules, one thing at a time: the
// world must notice.
func TestPlantedFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some hundred schedules")
	}
	for _, x := range []struct {
		bug     bug
		profile int    // in which it shows soonest,
		from    uint64 // from about this seed on
	}{
		{outerDedup, 0, 1},
		{splitCommit, 0, 1},
		{noMessageIDs, 0, 1},
		{staleSeals, 0, 1},
		{ignoreRollback, 2, 1},
		{neverFetch, 0, 1},
		{forgetAnswers, 2, 330},
		{keepFailedState, 0, 1},
		{trustMailboxes, 7, 1},
	} {
		t.Run(strings.ReplaceAll(string(x.bug), " ", "-"), func(t *testing.T) {
			pr := &profiles[x.profile]
			for _, f := range pr.explore(1000, x.from, x.bug) {
				t.Logf("%s (%s, seed %d)", f.fault, pr.name, f.seed)
				return
			}
			t.Error("nobody noticed")
		})
	}
}
