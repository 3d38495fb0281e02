// Package image is what the lab knows of container images: which exist, what a
// container of one does by default, and which ports it listens on. The images
// themselves are not there, their behaviour is.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Program is what a container does once started.
type Program struct {
	// Ports are the TCP ports it listens on from the start.
	Ports []int32
	// Lasts is how long it runs by itself; zero: until it is told to stop.
	Lasts time.Duration
	// Exits says that it ends by itself, after Lasts, with ExitCode.
	Exits    bool
	ExitCode int32
	// IgnoresTerm: as process 1 without a handler it never sees SIGTERM, and
	// the kubelet has to kill it when the grace period is over.
	IgnoresTerm bool
	// TermExitCode is how it ends on SIGTERM.
	TermExitCode int32
	// Missing is the executable that the image does not have, if so.
	Missing string
	// Paths are the HTTP paths that it answers with 200, any other with 404;
	// nil: it answers every path.
	Paths []string
}

// Listens says whether the program listens on a TCP port.
func (p Program) Listens(port int32) bool { return slices.Contains(p.Ports, port) }

// Status is the HTTP status of a GET of path, with or without a query.
func (p Program) Status(path string) int {
	path, _, _ = strings.Cut(path, "?")
	if path == "" {
		path = "/"
	}
	if p.Paths == nil || slices.Contains(p.Paths, path) {
		return http.StatusOK
	}
	return http.StatusNotFound
}

// Image is one that the lab can run.
type Image struct {
	// Repository is its full name, registry first, as in docker.io/library/nginx.
	Repository string
	// Tags are the tags that exist: a pattern for the whole tag.
	Tags *regexp.Regexp
	// Size is what a pull of it reports, in bytes.
	Size int64
	// Binary is the name of its own program, as in nginx or agnhost.
	Binary string
	// Shell says whether it has sh and the usual small commands, and runs its
	// arguments as a command line (as docker-entrypoint.sh does) unless they
	// start with a dash.
	Shell bool
	// Run is what its own program does with args, nil if the Pod gives none.
	Run func(args []string) Program
}

// Reference is an image's name taken apart.
type Reference struct {
	Repository, Tag, Digest string
}

// reference is distribution's grammar: [HOST[:PORT]/]PATH[:TAG][@DIGEST].
var reference = regexp.MustCompile(`^((?:[a-zA-Z0-9][-a-zA-Z0-9.]*(?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)` +
	`(?::([a-zA-Z0-9_][-a-zA-Z0-9_.]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$`)

// Parse takes the name of an image apart as container runtimes do: no registry
// means docker.io, no folder there means library/, no tag means latest.
func Parse(name string) (Reference, error) {
	match := reference.FindStringSubmatch(name)
	if match == nil {
		return Reference{}, fmt.Errorf("couldn't parse image name %q: invalid reference format", name)
	}
	ref := Reference{Repository: qualify(match[1]), Tag: match[2], Digest: match[3]}
	if ref.Tag == "" && ref.Digest == "" {
		ref.Tag = "latest"
	}
	return ref, nil
}

func isRegistry(part string) bool {
	return strings.ContainsAny(part, ".:") || part == "localhost"
}

func qualify(name string) string {
	registry, rest, found := strings.Cut(name, "/")
	if !found {
		return "docker.io/library/" + name
	}
	if !isRegistry(registry) {
		return "docker.io/" + name
	}
	if registry == "index.docker.io" {
		registry = "docker.io"
	}
	if registry == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	return registry + "/" + rest
}

// String is the name with everything spelt out.
func (r Reference) String() string {
	s := r.Repository
	if r.Tag != "" {
		s += ":" + r.Tag
	}
	if r.Digest != "" {
		s += "@" + r.Digest
	}
	return s
}

// ID is the image ID that a container's status shows. It is made from the
// name: equal names give equal IDs, and no registry knows it.
func (r Reference) ID() string {
	digest := r.Digest
	if digest == "" {
		sum := sha256.Sum256([]byte(r.String()))
		digest = "sha256:" + hex.EncodeToString(sum[:])
	}
	return r.Repository + "@" + digest
}

// Find is the image behind a reference. The error is worded as containerd
// words a pull that fails, and says what the lab has if it lacks the image
// altogether.
func Find(ref Reference) (*Image, error) {
	for i := range known {
		image := &known[i]
		if image.Repository != ref.Repository {
			continue
		}
		if ref.Digest == "" && image.Tags.MatchString(ref.Tag) {
			return image, nil
		}
		return nil, pullError(ref, "not found")
	}
	return nil, pullError(ref, "not found (svctour's lab pulls from no registry; it has "+strings.Join(Known(), ", ")+")")
}

func pullError(ref Reference, why string) error {
	return fmt.Errorf("failed to pull and unpack image %q: failed to resolve reference %q: %s: %s", ref, ref, ref, why)
}

// Container is the program of a container with this command and these
// arguments, both nil if the Pod gives none: a command replaces the image's
// entrypoint, arguments replace its command.
func (image *Image) Container(command, args []string) Program {
	if len(command) == 0 && (len(args) == 0 || strings.HasPrefix(args[0], "-") || !image.Shell || image.Binary == "agnhost") {
		return image.Run(args)
	}
	line := append(append([]string{}, command...), args...)
	return image.execute(line)
}

// execute is the program of a command line. The lab has no shell yet: it knows
// the commands that end at once or that wait, and no other.
func (image *Image) execute(line []string) Program {
	name := line[0][strings.LastIndex(line[0], "/")+1:]
	if name == image.Binary {
		return image.Run(line[1:])
	}
	if !image.Shell {
		return Program{Missing: line[0]}
	}
	switch name {
	case "sleep":
		return sleep(line[1:])
	case "false":
		return Program{Exits: true, ExitCode: 1}
	case "true", "echo", "date", "hostname", "env", "ls", "cat", "nslookup", "wget", "curl":
		return Program{Exits: true}
	case "tail":
		return Program{IgnoresTerm: true}
	case "sh", "ash", "bash":
		return image.shell(line[1:])
	}
	return Program{Missing: line[0]}
}

// shell is the program of "sh ARGS": with a script, what its last command that
// ends or waits does.
func (image *Image) shell(args []string) Program {
	if len(args) < 2 || args[0] != "-c" && args[0] != "-ec" {
		return Program{Exits: true} // no terminal: end of input at once
	}
	script := args[1]
	if strings.Contains(script, "while true") || strings.Contains(script, "while :") || strings.Contains(script, "while sleep") {
		return Program{IgnoresTerm: true}
	}
	total := Program{Exits: true}
	for _, command := range strings.FieldsFunc(script, func(r rune) bool { return r == ';' || r == '\n' || r == '&' }) {
		words := strings.Fields(command)
		if len(words) == 0 {
			continue
		}
		switch words[0] {
		case "exit":
			if len(words) > 1 {
				if code, err := strconv.ParseUint(words[1], 10, 8); err == nil {
					total.ExitCode = int32(code)
				}
			}
			return total
		case "exec":
			words = words[1:]
		}
		if len(words) == 0 {
			continue
		}
		next := image.execute(words)
		if next.Missing != "" {
			total.ExitCode = 127 // sh: not found; the script goes on
			continue
		}
		total.Lasts += next.Lasts
		total.ExitCode = next.ExitCode
		total.IgnoresTerm = total.IgnoresTerm || next.IgnoresTerm
		if !next.Exits {
			total.Exits = false
			return total
		}
	}
	return total
}

// sleep is busybox's and coreutils' sleep: numbers with s, m, h or d, added up.
func sleep(args []string) Program {
	if len(args) == 0 {
		return Program{Exits: true, ExitCode: 1}
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	total := time.Duration(0)
	for _, arg := range args {
		if arg == "infinity" || arg == "inf" {
			return Program{IgnoresTerm: true}
		}
		unit := time.Second
		if arg != "" {
			if u, has := units[arg[len(arg)-1]]; has {
				unit, arg = u, arg[:len(arg)-1]
			}
		}
		number, err := strconv.ParseFloat(arg, 64)
		if err != nil || number < 0 || number > 1e6 {
			return Program{Exits: true, ExitCode: 1}
		}
		total += time.Duration(number * float64(unit))
	}
	return Program{Exits: true, Lasts: total, IgnoresTerm: true}
}
