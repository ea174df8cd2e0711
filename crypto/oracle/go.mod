// A module of its own, for tests only: libsignal is GPL and must never come near
// the product's dependencies.
module github.com/kuvert-im/kuvert/crypto/oracle

go 1.26.4

require (
	filippo.io/age v1.3.2
	github.com/kuvert-im/kuvert v0.0.0
	go.mau.fi/libsignal v0.2.1
	golang.org/x/crypto v0.58.0
)

require (
	filippo.io/edwards25519 v1.2.0 // indirect
	filippo.io/hpke v0.4.0 // indirect
	github.com/fxamacker/cbor/v2 v2.10.0 // indirect
	github.com/x448/float16 v0.8.4 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/kuvert-im/kuvert => ../..
