package session

import "time"

// Limits of the protocol.
const (
	// NewWindow is how many envelopes may be sealed beyond the highest one that
	// the peer reported as opened, before messages wait unsealed; AckWindow the
	// same for pure acknowledgements. The difference keeps acknowledgements
	// flowing while messages wait, and both stay below what a ratchet skips in one
	// step (1,000).
	NewWindow = 800
	AckWindow = 1000
	// AskWindow is the number of unopened envelopes beyond which a pure
	// acknowledgement asks for one itself, so that the window cannot close
	// unnoticed.
	AskWindow = 500
	// CtrWindow bounds how far what asks for an acknowledgement may run ahead of
	// what was acknowledged without a gap. It bounds the seal log.
	CtrWindow = 1000
	// FillWindow is how far behind the oldest gap may lie before an empty payload
	// is sent to fill it (see sent.hole).
	FillWindow = 250

	// MaxSessions is how many sessions are kept beside the active one, MaxRetired
	// for how long. They only receive.
	MaxSessions = 4
	MaxRetired  = 30 * 24 * time.Hour
	// MaxSkipped bounds the message keys kept for envelopes not seen yet, over all
	// sessions of a contact. The oldest session's go first.
	MaxSkipped = 2000
	// ResealAfter is for how long the same bytes are sent again. Skipped keys live
	// 30 days, so older bytes may find their key gone.
	ResealAfter = 21 * 24 * time.Hour

	// HourLimit and DayLimit bound handshakes, for the side that starts them and
	// for the side that accepts them alike. AcceptLimit bounds those accepted in a
	// day that replace no confirmed session and so do not count there.
	HourLimit   = 2
	DayLimit    = 5
	AcceptLimit = 20

	// FetchedLife is for how long a bundle that the person itself just handed over
	// is usable whatever the clock says.
	FetchedLife = time.Hour
	// UnansweredFor is after what time an unanswered handshake is made anew if the
	// peer meanwhile names another prekey.
	UnansweredFor = 3 * 24 * time.Hour
	// BranchAlarm is the time within which a second unannounced installation
	// alarms.
	BranchAlarm = 7 * 24 * time.Hour
	// MaxCannotOpen is how many answers "cannot open" in a row, with nothing
	// acknowledged between, end a session.
	MaxCannotOpen = 20

	// MaxStatusSize bounds a status, in bytes.
	MaxStatusSize = 16 << 10
	// MaxPeerSize bounds a stored Peer, MaxSelfSize a stored Self, in bytes.
	MaxPeerSize = 2 << 20
	MaxSelfSize = 1 << 20

	maxAhead    = 2 * CtrWindow // how far ahead of a gap a receiver keeps account
	maxRanges   = 32            // of an acknowledgement
	maxKnown    = 1 << 16       // session ids remembered
	maxInsts    = 64            // installations of a peer remembered
	maxOwnInsts = 4096
	dayLong     = 24 * time.Hour
	maxCounter  = 1 << 60 // beyond it a handshake number or bundle counter is nonsense
	maxPrekeys  = 64      // of one's own, in a stored Self
)

// limits are the windows, apart so that tests can narrow them.
type limits struct {
	newWindow, ackWindow, askWindow, ctrWindow, fillWindow uint64
}

var protocolLimits = limits{NewWindow, AckWindow, AskWindow, CtrWindow, FillWindow}

func (e Env) lim() *limits {
	if e.limits != nil {
		return e.limits
	}
	return &protocolLimits
}
