package desk

import (
	"context"
	"errors"

	"svctour/cluster"
	"svctour/lab"
	"svctour/lessons"
	"svctour/ui/shell"
)

// backend connects the app with the lab, with clusters and with the progress.
type backend struct{ *Desk }

// Choices lists the lab and, if the desk may read files, the contexts of the
// person's kubeconfig.
func (b backend) Choices(context.Context) ([]shell.Choice, error) {
	status, err := lab.ReadStatus(b.options.LabDir)
	choices := []shell.Choice{{Lab: true, Running: err == nil && status.Running}}
	if !b.options.Rights.Files {
		return choices, nil
	}
	contexts, err := cluster.Contexts(b.kubeconfig())
	for _, c := range contexts {
		choices = append(choices, shell.Choice{Context: c.Name, Server: c.Server, Namespace: c.Namespace, Current: c.Current, Plugin: c.Plugin})
	}
	var none *cluster.NoKubeconfigError
	if errors.As(err, &none) && none.Err == nil {
		return choices, nil // nothing to choose besides the lab, and nothing wrong with that
	}
	return choices, cluster.ExplainError(err)
}

// errFiles refuses a cluster of the kubeconfig.
var errFiles = errors.New("only the lab may be used from here")

// kubeconfig chooses the person's own clusters.
func (d *Desk) kubeconfig() cluster.Options {
	return cluster.Options{Kubeconfig: d.options.Kubeconfig, Precedence: d.options.Environment.Kubeconfigs()}
}

// choose gives the options of a cluster. It is an error to choose a lab that
// does not run: an empty path would be the person's own current context.
func (d *Desk) choose(c shell.Choice) (cluster.Options, error) {
	o := d.kubeconfig()
	o.Diagnose, o.TerminalTaken = true, true
	if !c.Lab {
		if !d.options.Rights.Files {
			return cluster.Options{}, errFiles
		}
		o.Context, o.Namespace = c.Context, d.options.Namespace
		return o, nil
	}
	status, err := lab.ReadStatus(d.options.LabDir)
	switch {
	case err != nil:
		return cluster.Options{}, err
	case !status.Running || status.Kubeconfig == "":
		return cluster.Options{}, lab.ErrNotRunning
	}
	o.Kubeconfig, o.Lab = status.Kubeconfig, true
	return o, nil
}

// Probe asks a cluster for its version.
func (b backend) Probe(ctx context.Context, c shell.Choice) (string, error) {
	o, err := b.choose(c)
	if err != nil {
		return "", err
	}
	version, err := cluster.Probe(b.context(ctx), o)
	return version, cluster.ExplainError(err)
}

// StartLab joins the lab that runs, or starts one if the desk may.
func (b backend) StartLab(ctx context.Context, report func(shell.Stage)) (bool, error) {
	if status, err := lab.ReadStatus(b.options.LabDir); err == nil && status.Running {
		return false, nil
	}
	if !b.options.Rights.Lab {
		return false, lab.ErrNotRunning
	}
	process, err := lab.Start(ctx, lab.StartOptions{
		Executable: b.options.Executable, Dir: b.options.LabDir, Environment: append(Environment{}, b.options.Environment...),
		Progress: func(s lab.Stage) { report(shell.Stage{Name: s.Name, Done: s.Done}) },
	})
	if err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended { // meanwhile: Close has been here already
		return false, errors.Join(context.Canceled, process.Stop(context.WithoutCancel(ctx)))
	}
	b.process = process
	return true, nil
}

// LabEnded blocks until the lab that StartLab has started ends.
func (b backend) LabEnded(ctx context.Context) error {
	b.mu.Lock()
	process := b.process
	b.mu.Unlock()
	if process == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-process.Done():
		return process.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// KeepLab lets the lab outlive the desk.
func (b backend) KeepLab() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return nil
	}
	if err := b.process.Keep(); err != nil {
		return err
	}
	b.kept = true
	return nil
}

// Connect opens a session.
func (b backend) Connect(ctx context.Context, c shell.Choice) (shell.Session, error) {
	o, err := b.choose(c)
	if err != nil {
		return nil, err
	}
	connection, err := cluster.Connect(b.context(ctx), o)
	if err != nil {
		return nil, cluster.ExplainError(err)
	}
	return newSession(b.Desk, connection), nil
}

// LoadProgress gives what the person has learned.
func (b backend) LoadProgress() (map[string]lessons.Progress, error) {
	return b.options.Progress.Load()
}

// SaveProgress keeps the progress of a lesson.
func (b backend) SaveProgress(p lessons.Progress) error { return b.options.Progress.Save(p) }
