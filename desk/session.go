package desk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/cluster/reach"
	"svctour/cluster/whatif"
	"svctour/lab/addon"
	"svctour/lessons"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/path"
	"svctour/ui/shell"
)

// session is a connection, limited to what the app may do with it.
type session struct {
	*cluster.Connection
	desk *Desk

	streams sync.WaitGroup
	open    context.Context    // until Close
	shut    context.CancelFunc // ends open

	mu   sync.Mutex
	made string // the namespace that EnsureNamespace gave; "" before
}

func newSession(d *Desk, c *cluster.Connection) *session {
	s := &session{Connection: c, desk: d}
	s.open, s.shut = context.WithCancel(context.Background())
	return s
}

// Close ends the session with all that goes on in it.
func (s *session) Close() {
	s.shut()
	s.streams.Wait()
	s.Connection.Close()
}

var (
	errReadOnly = errors.New("nothing may be changed from here")
	errTerminal = errors.New("it needs a terminal of its own, and no program gets the terminal here")
	errNotYours = errors.New("the lab is not yours to change: ask who runs it")
	errExec     = errors.New("programs in Pods may not be run from here")
)

// EnsureNamespace makes the namespace of the lessons, or finds it.
func (s *session) EnsureNamespace(ctx context.Context) (string, error) {
	if s.desk.options.Rights.ReadOnly {
		return "", errReadOnly
	}
	name, err := s.Connection.EnsureNamespace(ctx, s.desk.options.Namespaces...)
	if err == nil {
		s.mu.Lock()
		s.made = name
		s.mu.Unlock()
		s.desk.log.Info("Lessons have a namespace", "namespace", name, "server", s.Cluster().Server)
	}
	return name, err
}

// runner runs kubectl for this person.
func (s *session) runner() kubectl.Runner { return s.desk.Kubectl(s.Connection) }

// Kubectl gives the embedded kubectl as this person may use it.
func (d *Desk) Kubectl(c *cluster.Connection) kubectl.Runner {
	return kubectl.Runner{
		Connection: c, Program: d.options.Executable, Environment: d.options.Environment,
		ReadOnly: d.options.Rights.ReadOnly, NoExec: !d.options.Rights.Exec,
	}
}

// Kubectl runs in a namespace unless the command names one itself.
func (s *session) Kubectl(ctx context.Context, namespace string, args []string, stdin string) model.Reply {
	return s.runner().Run(ctx, namespace, args, stdin)
}

// Terminal runs where Kubectl does.
func (s *session) Terminal(ctx context.Context, namespace string, args []string) (shell.Child, error) {
	if !s.desk.options.Rights.Terminal {
		return nil, fmt.Errorf("kubectl %s cannot be run: %w", strings.Join(args[:min(1, len(args))], ""), errTerminal)
	}
	return s.runner().Terminal(ctx, namespace, args)
}

// Observe lists a node's rules, by programs in its kube-proxy Pod.
func (s *session) Observe(ctx context.Context, ask path.Ask, take func(path.Listing) error) error {
	if !s.desk.options.Rights.Exec {
		return errExec
	}
	return reach.Observe(ctx, s.Connection, ask, take)
}

// Diagnose gives the verdict that the command line gives.
func (s *session) Diagnose(ctx context.Context, snapshot *model.Snapshot, namespace, service string) (*diagnose.ServiceReport, error) {
	doctor := Doctor{Connection: s.Connection, Question: Question{Namespace: namespace, Services: []string{service}}}
	report, err := doctor.Look(ctx, snapshot)
	if err != nil {
		return nil, err
	}
	return &report.Services[0], nil
}

// WhatIf reads what the edit is about, and writes nothing.
func (s *session) WhatIf(ctx context.Context, snapshot *model.Snapshot, namespace string, edit model.Edit) (*model.Planned, error) {
	planned, err := whatif.Do(s.desk.context(ctx), s.Client(), snapshot, namespace, edit)
	var unread *whatif.ReadError
	if errors.As(err, &unread) {
		return nil, cluster.ExplainError(s.FromServer(unread))
	}
	return planned, err
}

// Bring starts an add-on in the lab. It stays when the lesson is left: Services may
// still hold addresses that only it takes back.
func (s *session) Bring(ctx context.Context, need lessons.Need) error {
	if rights := s.desk.options.Rights; !rights.Lab || rights.ReadOnly {
		return errNotYours
	}
	return Bring(ctx, s.Connection, need)
}

// Bring lets svctour's lab have what a lesson needs, if it can.
func Bring(ctx context.Context, c *cluster.Connection, need lessons.Need) error {
	if !c.Cluster().Lab || need.Kind != lessons.NeedAddon || need.Name != addon.Name {
		return fmt.Errorf("this lab cannot have it")
	}
	return addon.Enable(ctx, c.Client(), addon.DefaultPool)
}

// Clean removes the lessons' namespace and no other of svctour's: a proof of
// lessons, a probe, or another person's tour may be at work there.
func (s *session) Clean(ctx context.Context) error {
	s.mu.Lock()
	made := s.made
	s.mu.Unlock()
	if made == "" {
		return nil
	}
	_, err := s.Connection.Clean(ctx, []string{made}, true)
	return err
}
