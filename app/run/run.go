// Package run is the one place where Kuvert is put together: the profile's
// folder and its lock, the store, the core, the network and the local socket,
// for the desktop app and for the headless program alike. It imports everything
// but the screens.
package run
