package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/desk"
	"svctour/lab"
	"svctour/lessons"
	"svctour/model"
	"svctour/model/path"
	"svctour/model/router"
)

// routeSeed shuffles what a learner may pick on a route.
const routeSeed = 1

// proof plays a lesson without a learner, on one cluster after the other.
type proof struct {
	*globals
	lesson *lessons.Lesson
	flags  lessonFlags
	desk   *desk.Desk
	// left are the steps that were not played yet for want of something, by their
	// number from 1; 0 is the whole lesson.
	left map[int]lessons.Need
}

func runLessonAuto(ctx context.Context, g *globals, l *lessons.Lesson, flags lessonFlags) error {
	if flags.step < 0 || flags.step > len(l.Steps) {
		return usageError(fmt.Errorf("--step=%d: lesson %q has steps 1 to %d", flags.step, l.ID, len(l.Steps)))
	}
	connection, err := connectTo(ctx, forProof(clusterOptions(g)))
	if err != nil {
		return err
	}
	defer connection.Close()
	candidate := g.Namespace
	if candidate == "" {
		candidate = autoNamespace
	}
	if err := agreeToLesson(ctx, g, l, connection.Cluster(), candidate, flags.yes); err != nil {
		return err
	}
	options, err := deskOptions(g)
	if err != nil {
		return err
	}
	p := &proof{globals: g, lesson: l, flags: flags, desk: desk.New(options), left: map[int]lessons.Need{}}
	if err := p.on(ctx, connection, candidate, flags.step); err != nil || flags.here || !connection.Cluster().Lab {
		return err
	}
	return p.elsewhere(ctx, connection, options)
}

// forProof reads what checks may ask for, too.
func forProof(o cluster.Options) cluster.Options {
	o.Diagnose = true
	return o
}

// on plays the lesson, or one step of it, on a cluster.
func (p *proof) on(ctx context.Context, connection *cluster.Connection, candidate string, step int) error {
	namespace, err := connection.EnsureNamespace(ctx, candidate)
	if err != nil {
		return explained(err)
	}
	o := lessons.AutoOptions{
		Namespace: namespace, Out: p.Out, Timeout: p.flags.timeout, Step: step,
		LeftOut: func(step int, n lessons.Need) { p.left[step] = n },
		Route: func(_ context.Context, s *model.Snapshot, from, target string) error {
			return router.Walk(s, path.Request{Namespace: namespace, From: from, Target: target}, routeSeed)
		},
	}
	runner := p.desk.Kubectl(connection)
	if connection.Cluster().Lab { // which is ours
		o.Bring = func(ctx context.Context, n lessons.Need) error { return desk.Bring(ctx, connection, n) }
		runner.Anywhere = slices.ContainsFunc(p.lesson.Steps, func(s *lessons.Step) bool { return s.Scope != nil })
	}
	return lessons.Auto(ctx, p.lesson, autoCluster{connection, runner, namespace}, o)
}

// elsewhere plays in labs of their own what the lab could not have: the lesson in
// its other modes, and steps that need another mode or more nodes.
func (p *proof) elsewhere(ctx context.Context, connection *cluster.Connection, options desk.Options) error {
	snapshot, err := desk.Synced(ctx, connection)
	if err != nil {
		return err
	}
	own := place{mode: snapshot.Proxy.Mode, nodes: len(snapshot.Nodes)}
	for _, mode := range p.lesson.Modes {
		if mode == own.mode || mode == path.ModeIPVS {
			continue
		}
		earlier := p.left
		p.left = map[int]lessons.Need{}
		if err := p.in(ctx, place{mode, own.nodes}, options, p.flags.step); err != nil {
			return err
		}
		for step := range p.left {
			if _, twice := earlier[step]; !twice {
				delete(p.left, step) // it was played in the lab
			}
		}
	}
	for _, step := range slices.Sorted(maps.Keys(p.left)) {
		at, ok := own.with(p.left[step])
		if !ok {
			continue
		}
		if step == 0 { // the whole lesson
			step = p.flags.step
		}
		if err := p.in(ctx, at, options, step); err != nil {
			return err
		}
	}
	return nil
}

// place is a lab that a step needs.
type place struct {
	mode  string
	nodes int
}

// with gives the place that also has what is needed; ok is false when no lab has it.
func (at place) with(n lessons.Need) (other place, ok bool) {
	switch {
	case n.Kind == lessons.NeedMode && n.Name != path.ModeIPVS:
		at.mode = n.Name
		return at, true
	case n.Kind == lessons.NeedNodes && n.Count <= lab.MaxNodes:
		at.nodes = n.Count
		return at, true
	}
	return at, false
}

// in plays the lesson, or one step of it, in a lab that lives as long.
func (p *proof) in(ctx context.Context, at place, options desk.Options, step int) (err error) {
	dir, err := os.MkdirTemp("", "svp-*") // short: it holds sockets
	if err != nil {
		return fmt.Errorf("start a lab: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(p.Out, "In a lab of its own: mode %s, %s.\n", at.mode, model.Count(at.nodes, "node"))
	process, err := lab.Start(ctx, lab.StartOptions{
		Executable: options.Executable, Environment: options.Environment, Dir: dir, Nodes: at.nodes, ProxyMode: at.mode,
	})
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, process.Stop(stopping))
	}()
	connection, err := connectTo(ctx, forProof(cluster.Options{Kubeconfig: process.Status().Kubeconfig, Lab: true}))
	if err != nil {
		return err
	}
	defer connection.Close()
	return p.on(ctx, connection, autoNamespace, step)
}

// agreeToLesson asks whether a lesson may write to a cluster: nil for a yes. To
// a lab, which is ours, it may.
func agreeToLesson(ctx context.Context, g *globals, l *lessons.Lesson, at model.Cluster, namespace string, yes bool) error {
	if yes || at.Lab {
		return nil
	}
	what := model.Printable(fmt.Sprintf("lesson %q makes Pods and Services in namespace %q on %q (%s)", l.ID, namespace, at.Context, at.Server))
	if asTerminal(g.In) == nil {
		return usageError(fmt.Errorf("%s: say --yes, there is no terminal to ask on", what))
	}
	agreed, err := ask(ctx, g, "svctour: "+what+". Play it? [y/N] ")
	if err == nil && !agreed {
		err = usageError(errors.New("nothing was made, and nothing proved"))
	}
	return err
}

// autoCluster runs a lesson's commands in one namespace.
type autoCluster struct {
	*cluster.Connection
	kubectl   kubectl.Runner
	namespace string
}

// Kubectl implements lessons.Cluster.
func (c autoCluster) Kubectl(ctx context.Context, args []string, stdin string) model.Reply {
	return c.kubectl.Run(ctx, c.namespace, args, stdin)
}
