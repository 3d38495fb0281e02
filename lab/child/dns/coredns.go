// Package dns is the cluster's DNS: CoreDNS as a program of the lab, with what
// kubeadm installs for it, and the resolver outside the cluster that it
// forwards to.
//
// CoreDNS runs from its own code: its Corefile parser, its servers and its
// plugins. What it would take from the machine (sockets, files, the API server's
// address) comes from its process.Process: see the directives.
package dns

import (
	"context"
	"crypto/sha512"
	"errors"
	"flag"
	"fmt"
	"io"
	"path"
	"runtime"
	"time"

	"github.com/coredns/coredns/coremain"

	"svctour/lab/child/process"
)

// Main is /coredns: it serves what the Corefile named by -conf says until it is
// told to end. An error in the Corefile is CoreDNS's own, and exit status 1.
func Main(ctx context.Context, p *process.Process) int {
	flags := flag.NewFlagSet("coredns", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	file := flags.String("conf", "Corefile", "Corefile to load")
	quiet := flags.Bool("quiet", false, "Quiet mode (no initialization output)")
	version := flags.Bool("version", false, "Show version")
	if err := flags.Parse(p.Args[min(1, len(p.Args)):]); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if *version {
		showVersion(p.Stdout)
		return 0
	}
	if flags.NArg() > 0 {
		_, _ = fmt.Fprintf(p.Stderr, "extra command line arguments: %s\n", flags.Args())
		return 1
	}
	if !path.IsAbs(*file) {
		*file = path.Join("/", p.Dir, *file)
	}
	corefile, err := load(p, *file)
	if err != nil {
		_, _ = fmt.Fprintln(p.Stderr, err)
		return 1
	}
	s, err := prepare(p, *file, corefile)
	if err == nil {
		err = s.start(ctx)
	}
	if err != nil {
		_, _ = fmt.Fprintln(p.Stderr, err)
		return 1
	}
	if !*quiet {
		s.showZones()
		s.announce()
		showVersion(s.out)
	}
	return watch(ctx, p, *file, s)
}

func showVersion(w io.Writer) {
	_, _ = fmt.Fprintf(w, "%s-%s\n%s/%s, %s, %s\n", coremain.CoreName, coremain.CoreVersion,
		runtime.GOOS, runtime.GOARCH, runtime.Version(), coremain.GitCommit)
}

// watch waits for the end of s, and replaces it when reload finds another
// Corefile. A Corefile that does not load leaves the one before at work.
func watch(ctx context.Context, p *process.Process, file string, s *server) int {
	failed := [sha512.Size]byte{} // the last Corefile that did not load
	for {
		var tick <-chan time.Time
		if s.reload > 0 {
			tick = time.After(s.reload)
		}
		select {
		case <-ctx.Done():
			s.stop(ctx)
			return 137
		case err := <-s.broken:
			s.stop(ctx)
			_, _ = fmt.Fprintln(p.Stderr, err)
			return 1
		case signal := <-p.Signals:
			switch signal {
			case process.Interrupt:
				s.logf("[INFO] SIGINT: Shutting down")
			case process.Quit:
				s.logf("[INFO] SIGQUIT: Quitting process immediately")
				dying, cancel := context.WithCancel(ctx)
				cancel()
				s.stop(dying)
				return 0
			default:
				s.logf("[INFO] SIGTERM: Shutting down servers then terminating")
			}
			s.shutdown(ctx)
			return 0
		case <-tick:
			corefile, err := load(p, file)
			sum := sha512.Sum512(corefile)
			if err != nil || sum == s.sum || sum == failed {
				continue
			}
			s.logf("[INFO] Reloading")
			next, err := prepare(p, file, corefile)
			if err != nil {
				failed = sum
				s.logf("[ERROR] Restart failed: %v", err)
				s.logf("[ERROR] plugin/reload: Corefile changed but reload failed: starting with listener file descriptors: %v", err)
				continue
			}
			s.stop(ctx)
			if err := next.start(ctx); err != nil {
				_, _ = fmt.Fprintln(p.Stderr, err)
				return 1
			}
			s = next
			s.announce()
			s.logf("[INFO] Reloading complete")
		}
	}
}
