package rpc

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

func (f *fakeCore) File(ctx context.Context, id chat.MessageID, place int) (core.FileInfo, error) {
	return reply[core.FileInfo](f, ctx, "File", id, place)
}

func (f *fakeCore) FilePicture(ctx context.Context, id chat.MessageID, place int) ([]byte, error) {
	return reply[[]byte](f, ctx, "FilePicture", id, place)
}

func (f *fakeCore) FileView(ctx context.Context, id chat.MessageID, place int) ([]byte, error) {
	return reply[[]byte](f, ctx, "FileView", id, place)
}

func (f *fakeCore) FetchFile(ctx context.Context, id chat.MessageID, place int) error {
	return f.note(ctx, "FetchFile", id, place)
}

func (f *fakeCore) PauseFile(ctx context.Context, id chat.MessageID, place int) error {
	return f.note(ctx, "PauseFile", id, place)
}

func (f *fakeCore) SaveFile(ctx context.Context, id chat.MessageID, place int, path string) error {
	return f.note(ctx, "SaveFile", id, place, path)
}

func (f *fakeCore) FileUsage(ctx context.Context) (core.FileUsage, error) {
	return reply[core.FileUsage](f, ctx, "FileUsage")
}

func (f *fakeCore) CleanFiles(ctx context.Context, before time.Time) (int64, error) {
	return reply[int64](f, ctx, "CleanFiles", before)
}

func (f *fakeCore) Sealing(ctx context.Context) ([]core.Sealing, error) {
	return reply[[]core.Sealing](f, ctx, "Sealing")
}
