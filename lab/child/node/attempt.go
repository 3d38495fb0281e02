package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/afero"
	corev1 "k8s.io/api/core/v1"

	"svctour/lab/child/image"
	"svctour/lab/child/process"
)

// attempt is one run of a container's program, from its start to its end.
type attempt struct {
	main     *process.Running
	table    *process.Table
	machine  *process.Machine
	files    *process.Files
	environ  []string
	folder   string
	net      process.Network
	kernel   process.Kernel
	log      *logbook
	terminal *process.Terminal // with tty: true
	input    *io.PipeWriter    // with stdin: true
	once     bool              // the input ends with the first who attached to it
	stop     process.Signal

	// life is over when the program has ended or is killed: what was started
	// with it, such as probes and hooks, ends then.
	life   context.Context
	cancel context.CancelFunc

	ended   chan struct{} // closed when it has ended; then endedAt and status hold
	endedAt time.Time
	status  int
	killed  atomic.Bool

	mu      sync.Mutex
	results []probeResult // that no sync has seen yet
	hook    hookState     // of postStart
	problem string        // why postStart failed
}

// hookState is how far a postStart hook has come.
type hookState int

const (
	hookNone hookState = iota
	hookRuns
	hookPassed
	hookFailed
)

// newAttempt makes everything that a program of the container needs.
func (c *container) newAttempt(found *image.Image, env *environment) (*attempt, error) {
	p, spec := c.pod, c.spec()
	a := &attempt{
		environ: env.list(), net: p.network, log: newLogbook(p.clock.Now), ended: make(chan struct{}),
		stop: found.Stop, table: p.table, folder: spec.WorkingDir,
	}
	if a.table == nil {
		a.table = process.NewTable()
	}
	if a.stop == 0 {
		a.stop = process.Terminate
	}
	if a.folder == "" {
		a.folder = found.WorkDir
	}
	if a.folder == "" {
		a.folder = "/"
	}
	if p.object.Spec.HostNetwork && powerful(spec) {
		a.kernel = p.host.network
	}
	a.machine = &process.Machine{
		Hostname: p.hostname(), Node: p.host.Name, Table: a.table,
		Programs: func(name string) process.Main { return found.Programs[name] },
	}
	var err error
	if a.files, err = c.mounts(found, env); err != nil {
		return nil, err
	}
	a.life, a.cancel = context.WithCancel(p.life)
	return a, nil
}

// powerful says whether a container may see its network's packet filter.
func powerful(spec *corev1.Container) bool {
	security := spec.SecurityContext
	if security == nil {
		return false
	}
	if security.Privileged != nil && *security.Privileged {
		return true
	}
	return security.Capabilities != nil && slices.ContainsFunc(security.Capabilities.Add, func(c corev1.Capability) bool {
		return c == "NET_ADMIN" || c == "CAP_NET_ADMIN" || c == "ALL"
	})
}

// mounts are the container's files: its image's, the kubelet's, its volumes'.
func (c *container) mounts(found *image.Image, env *environment) (*process.Files, error) {
	p := c.pod
	files := process.NewFiles(found.Files)
	hosts := true
	for _, mount := range c.spec().VolumeMounts {
		hosts = hosts && mount.MountPath != "/etc/hosts"
	}
	texts := map[string]string{"/etc/hostname": p.hostname() + "\n", "/etc/resolv.conf": p.resolvConf}
	if hosts {
		texts["/etc/hosts"] = p.hostsFile()
	}
	if c.spec().TerminationMessagePath != "" {
		texts[c.spec().TerminationMessagePath] = ""
	}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if err := files.MkdirAll(path.Dir(name), directoryMode); err != nil {
			return nil, err
		}
		if err := afero.WriteFile(files, name, []byte(texts[name]), fileMode); err != nil {
			return nil, err
		}
	}
	for _, mount := range c.spec().VolumeMounts {
		v := p.volumes[mount.Name]
		if v == nil {
			return nil, fmt.Errorf("cannot find volume %q to mount into container %q", mount.Name, c.spec().Name)
		}
		below := mount.SubPath
		if mount.SubPathExpr != "" {
			below = env.expand([]string{mount.SubPathExpr})[0]
		}
		if err := v.mount(files, mount.MountPath, path.Join("/", below), mount.ReadOnly); err != nil {
			return nil, fmt.Errorf("mount volume %q at %q: %w", mount.Name, mount.MountPath, err)
		}
	}
	return files, nil
}

// mount shows what of the volume is at below in files at target. Of a volume
// that shows API objects a part never changes: what the kubelet mounts with
// subPath are the files of the moment.
func (v *volume) mount(files *process.Files, target, below string, readOnly bool) error {
	shown := v.files
	switch {
	case below == "/":
	case v.readOnly:
		var err error
		if shown, err = v.copied(below); err != nil {
			return err
		}
		return files.Mount(target, shown, true)
	default:
		if _, err := v.files.Stat(below); err != nil {
			if err := v.files.MkdirAll(below, directoryMode); err != nil {
				return err
			}
		}
		shown = afero.NewBasePathFs(v.files, below) // of a file, too: its root is the file then
	}
	if err := files.Mount(target, shown, readOnly || v.readOnly); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(v.provided)) {
		if err := files.Provide(path.Join(target, name), fileMode, v.provided[name]); err != nil {
			return err
		}
	}
	return nil
}

// copied is the file or folder at below with the content of now.
func (v *volume) copied(below string) (afero.Fs, error) {
	now := afero.NewMemMapFs()
	err := afero.Walk(v.files, below, func(name string, info fs.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return nil // what is not there is missed below
		}
		data, err := afero.ReadFile(v.files, name)
		if err != nil {
			return err
		}
		return afero.WriteFile(now, name, data, fileMode)
	})
	if err != nil {
		return nil, err
	}
	for name, content := range v.provided {
		if name != below && !strings.HasPrefix(name, below+"/") {
			continue
		}
		data, err := content()
		if err != nil {
			return nil, err
		}
		if err := afero.WriteFile(now, name, data, fileMode); err != nil {
			return nil, err
		}
	}
	if _, err := now.Stat(below); err != nil {
		return nil, fmt.Errorf("subPath %q: %w", below, err)
	}
	return afero.NewBasePathFs(now, below), nil
}

// process is a program to run in the container, without its streams.
func (a *attempt) process(line []string) *process.Process {
	return &process.Process{
		Args: line, Env: a.environ, Dir: a.folder, Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard,
		Files: a.files, Net: a.net, Machine: a.machine, Kernel: a.kernel,
	}
}

// begin starts the program; changed is called when it has ended.
func (a *attempt) begin(line []string, spec *corev1.Container, main process.Main, now func() time.Time, changed func()) {
	p := a.process(line)
	out := a.log.writer("stdout")
	var in io.Reader = strings.NewReader("")
	if spec.Stdin {
		reader, writer := io.Pipe()
		in, a.input, a.once = reader, writer, spec.StdinOnce
		context.AfterFunc(a.life, func() { reader.CloseWithError(io.EOF) })
	}
	p.Stdin, p.Stdout, p.Stderr = in, out, a.log.writer("stderr")
	if spec.TTY {
		a.terminal = process.NewTerminal(in, out, process.Size{Columns: 80, Rows: 24})
		a.terminal.Connect(p)
	}
	a.main = a.table.Start(a.life, main, p)
	go func() {
		<-a.main.Done()
		a.status, a.endedAt = a.main.Status(), now()
		if a.killed.Load() {
			a.status = exitKilled
		}
		a.cancel()
		a.log.close()
		close(a.ended)
		changed()
	}()
}

// kill ends the program as SIGKILL does.
func (a *attempt) kill() {
	a.killed.Store(true)
	a.cancel()
}

// executable finds the program of a command line.
func (a *attempt) executable(line []string) (process.Main, error) {
	if len(line) == 0 {
		return nil, errors.New("no command specified")
	}
	_, main, err := process.LookPath(a.process(line), line[0])
	if err != nil {
		return nil, fmt.Errorf("exec: %q: %w", line[0], err)
	}
	return main, nil
}

// run runs another program in the container and returns its exit status.
func (a *attempt) run(ctx context.Context, line []string, streams func(*process.Process)) (int, error) {
	p := a.process(line)
	streams(p)
	main, err := a.executable(line)
	if err != nil {
		return 0, fmt.Errorf("OCI runtime exec failed: exec failed: unable to start container process: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(a.life, cancel)()
	running := a.table.Start(ctx, main, p)
	<-running.Done()
	return running.Status(), nil
}
