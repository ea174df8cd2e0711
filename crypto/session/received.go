package session

import (
	"slices"

	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// received is what I opened in one session: what my acknowledgements say.
type received struct {
	contig  uint64   // every ctr up to here was opened
	chain   [32]byte // running hash over their message ids
	islands []island // ctrs opened beyond a gap, ascending, never touching
	hi      uint64   // highest envelope number opened
	hiHash  [8]byte  // that envelope's hash
}

// island is a run of ctrs opened beyond a gap.
type island struct {
	from uint64
	ids  [][16]byte
}

func (i *island) end() uint64 { return i.from + uint64(len(i.ids)) } // exclusive

// open records an opened envelope.
func (r *received) open(number uint64, hash [32]byte, ctr uint64, id [16]byte) {
	if number > r.hi {
		r.hi, r.hiHash = number, short(hash)
	}
	if ctr > r.contig && ctr-r.contig <= maxAhead {
		r.add(ctr, id)
	}
}

// add takes in one ctr beyond contig. A ctr that is known keeps its first id: if
// the sender gave it to another message, its own log will tell.
func (r *received) add(ctr uint64, id [16]byte) {
	if ctr == r.contig+1 {
		r.extend(id)
		if len(r.islands) > 0 && r.islands[0].from == r.contig+1 {
			for _, id := range r.islands[0].ids {
				r.extend(id)
			}
			r.islands = r.islands[1:]
		}
		return
	}
	i, _ := slices.BinarySearchFunc(r.islands, ctr, func(x island, c uint64) int {
		if x.end() <= c {
			return -1
		}
		return 1
	})
	r.insert(i, ctr, id)
}

// insert adds ctr before or into island i, the first that ends behind it.
func (r *received) insert(i int, ctr uint64, id [16]byte) {
	here := i < len(r.islands)
	switch touches := i > 0 && r.islands[i-1].end() == ctr; {
	case here && r.islands[i].from <= ctr: // known
	case touches:
		r.islands[i-1].ids = append(r.islands[i-1].ids, id)
		if here && r.islands[i].from == ctr+1 {
			r.islands[i-1].ids = append(r.islands[i-1].ids, r.islands[i].ids...)
			r.islands = slices.Delete(r.islands, i, i+1)
		}
	case here && r.islands[i].from == ctr+1:
		r.islands[i] = island{ctr, slices.Insert(r.islands[i].ids, 0, id)}
	default:
		r.islands = slices.Insert(r.islands, i, island{ctr, [][16]byte{id}})
	}
}

func (r *received) extend(id [16]byte) {
	r.contig++
	r.chain = envelope.AckChain(r.chain, id)
}

// ack is the account of a session as every payload carries it. Of more than 32
// ranges the lowest are named: once their gaps close, the others follow.
func (r *received) ack(sid [16]byte) envelope.Ack {
	a := envelope.Ack{Session: sid, Contiguous: r.contig, Chain: short(r.chain), Hi: r.hi, HiHash: r.hiHash}
	for i := range r.islands[:min(len(r.islands), maxRanges)] {
		x := &r.islands[i]
		a.Ranges = append(a.Ranges, envelope.AckRange{From: x.from, To: x.end() - 1, Hash: envelope.AckRangeHash(x.ids...)})
	}
	return a
}

func (r *received) marshal(w *writer) {
	w.u64(r.contig)
	w.raw(r.chain[:])
	w.u64(r.hi)
	w.raw(r.hiHash[:])
	w.u16(len(r.islands))
	for i := range r.islands {
		w.u64(r.islands[i].from)
		w.u16(len(r.islands[i].ids))
		for _, id := range r.islands[i].ids {
			w.raw(id[:])
		}
	}
}

func (r *received) parse(in *reader) {
	r.contig = in.u64()
	in.read(r.chain[:])
	r.hi = in.u64()
	in.read(r.hiHash[:])
	n := in.count(8 + 2 + 16)
	if n > 0 {
		r.islands = make([]island, n)
	}
	end := r.contig + 1 // exclusive; an island never touches what lies before it
	for i := range r.islands {
		x := &r.islands[i]
		x.parse(in)
		if x.from <= end || x.from-r.contig > maxAhead || len(x.ids) == 0 {
			in.bad = true
			return
		}
		end = x.end()
	}
}

func (i *island) parse(in *reader) {
	i.from = in.u64()
	i.ids = make([][16]byte, in.count(16))
	for k := range i.ids {
		in.read(i.ids[k][:])
	}
}
