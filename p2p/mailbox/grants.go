package mailbox

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	// grantLife is for how long a proven token counts after its connection ended.
	grantLife = time.Hour
	// maxGrants is how many peers of one account are remembered: all machines of an
	// office that shares a node's link. The oldest one goes.
	maxGrants = 2048
)

// grant says that a peer has proven an account's token.
type grant struct {
	account int64
	conn    network.Conn
	at      time.Time // when it was last proven or used
}

func (g grant) live(now time.Time) bool { return !g.conn.IsClosed() || now.Sub(g.at) < grantLife }

// grants remembers who has proven a token. There are at most maxGrants for each
// account of the store.
type grants struct {
	mu     sync.Mutex
	byPeer map[peer.ID]grant
}

// put notes that a token was proven on a connection.
func (g *grants) put(conn network.Conn, account int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.byPeer == nil {
		g.byPeer = make(map[peer.ID]grant)
	}
	g.byPeer[conn.RemotePeer()] = grant{account, conn, time.Now()}
	g.pruneLocked(account)
}

// pruneLocked drops what is over, and the oldest of an account with too many.
func (g *grants) pruneLocked(account int64) {
	var oldest peer.ID
	n, now := 0, time.Now()
	for p, x := range g.byPeer {
		if !x.live(now) {
			delete(g.byPeer, p)
			continue
		}
		if x.account != account {
			continue
		}
		if n++; oldest == "" || x.at.Before(g.byPeer[oldest].at) {
			oldest = p
		}
	}
	if n > maxGrants {
		delete(g.byPeer, oldest)
	}
}

// of returns the account whose token a peer has proven.
func (g *grants) of(p peer.ID) (account int64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x, ok := g.byPeer[p]
	return x.account, ok && x.live(time.Now())
}

// use is of for a request on a connection, which lengthens the grant.
func (g *grants) use(conn network.Conn) (account int64, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	x, ok := g.byPeer[conn.RemotePeer()]
	now := time.Now()
	if !ok || !x.live(now) {
		return 0, false
	}
	g.byPeer[conn.RemotePeer()] = grant{x.account, conn, now}
	return x.account, true
}

// drop forgets a peer: its token is not valid any more.
func (g *grants) drop(p peer.ID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.byPeer, p)
}
