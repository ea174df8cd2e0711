package mailbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Sizes of what requests and answers are made of, in bytes.
const (
	opSize     = 1
	idSize     = 24
	capSize    = 32
	accessSize = idSize + capSize
	placeSize  = 8
	indexSize  = 2
	entryHead  = placeSize + 4 // place | length
	usageSize  = 2*8 + 1       // used | quota | flags
)

// op is the first byte of a request.
type op byte

// Requests; the numbers are the protocol's.
const (
	opAuth    op = 1
	opUsage   op = 2
	opMake    op = 3
	opDrop    op = 4
	opPut     op = 5
	opSlot    op = 6
	opList    op = 7
	opDelete  op = 8
	opWatch   op = 9
	opPublish op = 10
	opRead    op = 11
)

// Answers, the first byte of each; the numbers are the protocol's.
const (
	AnswerDone     byte = 0
	AnswerRefused  byte = 1
	AnswerQuota    byte = 2
	AnswerNotFound byte = 3
	AnswerBusy     byte = 4 // the stream ends after it
	AnswerFailed   byte = 5
)

// flagRelay in an AUTH's answer: the machine carries connections, too.
const flagRelay = 1

// maxUntil is the latest end that is taken, in Unix seconds: the year 36812. It
// keeps times far from every overflow.
const maxUntil = 1 << 40

// errRequest: a client sent what is not a request. Its stream is reset.
var errRequest = errors.New("mailbox: invalid request")

// access is an id with the capability that goes with it.
type access struct {
	id [idSize]byte
	by [capSize]byte
}

// request is any request; which fields it has is for layout to say.
type request struct {
	op     op
	token  [capSize]byte
	key    access // of MAKE the recipient's
	send   access // MAKE
	until  uint64 // Unix seconds, 0: none
	after  uint64
	places []uint64
	keys   []access
	blob   []byte // when read, a part of the frame
}

// layout walks the fields of a request in the order of their bytes; c reads or
// writes them.
func (r *request) layout(c *codec) {
	switch r.op {
	case opAuth:
		c.bytes(r.token[:])
	case opUsage:
	case opMake:
		c.access(&r.key)
		c.access(&r.send)
		c.time(&r.until)
	case opDrop:
		c.access(&r.key)
	case opPut:
		c.access(&r.key)
		c.rest(&r.blob, 0, MaxBlob)
	case opSlot:
		c.access(&r.key)
		c.rest(&r.blob, 1, MaxBlob)
	case opList:
		c.access(&r.key)
		c.number(&r.after)
	case opDelete:
		c.access(&r.key)
		c.numbers(&r.places, MaxDelete)
	case opWatch:
		c.accesses(&r.keys, MaxWatch)
	case opPublish:
		c.bytes(r.key.id[:])
		c.time(&r.until)
		c.rest(&r.blob, 1, MaxPublish)
	case opRead:
		c.bytes(r.key.id[:])
	default:
		c.bad = true
	}
}

// appendRequest appends the bytes of a request. ErrLimit if it is none that may
// be sent.
func appendRequest(b []byte, r *request) ([]byte, error) {
	c := codec{write: true, b: append(b, byte(r.op))}
	r.layout(&c)
	if c.bad {
		return b, ErrLimit
	}
	return c.b, nil
}

// parseRequest reads a request. Its blob stays a part of frame.
func parseRequest(frame []byte) (request, error) {
	if len(frame) == 0 {
		return request{}, errRequest
	}
	r := request{op: op(frame[0])}
	c := codec{b: frame[opSize:]}
	r.layout(&c)
	if c.bad || len(c.b) > 0 {
		return request{}, errRequest
	}
	return r, nil
}

// codec reads from b, or appends to it. Once something is missing or over its
// limit bad is set.
type codec struct {
	write bool
	bad   bool
	b     []byte
}

func (c *codec) bytes(f []byte) {
	switch {
	case c.write:
		c.b = append(c.b, f...)
	case len(c.b) < len(f):
		c.bad = true
	default:
		copy(f, c.b)
		c.b = c.b[len(f):]
	}
}

func (c *codec) access(a *access) {
	c.bytes(a.id[:])
	c.bytes(a.by[:])
}

func (c *codec) number(n *uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], *n)
	c.bytes(b[:])
	*n = binary.BigEndian.Uint64(b[:])
}

func (c *codec) time(seconds *uint64) {
	c.number(seconds)
	c.bad = c.bad || *seconds > maxUntil
}

// rest is a blob up to the end of the frame.
func (c *codec) rest(blob *[]byte, least, most int) {
	if !c.write {
		*blob, c.b = c.b, nil
	}
	c.bad = c.bad || len(*blob) < least || len(*blob) > most
	if c.write && !c.bad {
		c.b = append(c.b, *blob...)
	}
}

// numbers is a list of 1 to most numbers up to the end of the frame.
func (c *codec) numbers(list *[]uint64, most int) {
	if n, ok := c.count(len(*list), 8, most); ok && !c.write {
		*list = make([]uint64, n)
	}
	for i := range *list {
		c.number(&(*list)[i])
	}
}

// accesses is a list of 1 to most ids with their capabilities.
func (c *codec) accesses(list *[]access, most int) {
	if n, ok := c.count(len(*list), accessSize, most); ok && !c.write {
		*list = make([]access, n)
	}
	for i := range *list {
		c.access(&(*list)[i])
	}
}

// count checks how many entries of a size there are, before any is allocated.
func (c *codec) count(have, size, most int) (n int, ok bool) {
	n = have
	if !c.write {
		n = len(c.b) / size
		c.bad = c.bad || len(c.b)%size != 0
	}
	c.bad = c.bad || n < 1 || n > most
	return n, !c.bad
}

// seconds is how a time is sent; the zero time is none.
func seconds(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(min(max(t.Unix(), 1), maxUntil))
}

func timeOf(seconds uint64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}

// appendUsage appends what answers AUTH and USAGE.
func appendUsage(b []byte, u Usage) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(u.Used))
	b = binary.BigEndian.AppendUint64(b, uint64(u.Quota))
	if u.Relay {
		return append(b, flagRelay)
	}
	return append(b, 0)
}

func parseUsage(b []byte) (Usage, error) {
	if len(b) != usageSize {
		return Usage{}, fmt.Errorf("%w: usage of %d bytes", ErrAnswer, len(b))
	}
	u := Usage{
		Used: int64(binary.BigEndian.Uint64(b)), Quota: int64(binary.BigEndian.Uint64(b[8:])),
		Relay: b[16]&flagRelay != 0,
	}
	if u.Used < 0 || u.Quota < 0 {
		return Usage{}, fmt.Errorf("%w: negative usage", ErrAnswer)
	}
	return u, nil
}

// appendEntry appends one blob of a LIST.
func appendEntry(b []byte, place uint64, blob []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, place)
	b = binary.BigEndian.AppendUint32(b, uint32(len(blob)))
	return append(b, blob...)
}

// parseList reads the blobs of a LIST: places ascend and are all above after. The
// blobs stay parts of b.
func parseList(b []byte, after uint64) ([]Blob, error) {
	var list []Blob
	for len(b) > 0 {
		if len(list) == MaxPage || len(b) < entryHead {
			return nil, fmt.Errorf("%w: list", ErrAnswer)
		}
		place, n := binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[placeSize:])
		b = b[entryHead:]
		if place <= after || n == 0 || n > MaxBlob || int(n) > len(b) {
			return nil, fmt.Errorf("%w: entry of a list", ErrAnswer)
		}
		list = append(list, Blob{place, b[:n:n]})
		after, b = place, b[n:]
	}
	return list, nil
}

// parseIndexes reads what a WATCH tells: numbers of queues below n.
func parseIndexes(b []byte, n int) ([]int, error) {
	if len(b)%indexSize != 0 || len(b) > n*indexSize {
		return nil, fmt.Errorf("%w: watch", ErrAnswer)
	}
	list := make([]int, 0, len(b)/indexSize)
	for ; len(b) > 0; b = b[indexSize:] {
		i := int(binary.BigEndian.Uint16(b))
		if i >= n {
			return nil, fmt.Errorf("%w: queue %d of %d", ErrAnswer, i, n)
		}
		list = append(list, i)
	}
	return list, nil
}

// answerErrors are what a Client makes of answers.
var answerErrors = map[byte]error{
	AnswerDone: nil, AnswerRefused: ErrRefused, AnswerQuota: ErrQuota,
	AnswerNotFound: ErrNotFound, AnswerBusy: ErrBusy, AnswerFailed: ErrFailed,
}

func answerError(code byte) error {
	err, known := answerErrors[code]
	if !known {
		return fmt.Errorf("%w: code %d", ErrAnswer, code)
	}
	return err
}
