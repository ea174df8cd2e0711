package rpc

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/Microsoft/go-winio"
	"golang.org/x/sys/windows"
)

// bufferSize of the pipe in bytes, each way.
const bufferSize = 64 << 10

// owner is this user's security identifier.
func owner() (*windows.SID, error) {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return nil, fmt.Errorf("rpc: who am I: %w", err)
	}
	return user.User.Sid, nil
}

func pipe(profile string) string { return `\\.\pipe\` + endpointName(profile) }

// Listen opens the pipe of a profile for this user alone.
func Listen(_ context.Context, profile string) (net.Listener, error) {
	sid, err := owner()
	if err != nil {
		return nil, err
	}
	l, err := winio.ListenPipe(pipe(profile), &winio.PipeConfig{
		SecurityDescriptor: fmt.Sprintf("O:%[1]sD:P(A;;GA;;;%[1]s)", sid),
		InputBufferSize:    bufferSize,
		OutputBufferSize:   bufferSize,
	})
	if err != nil {
		return nil, fmt.Errorf("rpc: no place for the local socket: %w", err)
	}
	return l, nil
}

// Dial connects to the running instance of a profile. ErrNotRunning if nobody
// answers, or if the pipe is another user's.
func Dial(ctx context.Context, profile string) (*Client, error) {
	conn, err := winio.DialPipeContext(ctx, pipe(profile))
	if err != nil {
		return nil, errors.Join(ErrNotRunning, err)
	}
	if err := ours(conn); err != nil {
		_ = conn.Close()
		return nil, errors.Join(ErrNotRunning, err)
	}
	return NewClient(ctx, conn)
}

// ours checks whose pipe it is: names of pipes are free for every user to take.
func ours(conn net.Conn) error {
	f, ok := conn.(interface{ Fd() uintptr })
	if !ok {
		return errors.New("rpc: pipe without a handle")
	}
	sd, err := windows.GetSecurityInfo(windows.Handle(f.Fd()), windows.SE_KERNEL_OBJECT, windows.OWNER_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("rpc: whose pipe is it: %w", err)
	}
	theirs, _, err := sd.Owner()
	if err != nil {
		return fmt.Errorf("rpc: whose pipe is it: %w", err)
	}
	mine, err := owner()
	if err != nil {
		return err
	}
	if theirs == nil || !theirs.Equals(mine) {
		return errors.New("rpc: pipe of another user")
	}
	return nil
}
