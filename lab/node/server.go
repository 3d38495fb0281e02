package node

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/test/bufconn"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// noProcesses is why a container can neither be entered nor heard.
const noProcesses = "the lab's containers have no processes yet: it plays their states, not their programs"

// server is the kubelets' API, reached through dial only: no port is opened.
type server struct {
	http     *http.Server
	listener *bufconn.Listener
}

const connectionBuffer = 64 << 10

func newServer(config *tls.Config) *server {
	return &server{
		listener: bufconn.Listen(connectionBuffer),
		http: &http.Server{
			Handler:           http.HandlerFunc(refuse),
			TLSConfig:         config,
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          log.New(io.Discard, "", 0),
		},
	}
}

// refuse answers logs, exec, attach and port-forward at once with the reason,
// which the API server passes on to the person.
func refuse(w http.ResponseWriter, request *http.Request) {
	if strings.HasPrefix(request.URL.Path, "/containerLogs/") { // passed on as it is
		http.Error(w, noProcesses, http.StatusNotImplemented)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotImplemented)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusFailure, Message: noProcesses, Reason: "NotImplemented", Code: http.StatusNotImplemented,
	})
}

func (s *server) serve(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() { s.http.Close() })
	defer stop()
	s.http.ServeTLS(s.listener, "", "") // ends with ErrServerClosed and nothing else
}

// dial is a new connection to the server.
func (s *server) dial(ctx context.Context) (net.Conn, error) {
	conn, err := s.listener.DialContext(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to a kubelet: %w", err)
	}
	return conn, nil
}
