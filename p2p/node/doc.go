// Package node is this machine's endpoint in the network: it finds the machines
// of people it knows, keeps connected with them and carries opaque frames between
// them (docs/protocol/network.md).
//
// It speaks QUIC and TCP with TLS or Noise, through go-libp2p, and never asks for a
// name. In Internet mode it also uses relays that are known (circuit v2), punches
// holes into NATs, asks its own stations whether it can be reached, and its router
// to open a port. It promises:
//   - nothing is accepted before the handler is set, and no frame is handed on as
//     somebody's before the handler was told of the recognition;
//   - in LAN-only mode nothing is dialled and nothing accepted outside private,
//     loopback and link-local addresses, nor through a relay;
//   - in either mode only machines are dialled that were followed, were seen nearby
//     or are stations, and relays only that the handler named: whoever tells addresses
//     cannot choose where we knock;
//   - the handler is told of each machine that is contacted;
//   - connections, streams, memory, attempts and tables are bounded, for every
//     address and in all, by the constants of limits.go;
//   - trying again is driven by events, with a bounded backoff behind them.
//
// Lock order: Node.order (one of a ref) or Node.nearby before Node.mu. Handler methods are never
// called with mu held.
package node
