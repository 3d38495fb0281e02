// Package image is what the lab knows of container images: which exist, which
// programs are in them and what a container of one does by default. The images
// themselves are not there; their programs are Go functions.
package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/distribution/reference"
	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// Image is one that the lab can run: what its name is, and the parts of an OCI
// image's configuration that matter here.
type Image struct {
	// Repository is its full name, registry first, as in docker.io/library/nginx.
	Repository string
	// Tags are the tags that exist: a pattern for the whole tag.
	Tags *regexp.Regexp
	// Size is what a pull of it reports, in bytes.
	Size int64

	Entrypoint, Cmd []string
	Env             []string
	WorkDir         string         // "" is /
	Stop            process.Signal // STOPSIGNAL; 0 is SIGTERM
	// Programs are its executables by their paths.
	Programs map[string]process.Main
	// Files is its file system, which must not be changed; nil has nothing.
	Files afero.Fs
}

// Argv is the command line of a container: a command replaces the entrypoint
// and its arguments, arguments replace the latter only (the OCI image
// specification, and ContainerSpec's command and args).
func (image *Image) Argv(command, args []string) []string {
	switch {
	case len(command) > 0:
		return slices.Concat(command, args)
	case len(args) > 0:
		return slices.Concat(image.Entrypoint, args)
	}
	return slices.Concat(image.Entrypoint, image.Cmd)
}

// Reference is an image's name taken apart.
type Reference struct {
	Repository, Tag, Digest string
}

// Parse takes the name of an image apart as container runtimes do: no registry
// means docker.io, no folder there means library/, no tag means latest.
func Parse(name string) (Reference, error) {
	named, err := reference.ParseDockerRef(name)
	if err != nil {
		return Reference{}, fmt.Errorf("couldn't parse image name %q: %w", name, err)
	}
	ref := Reference{Repository: named.Name()}
	if tagged, is := named.(reference.Tagged); is {
		ref.Tag = tagged.Tag()
	}
	if digested, is := named.(reference.Digested); is {
		ref.Digest = digested.Digest().String()
	}
	return ref, nil
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

// Registry is what a lab can pull.
type Registry struct {
	mu     sync.RWMutex
	images []Image
}

// Builtin is the registry of the images that every lab has.
func Builtin() *Registry { return &Registry{images: slices.Clone(known)} }

// Add adds an image. One that is there already under the same name and tags
// stays in front.
func (r *Registry) Add(image Image) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images = append(r.images, image)
}

// Find is the image behind a reference. The error is worded as containerd
// words a pull that fails, and says what the lab has if it lacks the image
// altogether.
func (r *Registry) Find(ref Reference) (*Image, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	named := false
	for i := range r.images {
		image := &r.images[i]
		if image.Repository != ref.Repository {
			continue
		}
		named = true
		if ref.Digest == "" && image.Tags.MatchString(ref.Tag) {
			return image, nil
		}
	}
	if named {
		return nil, pullError(ref, "not found")
	}
	return nil, pullError(ref, "not found (svctour's lab pulls from no registry; it has "+strings.Join(r.names(), ", ")+")")
}

// names are the repositories of the registry, spelt as people do.
func (r *Registry) names() []string {
	var names []string
	for i := range r.images {
		name := strings.TrimPrefix(strings.TrimPrefix(r.images[i].Repository, "docker.io/library/"), "docker.io/")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func pullError(ref Reference, why string) error {
	return fmt.Errorf("failed to pull and unpack image %q: failed to resolve reference %q: %s: %s", ref, ref, ref, why)
}
