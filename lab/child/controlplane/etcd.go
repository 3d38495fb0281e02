package controlplane

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3rpc"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"
)

// etcd is the running store. It listens on no port and no socket: its only
// client is in this process, and reaches it through memory. So no one else on
// this machine can read the Secrets in it, and no time goes into TLS.
type etcd struct {
	server   *embed.Etcd
	grpc     *grpc.Server
	listener *bufconn.Listener
}

const (
	// etcdURL is where the API server believes etcd to be.
	etcdURL = "http://127.0.0.1:2379"
	// connectionBuffer is the size of what is under way in each direction of
	// one connection; the API server opens about a hundred.
	connectionBuffer = 16 << 10
	segmentSize      = 4 << 20
)

// startEtcd starts a single-member etcd and waits until it serves.
func startEtcd(ctx context.Context, dir, logFile string) (*etcd, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.LogLevel = "error"
	config.LogOutputs = []string{logFile}
	// Nothing has to survive a crash, and a lone member elects itself: no
	// fsync, and an election after 50 ms instead of a second.
	config.UnsafeNoFsync = true
	config.TickMs, config.ElectionMs = 10, 50
	config.ListenPeerUrls, config.ListenClientUrls = nil, nil
	config.AdvertiseClientUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:2379"}}
	// Keeps less of the log in memory: no follower has to catch up.
	config.SnapshotCount, config.SnapshotCatchUpEntries = 1000, 100
	wal.SegmentSizeBytes = segmentSize // of what it allocates on disk, twice

	server, err := embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	e := &etcd{server: server, listener: bufconn.Listen(connectionBuffer)}
	e.grpc = v3rpc.Server(server.Server, nil, nil)
	go e.grpc.Serve(e.listener) // ends with stop
	select {
	case <-server.Server.ReadyNotify():
		return e, nil
	case err = <-server.Err():
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-time.After(30 * time.Second):
		err = fmt.Errorf("not serving after 30 seconds")
	}
	e.stop()
	return nil, fmt.Errorf("start etcd: %w", err)
}

// stop ends etcd without handing anything over: its data is thrown away next.
func (e *etcd) stop() {
	e.grpc.Stop()
	e.server.Server.HardStop()
	e.server.Close()
}
