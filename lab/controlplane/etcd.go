package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// etcd is the running store.
type etcd struct {
	server *embed.Etcd
	url    string
	// files for its clients: the only way in is a certificate of etcd's own
	// authority, so that other users of this machine cannot read the Secrets.
	authority, certificate, key string
}

// startEtcd starts a single-member etcd on a random loopback port and waits
// until it serves.
//
// TLS with client certificates rather than a unix socket: a socket's path is
// limited to about 100 bytes, which a state folder may exceed, and Windows has
// no permissions on it.
func startEtcd(ctx context.Context, dir, logFile string, keys *keyring) (*etcd, error) {
	ca, err := newAuthority("svctour lab etcd")
	if err != nil {
		return nil, err
	}
	served, err := ca.issue("etcd", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	e := &etcd{
		authority:   keys.write("etcd-ca.crt", ca.pem),
		certificate: keys.write("etcd.crt", served.Certificate),
		key:         keys.write("etcd.key", served.Key),
	}
	if keys.err != nil {
		return nil, keys.err
	}
	config := embed.NewConfig()
	config.Dir = filepath.Join(dir, "etcd")
	config.LogLevel = "error"
	config.LogOutputs = []string{logFile}
	// Nothing has to survive a crash, and a lone member elects itself: no
	// fsync, and an election after 50 ms instead of a second.
	config.UnsafeNoFsync = true
	config.TickMs, config.ElectionMs = 10, 50
	config.ListenPeerUrls = nil // a lone member has no peers: one port less
	config.ListenClientUrls = []url.URL{{Scheme: "https", Host: "127.0.0.1:0"}}
	config.AdvertiseClientUrls = config.ListenClientUrls
	config.ClientTLSInfo = transport.TLSInfo{
		CertFile: e.certificate, KeyFile: e.key, TrustedCAFile: e.authority, ClientCertAuth: true,
	}
	config.EnableGRPCGateway = false
	config.SnapshotCount = 1000 // keeps less of the log in memory
	e.server, err = embed.StartEtcd(config)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	select {
	case <-e.server.Server.ReadyNotify():
	case err := <-e.server.Err():
		e.stop()
		return nil, fmt.Errorf("start etcd: %w", err)
	case <-ctx.Done():
		e.stop()
		return nil, fmt.Errorf("start etcd: %w", context.Cause(ctx))
	case <-time.After(30 * time.Second):
		e.stop()
		return nil, fmt.Errorf("start etcd: not serving after 30 seconds")
	}
	port := e.server.Clients[0].Addr().(*net.TCPAddr).Port
	e.url = fmt.Sprintf("https://127.0.0.1:%d", port)
	return e, nil
}

// stop ends etcd without handing anything over: its data is thrown away next.
func (e *etcd) stop() {
	e.server.Server.HardStop()
	e.server.Close()
}
