package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"svctour/lab/child/node/kubeletapi"
)

// server is the kubelets' API, reached through dial only: no port is opened.
type server struct {
	http     *http.Server
	listener *kubeletapi.Listener
}

func newServer(config *tls.Config, handler http.Handler) *server {
	return &server{
		listener: kubeletapi.NewListener(),
		http: &http.Server{
			Handler:           handler,
			TLSConfig:         config,
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          log.New(io.Discard, "", 0),
		},
	}
}

func (s *server) serve(ctx context.Context) {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx }
	stop := context.AfterFunc(ctx, func() { s.http.Close() })
	defer stop()
	s.http.ServeTLS(s.listener, "", "") // ends with ErrServerClosed and nothing else
}

// dial is a new connection to the server.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	conn, err := s.listener.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to a kubelet: %w", err)
	}
	return conn, nil
}
