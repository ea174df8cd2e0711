package model

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

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
	opAsk
	ops
)

var opNames = [ops]string{
	"compose", "send", "post", "fetch", "lose", "link", "unlink", "tick", "snapshot",
	"ROLLBACK", "RESTORE", "CLOCK", "send all", "drain", "CLONE", "ask",
}

func (o op) String() string {
	return fmt.Sprintf("%s %s %d %d", opNames[o.what], name(o.who), o.a, o.b)
}

var (
	ticks  = []int{minute, 61 * minute, day, 10 * day, 22 * day, 31 * day, 61 * day, 91 * day}
	clocks = []int{0, 3650 * day, -90 * day, 2 * day}
)

func (w *world) do(o op) {
	w.note("%v", o)
	i := o.who
	switch o.what {
	case opCompose:
		w.compose(i)
	case opSend:
		w.pump(i)
		if m := w.pending(i); len(m) > 0 {
			w.send(i, w.sealedOf(i, m[o.a%len(m)]), o.b%3)
		}
	case opPost:
		w.pump(i)
		if all := w.all(i); len(all) > 0 && len(w.box[1-i]) < 12 {
			w.post(i, all[o.a%len(all)])
		}
		if len(w.box[1-i]) < 12 {
			w.postStatus(i)
		}
	case opFetch, opLose:
		w.takeOut(o)
	case opLink:
		w.link()
	case opUnlink:
		w.linked = false
	case opTick:
		w.tick(ticks[o.a%len(ticks)])
	case opClock:
		w.off[i] = clocks[o.a%len(clocks)]
	case opSendAll:
		w.sendAll(i)
	case opDrain:
		w.drain(i)
	case opAsk:
		w.ask(i)
	default:
		w.putBack(o)
	}
	w.check()
}

func (w *world) takeOut(o op) {
	n := len(w.box[o.who])
	if n == 0 {
		return
	}
	b := w.box[o.who][o.a%n]
	if o.what == opLose || o.b%2 == 0 {
		w.box[o.who] = slices.Delete(slices.Clone(w.box[o.who]), o.a%n, o.a%n+1)
	}
	if o.what == opFetch {
		w.fetch(o.who, b)
	}
}

func (w *world) tick(d int) {
	w.now += d
	w.linked = false
	if d > 30*day {
		w.box = [2][]blob{}
	}
}

func (w *world) putBack(o op) {
	i, n := o.who, len(w.snaps[o.who])
	switch {
	case o.what == opSnapshot:
		w.snaps[i] = append(w.snaps[i], w.party[i].clone())
		return
	case o.what == opClone && w.other[i] == nil:
		w.other[i] = w.party[i].clone()
	case o.what == opClone:
		w.other[i], w.party[i] = w.party[i], w.other[i]
	case n == 0:
		return
	default:
		w.party[i] = w.snaps[i][o.a%n].clone()
		if o.what == opRestore {
			w.renew(i, 0)
			w.party[i].sessions = nil
		}
	}
	w.rolled[i] = true
	w.linked = false
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
			w.now += 25 * hour // beyond the limit of handshakes
			w.finishOne(byMail, 1+i)
		}
	}
	if !byMail && len(w.bad) == 0 {
		w.idle()
	}
}

func (w *world) finishOne(byMail bool, probe int) {
	w.note("-- finish")
	met := w.party[1].met
	if probe != 1 || !met {
		w.compose(0)
	}
	if probe != 2 && (probe == 0 || met) {
		w.compose(1)
	}
	before := w.handshakes
	if byMail {
		w.finishByMail()
	} else {
		w.finishLinked()
	}
	if w.handshakes-before > 4 {
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
			w.now += 61 * minute
		}
	}
	if !w.quiet() {
		w.fault("I8 never arrived, 60 h connected")
	}
}

func (w *world) idle() {
	before := w.handshakes
	for k := 0; k < 4 && len(w.bad) == 0; k++ {
		w.now += 10 * day
		w.linked = true
		w.compose(k % 2)
		for range 4 {
			w.hello()
			w.sendAll(0)
			w.sendAll(1)
			w.now += 61 * minute
		}
		if !w.quiet() {
			w.fault("I8 stuck later")
		}
	}
	if w.handshakes-before > 1 {
		w.fault("handshakes while all is well")
	}
}

func (w *world) finishByMail() {
	w.linked = false
	for range 40 {
		w.now += day / 2
		for i := range 2 {
			w.ask(i)
			w.drain(i)
			w.pump(i)
			w.postStatus(i)
			for _, e := range w.all(i) {
				w.post(i, e)
			}
		}
		w.check()
		if w.quiet() {
			return
		}
	}
	w.fault("I8 never arrived, 20 d by mailbox")
}

func (w *world) lostCheck() {
	for i, p := range w.party {
		for _, r := range p.rows {
			if r.gone && r.kind == message && !w.party[1-i].mids[r.mid] && !w.rolled[1-i] {
				w.fault("I6 lost, though delivered")
			}
		}
	}
}

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
	{"two clones", [ops]int{
		opCompose: 5, opSend: 3, opPost: 3, opFetch: 3, opLink: 3, opTick: 3, opClone: 4, opSendAll: 2, opDrain: 1, opAsk: 1,
	}, -1, false, 4, 24},
}

func (pr *profile) generate(rng *rand.Rand) (setup int, all []op) {
	setup = pr.setup
	if setup < 0 {
		setup = rng.IntN(4+pr.setup) % 3
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
			o.b = 1 + rng.IntN(2)
		}
		if o.what == opTick && pr.byMail {
			o.a %= 6 // a mailbox keeps things for 30 days
		}
		all = append(all, o)
	}
	return setup, all
}

func (pr *profile) run(r rules, setup int, all []op, trace bool) *world {
	w := newWorld(r, setup)
	w.trace = trace
	for _, o := range all {
		w.do(o)
	}
	w.finish(pr.byMail, len(all)%3)
	return w
}

// shrink drops operations as long as the fault stays.
func (pr *profile) shrink(r rules, setup int, all []op, fault string) []op {
	for again := true; again; {
		again = false
		for k := 0; k < len(all); k++ {
			t := slices.Delete(slices.Clone(all), k, k+1)
			if slices.Contains(pr.run(r, setup, t, false).bad, fault) {
				all, again = t, true
				k--
			}
		}
	}
	return all
}

// explore runs up to n schedules and returns the first that goes wrong.
func (pr *profile) explore(r rules, n int) (fault string, seed, setup int, all []op) {
	for seed := 1; seed <= n; seed++ {
		setup, all := pr.generate(rand.New(rand.NewPCG(uint64(seed), 2))) //nolint:gosec // a schedule, not a secret
		if w := pr.run(r, setup, all, false); len(w.bad) > 0 {
			return w.bad[0], seed, setup, all
		}
	}
	return "", 0, 0, nil
}

// count is how many schedules of each profile run; KUVERT_MODEL asks for more.
func count(t *testing.T, usual int) int {
	t.Helper()
	if v := os.Getenv("KUVERT_MODEL"); v != "" {
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

// TestRules: with all rules nothing is lost, doubled or stuck.
func TestRules(t *testing.T) {
	for i := range profiles {
		pr := &profiles[i]
		t.Run(strings.ReplaceAll(pr.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			fault, seed, setup, all := pr.explore(allRules, count(t, 3000))
			if fault == "" {
				return
			}
			w := pr.run(allRules, setup, pr.shrink(allRules, setup, all, fault), true)
			t.Errorf("%s, seed %d, setup %d:\n%s", fault, seed, setup, strings.Join(w.log, "\n"))
		})
	}
}

// TestEachRuleMatters: without any one of them something goes wrong. So the
// model can fail, and there is no rule too many.
func TestEachRuleMatters(t *testing.T) {
	for what, x := range map[string]struct {
		profile int // in which it shows soonest
		without func(*rules)
	}{
		"compare":   {2, func(r *rules) { r.compare = false }},
		"taint":     {2, func(r *rules) { r.taint = false }},
		"rank":      {3, func(r *rules) { r.rank = false }},
		"fresh":     {3, func(r *rules) { r.fresh = false }},
		"reseal":    {4, func(r *rules) { r.reseal = false }},
		"redo":      {0, func(r *rules) { r.redo = false }},
		"byMail":    {4, func(r *rules) { r.byMail = false }},
		"hopeless":  {1, func(r *rules) { r.hopeless = false }},
		"alarm":     {7, func(r *rules) { r.alarm = false }},
		"ownStatus": {2, func(r *rules) { r.ownStatus = false }},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := allRules
			x.without(&r)
			pr := &profiles[x.profile]
			fault, seed, _, _ := pr.explore(r, 20000)
			if fault == "" {
				t.Fatal("nothing goes wrong without it")
			}
			t.Logf("%s (%s, seed %d)", fault, pr.name, seed)
		})
	}
}
